// Opening, closing, and what happens to calls when the other side goes.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { connect, embed } from '../../npm/rewake/index.mjs'
import { afterwards, temporaryFolder } from '../support/folders.mjs'
import { host } from '../support/host.mjs'
import { parentOf, untilGone } from '../support/processes.mjs'
import { app, daemon, testBoth, whenReady } from '../support/rewake.mjs'
import { find, rejects, within } from '../support/until.mjs'

const asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

testBoth('a closed Rewake refuses calls, and closing twice is fine', async (t, rewake) => {
  const feed = rewake.events()
  await rewake.ping()
  const reading = feed.next()
  await within('the close', rewake.close())
  assert.equal((await within('the end of the feed', reading)).done, true)
  await rejects(rewake.list(), 'CLOSED')
  await rejects(rewake.events().next(), 'CLOSED')
  await rewake.close()
  await rewake[asyncDispose]()
  if (rewake.embedded) await rewake.shutdown()
  else await rejects(rewake.shutdown(), 'CLOSED')
})

test('closing a connection leaves the daemon and its apps alone', async t => {
  const rewake = await daemon(t)
  const [slot] = await rewake.start(app('quiet.cjs'))
  const other = await connect({ home: rewake.home })
  assert.equal(other.embedded, false)
  assert.deepEqual(other.daemon, rewake.daemon)
  await other.close()
  assert.equal((await rewake.list())[0].pid, slot.pid)
})

test('disposing of an embedded Rewake stops its workers gracefully', async () => {
  const rewake = await embed()
  assert.deepEqual([rewake.embedded, rewake.home, rewake.daemon], [true, undefined, undefined])
  const [{ pid }] = await rewake.start(app('quiet.cjs'))
  await within('the end', rewake[asyncDispose]())
  await untilGone([pid])
})

test('two engines in one program know nothing of each other', async t => {
  const [a, b] = await Promise.all([embed(), embed()])
  afterwards(t, () => Promise.all([a.close(), b.close()]))
  await a.start(app('quiet.cjs'))
  assert.deepEqual(await b.list(), [])
  await b.close()
  assert.equal((await a.list())[0].status, 'online')
})

test('many that connect at once share one daemon', async t => {
  const home = temporaryFolder(t)
  const all = await Promise.all(Array.from({ length: 8 }, () => connect({ home })))
  afterwards(t, () => all[0].shutdown())
  assert.equal(new Set(all.map(({ daemon }) => daemon.pid)).size, 1)
  await Promise.all(all.slice(1).map(rewake => rewake.close()))
})

test('REWAKE_HOME names the home', async t => {
  const home = temporaryFolder(t)
  const before = process.env.REWAKE_HOME
  process.env.REWAKE_HOME = home
  afterwards(t, () => (before === undefined ? delete process.env.REWAKE_HOME : (process.env.REWAKE_HOME = before)))
  const rewake = await connect()
  afterwards(t, () => rewake.shutdown())
  assert.equal(rewake.home, home)
})

test('a home that cannot be is refused', async t => {
  const folder = temporaryFolder(t)
  const [file, home] = [path.join(folder, 'file'), path.join(folder, 'home')]
  fs.writeFileSync(file, '')
  await rejects(connect({ home: path.join(file, 'home') }), 'UNREACHABLE')
  await rejects(connect({ home: '' }), 'BAD_REQUEST')
  await rejects(connect({ home, signal: AbortSignal.abort() }), 'ABORTED')
  assert.equal(fs.existsSync(home), false, 'an aborted call starts nothing')
  await rejects(embed({ signal: AbortSignal.abort() }), 'ABORTED')
})

test('what waits for a daemon that is shut down is told', async t => {
  const rewake = await daemon(t)
  const other = await connect({ home: rewake.home })
  afterwards(t, () => other.close())
  const feed = other.events()
  await other.ping()
  const ended = find('the end', feed, () => false).then(() => undefined, error => error)
  await rewake.shutdown()
  await rewake.shutdown()
  const error = await within('the end of the feed', ended)
  assert.match(error.code, /UNREACHABLE|SHUTTING_DOWN/)
})

test('a killed daemon comes back, and the same object goes on with it', async t => {
  const rewake = await daemon(t)
  const [slot] = await rewake.start(app('quiet.cjs'))
  process.kill(rewake.daemon.pid, 'SIGKILL')
  await untilGone([rewake.daemon.pid])
  const [after] = await within('the list of the next daemon', rewake.list())
  assert.deepEqual([after.pid, after.run], [slot.pid, slot.run])
  const feed = rewake.events()
  await rewake.restart('quiet')
  await find('the restart', feed, ({ event }) => event === 'online')
})

test('scripts find a Node where PATH has none, and embedded they run on their host\'s', async t => {
  const rewake = await daemon(t)
  for (const [where, PATH, own] of [
    ['embed', '/nonexistent', true],
    ['embed', process.env.PATH, true],
    [rewake.home, '/nonexistent', true],
    [rewake.home, `${path.dirname(process.execPath)}:/bin`, false]
  ]) {
    const program = host(t, 'own-node.mjs', [where], { PATH })
    const { exe, ...said } = await program.says()
    assert.deepEqual(said, { status: 'online', interpreter: own ? exe : 'node', path: PATH })
    assert.equal((await program.ended()).code, 0)
  }
})

test('an embedded engine whose keeper is killed says so, and leaves no worker', async () => {
  const rewake = await embed()
  const messages = rewake.messages()
  const [slot] = await rewake.start(app('stubborn.cjs'), { ...whenReady, killTimeout: 100 })
  const { data } = await find('the child', messages, ({ data }) => data?.child)
  const ended = find('the end', messages, () => false).then(() => undefined, error => error)
  process.kill(parentOf(slot.pid), 'SIGKILL')
  assert.equal((await within('the end of the feed', ended)).code, 'UNREACHABLE')
  await rejects(rewake.list(), 'CLOSED')
  await untilGone([slot.pid, data.child])
  await rewake.close()
})
