'use strict'

// The JavaScript end of a session: calls become posts, mails settle them. Keeps Node's event loop alive exactly while somebody
// waits for something, and never knows what a call means.

const { onAbort } = require('./abort.cjs')
const { aborted, closed, fromReply } = require('./errors.cjs')
const { Feed } = require('./feed.cjs')
const { load } = require('./loader.cjs')

// Sessions that somebody waits for must not be collected, though nothing else may refer to them; idle ones may, and close then.
const awaited = new Set()

class Session {
  #native
  #calls = new Map()
  #feeds = new Map()
  #lastId = 0
  #holds = 0
  #kept = false
  #over
  #whenOpen
  #whenOver

  /** Opens a session; `options` is made from the path of the executable. */
  static open(options, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw aborted(signal)
      const { Session: Native, exe } = load()
      const session = new Session(Native, options(exe))
      session.#open(signal, resolve, reject)
    })
  }

  constructor(Native, options) {
    // An engine goes on working for a program that has lost sight of it, as a child process would.
    this.#kept = 'embed' in options
    // The addon holds on to its callback, so the callback must not hold on to the session.
    const self = new WeakRef(this)
    this.#native = new Native(JSON.stringify(options), () => self.deref()?.#drain())
  }

  #open(signal, resolve, reject) {
    this.hold()
    const stopListening = onAbort(signal, () => {
      settle(() => reject(aborted(signal)))
      this.#native.close()
    })
    const settle = then => {
      this.#whenOpen = undefined
      stopListening()
      this.release()
      then()
    }
    this.#whenOpen = {
      resolve: welcome => settle(() => resolve({ session: this, welcome })),
      reject: error => settle(() => reject(error))
    }
  }

  /**
   * One call and the promise of its answer. An aborted call is only forgotten: what it asked for is done all the same.
   * With `hold: false` waiting for it does not keep the program alive.
   */
  call(post, { signal, hold = true } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw aborted(signal)
      const id = ++this.#lastId
      if (this.#over || !this.#native.post(id, JSON.stringify(post))) throw closed()
      const stopListening = onAbort(signal, () => this.#settle(id, call => call.reject(aborted(signal))))
      const done = () => {
        stopListening()
        if (hold) this.release()
      }
      this.#calls.set(id, { resolve, reject, done })
      if (hold) this.hold()
    })
  }

  /** A subscription, begun at once. `translate` makes values for the reader of one event, each as `{ value }`. */
  subscribe(filter, translate, options) {
    return this.feed({ subscribe: filter }, translate, options)
  }

  /** What this post asks for, in batches. */
  feed(post, translate, options) {
    const id = ++this.#lastId
    const wire = {
      post: what => !this.#over && this.#native.post(id, JSON.stringify(what)),
      forget: () => this.#feeds.delete(id),
      hold: () => this.hold(),
      release: () => this.release()
    }
    const feed = new Feed(wire, translate, options)
    if (feed.isOver) return feed
    this.#feeds.set(id, feed)
    if (!wire.post(post)) feed.end(closed())
    return feed
  }

  /** Keeps the program alive until as many `release` calls. */
  hold() {
    if (++this.#holds > 1 || this.#over) return
    awaited.add(this)
    this.#native.hold(true)
  }

  release() {
    if (--this.#holds > 0 || this.#over) return
    if (!this.#kept) awaited.delete(this)
    this.#native.hold(false)
  }

  /** Ends the session; resolves when its thread has nothing more to do. */
  close() {
    if (this.#over) return Promise.resolve()
    return new Promise(resolve => {
      this.#whenOver = [...(this.#whenOver ?? []), resolve]
      this.hold()
      this.#native.close()
    })
  }

  get isOver() {
    return this.#over === true
  }

  #drain() {
    for (const [id, mail] of JSON.parse(this.#native.take())) {
      const [kind, value] = typeof mail === 'string' ? [mail] : Object.entries(mail)[0]
      if (kind === 'reply' || kind === 'resolved') this.#settle(id, call => call.resolve(value))
      else if (kind === 'error' && this.#feeds.has(id)) this.#feeds.get(id).end(fromReply(value))
      else if (kind === 'error') this.#settle(id, call => call.reject(fromReply(value)))
      else if (kind === 'dropped') this.#settle(id, call => call.reject(closed()))
      else if (kind === 'items') this.#feeds.get(id)?.push(value)
      else if (kind === 'lines') this.#feeds.get(id)?.push(value)
      else if (kind === 'done') this.#feeds.get(id)?.end()
      else if (kind === 'ended') this.#feeds.get(id)?.end(fromReply(value))
      else if (kind === 'opened') this.#whenOpen?.resolve(value)
      else if (kind === 'closed') this.#end(value === null ? undefined : fromReply(value))
    }
  }

  #settle(id, how) {
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#calls.delete(id)
    call.done()
    how(call)
  }

  #end(error) {
    if (this.#over) return
    this.#whenOpen?.reject(error ?? closed())
    for (const id of [...this.#calls.keys()]) this.#settle(id, call => call.reject(error ?? closed()))
    for (const feed of [...this.#feeds.values()]) feed.end(error)
    this.#over = true
    awaited.delete(this)
    this.#native.hold(false)
    for (const resolve of this.#whenOver ?? []) resolve()
  }
}

module.exports = { Session }
