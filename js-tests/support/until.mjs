// Waiting in tests: for a condition, with a bound and a reason. Never a guessed sleep.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Longer than anything here takes on a busy machine; a test that waits for all of it has failed. */
export const BOUND_MS = 60_000

/** Waits until `condition` gives something true, and gives that. */
export async function until(what, condition, boundMs = BOUND_MS) {
  const end = Date.now() + boundMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (Date.now() > end) assert.fail(`waited ${boundMs} ms for ${what}`)
    await sleep(10)
  }
}

/** The promise's value, or a failure that says what did not happen. */
export async function within(what, promise, boundMs = BOUND_MS) {
  const stop = new AbortController()
  const late = sleep(boundMs, undefined, { signal: stop.signal }).then(
    () => assert.fail(`waited ${boundMs} ms for ${what}`),
    () => {}
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    stop.abort()
  }
}

/** Reads a feed until an item satisfies `predicate`; gives that item. */
export function find(what, feed, predicate) {
  const search = async () => {
    for (;;) {
      const { done, value } = await feed.next()
      assert.equal(done, false, `the feed ended before ${what}`)
      if (predicate(value)) return value
    }
  }
  return within(what, search())
}

/** Checks that a promise rejects with a `RewakeError` of this code, and gives the error. */
export async function rejects(promise, code) {
  const error = await within(`a rejection with ${code}`, promise.then(value => assert.fail(`got ${JSON.stringify(value)}`), error => error))
  assert.equal(error.name, 'RewakeError', String(error?.stack))
  assert.equal(error.code, code, error.message)
  return error
}
