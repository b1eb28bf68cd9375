// Starting, stopping and looking, on the daemon and embedded.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { afterwards, temporaryFolder } from '../support/folders.mjs'
import { isAlive, untilGone } from '../support/processes.mjs'
import { app, testBoth, whenReady } from '../support/rewake.mjs'
import { find, rejects, until } from '../support/until.mjs'

testBoth('a script is started, listed, stopped, started again and deleted', async (t, rewake) => {
  const [slot] = await rewake.start(app('quiet.cjs'))
  assert.equal(slot.name, 'quiet')
  assert.equal(slot.status, 'online')
  assert.ok(isAlive(slot.pid))
  assert.ok(slot.startedAt instanceof Date && Math.abs(Date.now() - slot.startedAt) < 60_000)
  assert.equal(slot.app.script, app('quiet.cjs'))
  assert.equal(slot.app.execMode, 'fork')

  const [listed] = await until('the process to have memory', async () => {
    const slots = await rewake.list()
    return slots[0].memory > 1 << 20 && slots
  })
  assert.equal(listed.pid, slot.pid)

  const [stopped] = await rewake.stop('quiet')
  assert.equal(stopped.status, 'stopped')
  assert.equal(stopped.pid, undefined)
  assert.equal(isAlive(slot.pid), false)

  const [again] = await rewake.start('quiet')
  assert.equal(again.id, slot.id)
  assert.notEqual(again.pid, slot.pid)

  assert.equal(await rewake.delete(slot.id), undefined)
  assert.equal(isAlive(again.pid), false)
  assert.deepEqual(await rewake.list(), [])
})

testBoth('a restart gives another process with another run', async (t, rewake) => {
  const [before] = await rewake.start({ script: app('quiet.cjs'), name: 'web', namespace: 'site' })
  const [after] = await rewake.restart('site')
  assert.equal(after.id, before.id)
  assert.notEqual(after.pid, before.pid)
  assert.ok(after.run > before.run)
  assert.equal(after.restarts, 1)
  assert.equal(isAlive(before.pid), false)
  assert.equal((await rewake.reset('web'))[0].restarts, 0)
})

testBoth('a worker that crashes comes back, and the crash is told', async (t, rewake) => {
  const events = rewake.events()
  const [before] = await rewake.start(app('crash.cjs'), { ...whenReady })
  await rewake.send(before.id, { exit: 3 })
  const exit = await find('the exit', events, ({ event }) => event === 'exit')
  assert.equal(exit.type, 'process')
  assert.deepEqual([exit.id, exit.run, exit.exit.code, exit.exit.signal], [before.id, before.run, 3, undefined])
  assert.ok(exit.at instanceof Date && exit.exit.at instanceof Date)
  const back = await find('the next start', events, ({ event, run }) => event === 'online' && run !== before.run)
  assert.notEqual(back.pid, before.pid)
  const [slot] = await rewake.describe('crash')
  assert.deepEqual([slot.restarts, slot.lastExit.code], [1, 3])

  await rewake.send(before.id, { signal: 'SIGKILL' })
  const killed = await find('the second exit', events, ({ event }) => event === 'exit')
  assert.deepEqual([killed.exit.code, killed.exit.signal], [undefined, 'SIGKILL'])
})

testBoth('several apps and instances are started at once, each with its number', async (t, rewake) => {
  const slots = await rewake.start([
    { script: app('talk.cjs'), name: 'a', instances: 2, exec_mode: 'fork', ...whenReady },
    { script: app('quiet.cjs'), name: 'b' }
  ])
  assert.deepEqual(slots.map(({ name, instance }) => [name, instance]), [['a', 0], ['a', 1], ['b', 0]])
  assert.equal(new Set(slots.map(slot => slot.pid)).size, 3)
  assert.deepEqual((await rewake.list()).map(slot => slot.id), slots.map(slot => slot.id))
})

testBoth('an ecosystem file is started, and started again it replaces', async (t, rewake) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'ecosystem.config.cjs')
  const write = greeting =>
    fs.writeFileSync(
      file,
      `module.exports = { apps: [{ name: 'web', script: ${JSON.stringify(app('talk.cjs'))}, env: { GREETING: '${greeting}' }, env_test: { MORE: 'x' } }] }`
    )
  write('one')
  const [before] = await rewake.start(file)
  assert.equal((await rewake.env('web'))[before.id].GREETING, 'one')
  write('two')
  const [after] = await rewake.start(file, { envName: 'test' })
  assert.equal(after.id, before.id)
  assert.notEqual(after.pid, before.pid)
  const env = (await rewake.env(after.id))[after.id]
  assert.deepEqual([env.GREETING, env.MORE], ['two', 'x'])
})

testBoth('the environment of a start is the caller\'s with the app\'s over it', async (t, rewake) => {
  process.env.REWAKE_TEST_CALLER = 'from the caller'
  afterwards(t, () => delete process.env.REWAKE_TEST_CALLER)
  const [slot] = await rewake.start(app('quiet.cjs'), { env: { PORT: 8080, EMPTY: '' } })
  const seen = Object.fromEntries(
    fs.readFileSync(`/proc/${slot.pid}/environ`, 'utf8').split('\0').filter(Boolean).map(line => line.split(/=(.*)/s).slice(0, 2))
  )
  assert.deepEqual([seen.REWAKE_TEST_CALLER, seen.PORT, seen.EMPTY], ['from the caller', '8080', ''])
  const [after] = await rewake.restart('quiet', { updateEnv: { PORT: 9090 } })
  const env = (await rewake.env('quiet'))[after.id]
  assert.deepEqual([env.PORT, env.REWAKE_TEST_CALLER], ['9090', 'from the caller'])
  process.env.REWAKE_TEST_CALLER = 'changed'
  await rewake.restart('quiet', { updateEnv: true })
  assert.equal((await rewake.env('quiet'))[after.id].REWAKE_TEST_CALLER, 'changed')
})

testBoth('a signal reaches the process', async (t, rewake) => {
  const messages = rewake.messages()
  await rewake.start(app('signals.cjs'), { ...whenReady })
  await rewake.signal('signals', 'SIGUSR2')
  await find('the signal', messages, ({ data }) => data?.got === 'SIGUSR2')
})

testBoth('a stop ends also what the process started and will not end by itself', async (t, rewake) => {
  const messages = rewake.messages()
  const [slot] = await rewake.start(app('stubborn.cjs'), { ...whenReady, killTimeout: 200 })
  const { data } = await find('the child', messages, ({ data }) => data?.child)
  await rewake.stop('all')
  await untilGone([slot.pid, data.child])
})

testBoth('refusals have codes, and change nothing else', async (t, rewake) => {
  const error = await rejects(rewake.stop('nobody'), 'NOT_FOUND')
  assert.match(error.message, /nobody/)
  await rejects(rewake.describe('nobody'), 'NOT_FOUND')
  await rejects(rewake.start(99), 'NOT_FOUND')
  await rejects(rewake.start('./no-such-file.js'), 'BAD_CONFIG')
  const typo = await rejects(rewake.start({ script: app('quiet.cjs'), kill_timout: 1 }), 'BAD_CONFIG')
  assert.match(typo.hint, /kill_timeout/)
  await rejects(rewake.start(), 'BAD_REQUEST')
  await rejects(rewake.stop(), 'BAD_REQUEST')
  await rejects(rewake.stop(-1), 'BAD_REQUEST')
  await rejects(rewake.send('x', undefined), 'BAD_REQUEST')
  await rejects(rewake.send('x', 1n), 'BAD_REQUEST')
  await rejects(rewake.start('x', { whenKnown: 'never' }), 'BAD_REQUEST')

  const [slot] = await rewake.start(app('quiet.cjs'))
  await rejects(rewake.start(app('quiet.cjs')), 'ALREADY_RUNNING')
  assert.equal((await rewake.start(app('quiet.cjs'), { whenKnown: 'beside' })).length, 1)
  assert.equal((await rewake.describe(slot.id))[0].pid, slot.pid)
  await rejects(rewake.signal('quiet', 'SIGNOTHING'), 'BAD_REQUEST')
  await rewake.stop('quiet')
  const failed = await rejects(rewake.signal('quiet', 'SIGUSR2'), 'NOT_RUNNING')
  assert.equal(failed.slots.length, 2)
  assert.equal(failed.slots[0].error.code, 'NOT_RUNNING')
})

testBoth('a process that ends before it has settled fails its start', async (t, rewake) => {
  const error = await rejects(rewake.start(app('broken.cjs'), { settleMs: 60_000, autorestart: false }), 'EXITED_EARLY')
  assert.match(error.message, /7/)
  const [slot] = await until('the slot to be down', async () => {
    const slots = await rewake.describe('broken')
    return slots[0].status === 'stopped' && slots
  })
  assert.equal(slot.lastExit.code, 7)
})
