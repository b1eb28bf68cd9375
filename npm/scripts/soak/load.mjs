// A load client in a thread of its own, so that what measures waits for nothing else. It dies with this process.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { together } from './meter.mjs'

export class Load {
  #thread
  #calls = new Map()
  #next = 0
  #ended

  /** `kind`: a file of clients/. The load begins at once. */
  static async begin(kind, options) {
    const load = new Load()
    load.#thread = new Worker(new URL('./clients/thread.mjs', import.meta.url), { workerData: { kind, options } })
    load.#thread.on('message', ({ id, value, error }) => {
      const call = load.#calls.get(id)
      load.#calls.delete(id)
      if (error === undefined) call?.resolve(value)
      else call?.reject(new Error(error))
    })
    load.#thread.on('error', error => load.#end(error))
    load.#thread.on('exit', () => load.#end(new Error('the load client ended')))
    await once(load.#thread, 'online')
    return load
  }

  #end(error) {
    this.#ended ??= error
    for (const { reject } of this.#calls.values()) reject(error)
    this.#calls.clear()
  }

  /** Calls a method of the client. */
  call(method, argument) {
    if (this.#ended) return Promise.reject(this.#ended)
    const id = (this.#next += 1)
    this.#thread.postMessage({ id, method, argument })
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }))
  }

  /** From here on answers are counted under this name. */
  phase(name) {
    return this.call('phase', name)
  }

  /** Lets requests under way end, and gives what was counted. */
  async stop() {
    try {
      return together([await this.call('stop')])
    } finally {
      await this.#thread.terminate()
    }
  }

  /** Ends it whatever it does. */
  async abandon() {
    await this.#thread.terminate()
  }
}
