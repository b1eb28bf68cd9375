// The load of the kill soak: it also does the killing, so that it knows what was under way at that moment, and judges each failure: a
// request may die with its worker, and no other one may fail.

import fs from 'node:fs'
import path from 'node:path'
import { Client as Http1 } from './http1.mjs'

// When nothing of that kill can come any more.
const SETTLE_MS = 300
const BOUND_MS = 10_000

export class Client extends Http1 {
  #meter
  #log
  #known = new Set()
  #failures = []
  #longest = 0
  #onNew

  constructor(options, meter) {
    super(options, meter)
    this.#meter = meter
    this.#log = options.acceptLog
    this.observer = this
  }

  answered({ worker }, begun, now) {
    this.#longest = Math.max(this.#longest, now - begun)
    if (this.#known.has(worker.pid)) return
    this.#known.add(worker.pid)
    this.#onNew?.(now)
  }

  failed(connection, begun, now, kind) {
    this.#longest = Math.max(this.#longest, now - begun)
    this.#failures.push({ worker: connection.worker?.pid, from: connection.localAddress, begun, ms: now - begun, kind })
  }

  /** Kills the worker, and waits until another one answers. */
  async kill({ pid }) {
    this.#failures.length = 0
    this.#longest = 0
    const start = performance.now()
    const answered = new Promise(resolve => (this.#onNew = resolve))
    process.kill(pid, 'SIGKILL')
    const deadAt = await ended(pid, start)
    const bound = pause(BOUND_MS)
    const newAt = await Promise.race([answered, bound])
    await pause(SETTLE_MS)
    this.#onNew = undefined
    this.#known.delete(pid)
    return { deadMs: deadAt - start, newMs: newAt === undefined ? undefined : newAt - start, longestMs: this.#longest, ...this.#judge(pid, deadAt) }
  }

  /** Of the failures since the kill: how many were under way in the worker, may have been, and cannot have been. */
  #judge(pid, deadAt) {
    const accepted = new Set(fs.readFileSync(path.join(this.#log, String(pid)), 'utf8').split('\n'))
    const judged = { there: 0, unlogged: 0, elsewhere: 0, kinds: {}, examples: [] }
    for (const { worker, from, begun, ms, kind } of this.#failures) {
      judged.kinds[kind] = (judged.kinds[kind] ?? 0) + 1
      // A kept connection of the dead, of which the client has not read the end yet, or one that it had accepted.
      if (worker === pid || (begun <= deadAt && worker === undefined && accepted.has(from))) judged.there += 1
      // It dies between accepting a connection and writing that down.
      else if (worker === undefined && from !== undefined && begun <= deadAt) judged.unlogged += 1
      else {
        judged.elsewhere += 1
        judged.examples.push(`${kind} after ${ms.toFixed(1)} ms, begun ${(begun - deadAt).toFixed(1)} ms after the death of ${pid}, at ${worker ?? 'a fresh connection'}`)
      }
      this.#meter.counted(kind)
    }
    return judged
  }
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** When the process is dead: all that it had open is closed by then. */
async function ended(pid, start) {
  for (;;) {
    const now = performance.now()
    if (!isAlive(pid)) return now
    if (now - start > BOUND_MS) throw new Error(`process ${pid} does not die`)
    await pause(1)
  }
}

function isAlive(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0])
  } catch {
    return false
  }
}
