// The load of the bad-release soak: a failure at a process that is none of the good ones is counted apart.

import fs from 'node:fs'
import path from 'node:path'
import { Client as Http1 } from './http1.mjs'

// By then each of the good ones has answered, if it answers at all.
const SERVE_MS = 5000

export class Client extends Http1 {
  #meter
  #good
  #log
  #waiting = new Set()
  #served

  constructor(options, meter) {
    super(options, meter)
    this.#meter = meter
    this.#good = new Set(options.good)
    this.#log = options.acceptLog
    this.observer = this
  }

  answered({ worker }) {
    if (this.#waiting.delete(worker.pid) && this.#waiting.size === 0) this.#served?.()
  }

  failed({ worker, localAddress }, begun, now, kind) {
    const isInBad = worker ? !this.#good.has(worker.pid) : this.#wasAcceptedByBad(localAddress)
    if (isInBad) this.#meter.counted('in the bad one')
    else this.#meter.failed(kind, `after ${Math.round(now - begun)} ms at ${worker?.pid ?? 'a fresh connection'}`)
  }

  #wasAcceptedByBad(address) {
    const bad = fs.readdirSync(this.#log).filter(pid => !this.#good.has(Number(pid)))
    return bad.some(pid => fs.readFileSync(path.join(this.#log, pid), 'utf8').split('\n').includes(address))
  }

  /** Waits until each of these has answered again. */
  mustServe(pids) {
    this.#waiting = new Set(pids)
    return new Promise((resolve, reject) => {
      this.#served = resolve
      setTimeout(() => reject(new Error(`${[...this.#waiting]} do not serve any more`)), SERVE_MS)
    })
  }
}
