// Clients that ask without end, each one request at a time: groups with connections kept or not, answers slow or not, pauses or none.

import { Connection, sourceAddress } from './connection.mjs'

// Does not make a server that refuses everything busier than one that serves.
const AFTER_FAILURE_MS = 10
// A little longer than a request may take.
const STOP_MS = 7000

export class Client {
  #options
  #meter
  #stopping = false
  #running = 0
  #stopped
  /** Is told of every answer and failure, with the connection and when the request began; then it counts the failures. */
  observer

  constructor(options, meter) {
    this.#options = options
    this.#meter = meter
  }

  start() {
    let number = 0
    for (const group of this.#options.groups) {
      for (let one = 0; one < group.count; one += 1) {
        this.#running += 1
        this.#one(group, number)
        number += 1
      }
    }
  }

  stop() {
    this.#stopping = true
    return new Promise(resolve => {
      this.#stopped = resolve
      if (this.#running === 0) resolve()
      setTimeout(resolve, STOP_MS)
    })
  }

  /** One client, for ever. */
  #one({ keepAlive, delay, think }, number) {
    const { port, secure } = this.#options
    const localAddress = sourceAddress(number)
    let connection
    let count = 0
    const next = () => {
      if (this.#stopping) {
        connection?.leave()
        this.#running -= 1
        if (this.#running === 0) this.#stopped?.()
        return
      }
      if (!connection?.isUsable) connection = new Connection({ port, secure, localAddress })
      const used = connection
      const begun = performance.now()
      count += 1
      used.ask(`/${delay ? between(delay) : 0}/${number}/${count}`, keepAlive, (failure, closes) => {
        const now = performance.now()
        if (failure !== undefined) {
          connection = undefined
          if (this.observer) this.observer.failed(used, begun, now, failure)
          else this.#meter.failed(failure, `after ${Math.round(now - begun)} ms`)
          setTimeout(next, AFTER_FAILURE_MS)
          return
        }
        this.#meter.answered(now - begun)
        this.observer?.answered(used, begun, now)
        if (closes || !keepAlive) {
          used.leave()
          connection = undefined
        }
        const pause = think ? between(think) : 0
        if (pause > 0) setTimeout(next, pause)
        else next()
      })
    }
    next()
  }
}

/** A whole number in the range. */
export function between([low, high]) {
  return low + Math.trunc(Math.random() * (high - low + 1))
}
