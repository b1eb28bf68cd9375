'use strict'

// One subscription as an async iterator. Holds at most one batch and asks for the next only when that has been read, so a slow
// reader costs no memory here. What the supervisor had to leave out meanwhile is counted in `missed`, never hidden.

const { onAbort } = require('./abort.cjs')
const { aborted } = require('./errors.cjs')
const { asyncDispose } = require('./symbols.cjs')

class Feed {
  #wire
  #translate
  #onMissed
  #keepsAlive
  #stopListening = () => {}
  #readers = []
  #items = []
  #at = 0
  #owed = false
  #held = false
  #over = false
  #error
  #missed = 0

  /** `wire` is `{ post, forget, hold, release }`; `translate` makes what the reader gets of one event: any number of values. */
  constructor(wire, translate, { signal, onMissed, hold = true } = {}) {
    this.#wire = wire
    this.#translate = translate
    this.#onMissed = onMissed
    this.#keepsAlive = hold
    if (signal?.aborted) this.#abandon(aborted(signal))
    else this.#stopListening = onAbort(signal, () => this.#abandon(aborted(signal)))
  }

  /** Events that were left out so far because the reader was too slow. */
  get missed() {
    return this.#missed
  }

  get isOver() {
    return this.#over
  }

  /** The next value. The program stays alive while somebody waits here. */
  next() {
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject })
      this.#serve()
    })
  }

  /** Ends the subscription: what leaving a `for await` does. */
  async return(value) {
    this.#abandon(undefined)
    return { done: true, value }
  }

  async [asyncDispose]() {
    this.#abandon(undefined)
  }

  [Symbol.asyncIterator]() {
    return this
  }

  /** Takes a batch from the supervisor. */
  push(batch) {
    if (this.#over) return
    this.#items = batch.flatMap(event => ('missed' in event ? [{ missed: event.missed.count }] : this.#translate(event)))
    this.#at = 0
    this.#owed = true
    this.#serve()
  }

  /** The subscription has ended by itself; what is here already can still be read. */
  end(error) {
    if (this.#over) return
    this.#over = true
    this.#error = error
    this.#stopListening()
    this.#wire.forget()
    this.#serve()
  }

  /** The reader wants no more. */
  #abandon(error) {
    this.#items = []
    this.#owed = false
    if (!this.#over) this.#wire.post('unsubscribe')
    this.end(error)
  }

  #serve() {
    while (this.#readers.length > 0 && this.#step(this.#readers[0])) this.#readers.shift()
    if (this.#owed && this.#at === this.#items.length) {
      this.#owed = false
      this.#items = []
      this.#at = 0
      this.#wire.post('more')
    }
    const held = this.#keepsAlive && !this.#over && this.#readers.length > 0
    if (held !== this.#held) {
      this.#held = held
      if (held) this.#wire.hold()
      else this.#wire.release()
    }
  }

  /** Settles one reader if it can be. */
  #step(reader) {
    while (this.#at < this.#items.length) {
      const item = this.#items[this.#at++]
      if (item.missed === undefined) {
        reader.resolve({ done: false, value: item.value })
        return true
      }
      this.#missed += item.missed
      try {
        this.#onMissed?.(item.missed)
      } catch (error) {
        reader.reject(error)
        return true
      }
    }
    if (!this.#over) return false
    if (this.#error === undefined) {
      reader.resolve({ done: true, value: undefined })
    } else {
      reader.reject(this.#error)
      this.#error = undefined
    }
    return true
  }
}

module.exports = { Feed }
