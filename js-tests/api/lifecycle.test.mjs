// When programs end: what keeps them alive, and what is left of their workers. Nothing, however they end.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { host } from '../support/host.mjs'
import { isAlive, untilGone } from '../support/processes.mjs'
import { app, daemon } from '../support/rewake.mjs'

test('20 workers and 100,000 messages, then the embedding program is killed and leaves none', { timeout: 180_000 }, async t => {
  const program = host(t, 'twenty-workers.mjs', ['embed', 'wait'])
  const { pids, ...counts } = await program.says()
  assert.deepEqual(counts, { messages: 100_000, missed: 0, restarts: 0 })
  assert.equal(new Set(pids).size, 20)
  assert.ok(pids.every(isAlive))
  program.kill('SIGKILL')
  await program.ended()
  await untilGone(pids)
})

test('20 workers and 100,000 messages through a daemon, which keeps them when the program is killed', { timeout: 180_000 }, async t => {
  const rewake = await daemon(t)
  const program = host(t, 'twenty-workers.mjs', [rewake.home, 'wait'])
  const { pids, ...counts } = await program.says()
  assert.deepEqual(counts, { messages: 100_000, missed: 0, restarts: 0 })
  program.kill('SIGKILL')
  await program.ended()
  assert.deepEqual((await rewake.list()).map(slot => slot.pid), pids)
  assert.ok(pids.every(isAlive))
  const supervisors = [rewake.daemon.pid, rewake.daemon.keeperPid]
  await rewake.shutdown()
  await untilGone([...pids, ...supervisors])
})

for (const [how, expected] of [
  ['exit', { code: 3, signal: null }],
  ['exit in a callback', { code: 3, signal: null }],
  ['throw', { code: 1, signal: null }],
  ['abort', { code: null, signal: 'SIGABRT' }],
  ['unref', { code: 0, signal: null }],
  ['dispose', { code: 0, signal: null }],
  ['shutdown', { code: 0, signal: null }]
]) {
  test(`an embedding program that ends by ${how} leaves no worker`, { timeout: 180_000 }, async t => {
    const program = host(t, 'ends.mjs', [how])
    const pids = await program.says()
    const { code, signal, errors } = await program.ended()
    assert.deepEqual({ code, signal }, expected, errors)
    await untilGone(pids)
  })
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL', 'SIGSEGV']) {
  test(`an embedding program that dies of ${signal} leaves no worker`, { timeout: 180_000 }, async t => {
    const program = host(t, 'ends.mjs', ['wait'])
    const pids = await program.says()
    assert.ok(pids.every(isAlive), 'running workers keep the program alive')
    program.kill(signal)
    assert.equal((await program.ended()).signal, signal)
    await untilGone(pids)
  })
}

for (const what of ['nothing', 'stopped', 'ended by itself', 'abandoned feeds']) {
  test(`an embedding program ends by itself: ${what}`, { timeout: 180_000 }, async t => {
    const program = host(t, 'idle.mjs', [what])
    assert.equal(await program.says(), 'done')
    assert.deepEqual(await program.ended(), { code: 0, signal: null, errors: '' })
  })
}

for (const what of ['nothing', 'abandoned feeds']) {
  test(`a connected program ends by itself: ${what}`, { timeout: 180_000 }, async t => {
    const { home } = await daemon(t)
    const program = host(t, 'idle.mjs', [what, home])
    assert.equal(await program.says(), 'done')
    assert.deepEqual(await program.ended(), { code: 0, signal: null, errors: '' })
  })
}

test('a reader that waits keeps a connected program alive until it has read', { timeout: 180_000 }, async t => {
  const rewake = await daemon(t)
  const program = host(t, 'idle.mjs', ['waits for an event', rewake.home])
  assert.equal(await program.says(), 'waiting')
  await rewake.start(app('quiet.cjs'))
  assert.equal(await program.says(), 'quiet')
  assert.equal(await program.says(), 'done')
  assert.equal((await program.ended()).code, 0)
})

test('connections that nobody refers to any more are closed', { timeout: 180_000 }, async t => {
  const { home } = await daemon(t)
  const program = host(t, 'collected.mjs', [home])
  assert.equal(await program.says(), 0)
  assert.equal((await program.ended()).code, 0)
})

for (const how of ['terminate', 'close', 'exit', 'throw']) {
  test(`worker threads that embed and end by ${how} leave neither worker nor thread`, { timeout: 180_000 }, async t => {
    const program = host(t, 'threads.mjs', [how, '4'])
    const { pids, threads } = await program.says()
    assert.equal(threads, 1, 'only the main thread has a session left')
    await untilGone(pids)
    const { code, signal, errors } = await program.ended()
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, errors)
  })
}
