'use strict'

// Whether an embedded engine has a worker that ought to run, and so keeps the program alive, as a child process does. Looks
// only when something may have changed.

const UP = new Set(['launching', 'online', 'stopping', 'waiting restart'])
const MAY_BE_DOWN = new Set(['exit', 'stop', 'delete', 'restart overlimit', 'spawn failed', 'cannot be killed'])

class Workers {
  #session
  #up = false
  #keepsAlive = true
  #held = false
  #looking = false
  #again = false

  constructor(session) {
    this.#session = session
    this.#follow()
  }

  /** What a command answered. */
  seen(slots) {
    if (slots.some(slot => UP.has(slot.status))) this.#set(true)
  }

  /** Whether running workers keep the program alive. */
  keepAlive(yes) {
    this.#keepsAlive = yes
    this.#set(this.#up)
  }

  async #follow() {
    const feed = this.#session.subscribe({ events: true }, event => [{ value: event.process }], {
      hold: false,
      onMissed: () => this.#look()
    })
    try {
      for await (const { event } of feed) {
        if (MAY_BE_DOWN.has(event)) this.#look()
        else if (event === 'start' || event === 'online') this.#set(true)
      }
    } catch {
      // The session is over, and holds nothing any more.
    }
  }

  async #look() {
    if (this.#looking) {
      this.#again = true
      return
    }
    this.#looking = true
    try {
      do {
        this.#again = false
        const { list } = await this.#session.call({ request: { list: { target: null } } }, { hold: false })
        if (!this.#again) this.#set(list.some(slot => UP.has(slot.status)))
      } while (this.#again)
    } catch {
      // As above.
    } finally {
      this.#looking = false
    }
  }

  #set(up) {
    this.#up = up
    const held = up && this.#keepsAlive
    if (held === this.#held) return
    this.#held = held
    if (held) this.#session.hold()
    else this.#session.release()
  }
}

module.exports = { Workers }
