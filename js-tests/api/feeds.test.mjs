// Events, messages and logs as async iterators.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

import { afterwards } from '../support/folders.mjs'
import { app, testBoth, whenReady } from '../support/rewake.mjs'
import { find, rejects, within } from '../support/until.mjs'

testBoth('logs come line by line, of both streams or of one', async (t, rewake) => {
  const all = rewake.logs()
  const errors = rewake.logs({ stream: 'err' })
  await rewake.start(app('talk.cjs'), { ...whenReady, env: { GREETING: 'Grüße' } })
  const hello = await find('the greeting', all, () => true)
  assert.deepEqual([hello.type, hello.name, hello.stream, hello.line], ['log', 'talk', 'out', 'hello from 0 Grüße'])
  assert.ok(hello.at instanceof Date)
  await rewake.send('talk', { out: ['one', '', 'three'], err: ['bad'] })
  const lines = []
  await find('four lines', all, ({ stream, line }) => lines.push(`${stream} ${line}`) === 4)
  assert.deepEqual(lines.filter(line => line.startsWith('out')), ['out one', 'out ', 'out three'])
  assert.deepEqual(lines.filter(line => line.startsWith('err')), ['err bad'])
  const bad = await find('the error', errors, () => true)
  assert.deepEqual([bad.stream, bad.line], ['err', 'bad'])
})

testBoth('a subscription begins with the call and ends with the loop', async (t, rewake) => {
  const feed = rewake.events()
  await rewake.start(app('quiet.cjs'))
  const seen = []
  for await (const event of feed) {
    seen.push(event.event)
    if (event.event === 'online') break
  }
  assert.equal(seen[0], 'start')
  assert.deepEqual(await feed.next(), { done: true, value: undefined })
  assert.equal(feed.missed, 0)
})

testBoth('events and messages come in one feed, told apart by their type', async (t, rewake) => {
  const feed = rewake.events({ messages: true })
  await rewake.start(app('echo.cjs'), { ...whenReady })
  await rewake.send('echo', 'x')
  const types = new Set()
  await find('the echo', feed, item => types.add(item.type) && item.type === 'message' && item.data.echo === 'x')
  assert.deepEqual([...types].sort(), ['message', 'process'])
})

testBoth('a feed of one target has nothing of another', async (t, rewake) => {
  await rewake.start([
    { script: app('echo.cjs'), name: 'a', ...whenReady },
    { script: app('echo.cjs'), name: 'b', ...whenReady }
  ])
  const feed = rewake.messages({ target: 'b' })
  await rewake.send('a', 1)
  await rewake.send('b', 2)
  const { value } = await within('a message', feed.next())
  assert.deepEqual([value.name, value.data], ['b', { echo: 2 }])
  await rejects(rewake.messages({ target: 'nobody' }).next(), 'NOT_FOUND')
})

testBoth('an aborted signal ends what waits, with its reason', async (t, rewake) => {
  const abort = new AbortController()
  const feed = rewake.logs({ signal: abort.signal })
  const waiting = rejects(feed.next(), 'ABORTED')
  const slow = rejects(rewake.start(app('quiet.cjs'), { settleMs: 60_000, signal: abort.signal }), 'ABORTED')
  const reason = new Error('enough')
  abort.abort(reason)
  assert.equal((await waiting).cause, reason)
  assert.equal((await slow).cause, reason)
  assert.deepEqual(await feed.next(), { done: true, value: undefined })
  assert.equal((await rejects(rewake.list({ signal: abort.signal }), 'ABORTED')).cause, reason)
  await rejects(rewake.events({ signal: abort.signal }).next(), 'ABORTED')
  // The session goes on.
  await rewake.ping()
})

testBoth('many calls may share one signal without a warning, and leave no listener on it', async (t, rewake) => {
  const warnings = []
  const warn = warning => warnings.push(warning.message)
  process.on('warning', warn)
  afterwards(t, () => process.off('warning', warn))
  const { signal } = new AbortController()
  await Promise.all(Array.from({ length: 50 }, () => rewake.list({ signal })))
  const feeds = Array.from({ length: 20 }, () => rewake.events({ signal }))
  await Promise.all(feeds.map(feed => feed.return()))
  await rewake.ping()
  assert.deepEqual(warnings, [])
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

testBoth('several readers of one feed share it, and all end with it', async (t, rewake) => {
  const feed = rewake.events()
  const reads = [feed.next(), feed.next(), feed.next()]
  await rewake.start(app('quiet.cjs'))
  const first = await within('the first read', reads[0])
  assert.equal(first.value.event, 'start')
  await within('the second read', reads[1])
  await feed.return()
  await within('the third read', reads[2])
  assert.equal((await feed.next()).done, true)
})

testBoth('a reader that is far behind is told how much it missed, and costs no memory', async (t, rewake) => {
  const gaps = []
  const behind = rewake.logs({ onMissed: count => gaps.push(count) })
  const errors = rewake.logs({ stream: 'err' })
  await rewake.start(app('talk.cjs'), { ...whenReady })
  const before = process.memoryUsage().rss
  const [times, each, line] = [80, 1000, 'x'.repeat(2000)]
  for (let time = 0; time < times; time++) await rewake.send('talk', { repeat: [each, line] })
  await rewake.send('talk', { err: ['written'] })
  await find('the end of the output', errors, ({ line }) => line === 'written')
  const grown = (process.memoryUsage().rss - before) / 2 ** 20
  assert.ok(grown < 100, `grew by ${grown} MiB for 160 MB of output`)
  assert.equal(behind.missed, 0, 'nobody has come so far')

  let lines = 0
  let caughtUp = false
  const knock = async () => {
    while (!caughtUp) {
      await rewake.send('talk', { out: ['knock'] })
      await sleep(20)
    }
  }
  const knocking = knock()
  await find('a line from after the gap', behind, ({ line }) => {
    lines += 1
    return line === 'knock'
  })
  caughtUp = true
  await knocking
  assert.ok(behind.missed > 0 && lines < times * each)
  assert.equal(gaps.reduce((sum, count) => sum + count, 0), behind.missed)
})
