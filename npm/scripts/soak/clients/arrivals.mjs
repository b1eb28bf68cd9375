// New connections at a fixed rate, each for one request, however long the others take: who waits for a blocked server holds up nobody.

import { Connection, sourceAddress } from './connection.mjs'

const ADDRESSES = 1000

export class Client {
  #options
  #meter
  #timer
  #begun = 0
  #open = 0

  constructor(options, meter) {
    this.#options = options
    this.#meter = meter
  }

  start() {
    const start = performance.now()
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - start) / 1000) * this.#options.rate)
      while (this.#begun < due) this.#one((this.#begun += 1))
    }, 1)
  }

  #one(number) {
    const { port, timeoutMs } = this.#options
    const begun = performance.now()
    const connection = new Connection({ port, timeoutMs, localAddress: sourceAddress(number % ADDRESSES) })
    this.#open += 1
    connection.ask(`/0/${number}`, false, failure => {
      this.#open -= 1
      const took = performance.now() - begun
      if (failure === undefined) this.#meter.answered(took)
      else this.#meter.failed(failure, `after ${Math.round(took)} ms`)
      connection.leave()
    })
  }

  async stop() {
    clearInterval(this.#timer)
    const end = performance.now() + this.#options.timeoutMs + 1000
    while (this.#open > 0 && performance.now() < end) await new Promise(resolve => setTimeout(resolve, 20))
  }
}
