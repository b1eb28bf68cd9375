// Log files read from a program: what they hold, what is chosen, and readers that are slow or leave.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { temporaryFolder } from '../support/folders.mjs'
import { app, daemon, testBoth, whenReady } from '../support/rewake.mjs'
import { find, rejects, until, within } from '../support/until.mjs'

/** An app that talks when it is told to, with log files of its own. */
async function talker(t, rewake, name = 'talk') {
  const folder = temporaryFolder(t)
  const files = { out_file: path.join(folder, `${name}.out`), error_file: path.join(folder, `${name}.err`) }
  await rewake.start({ script: app('talk.cjs'), name, ...whenReady, ...files })
  // The file comes into being with its first line, which may be later than the app's word that it is ready.
  const read = () => (fs.existsSync(files.out_file) ? fs.readFileSync(files.out_file, 'utf8') : '')
  const written = text => until(`${text} in the log`, () => read().includes(text))
  return { ...files, say: async lines => { await rewake.send(name, { out: lines }); await written(lines.at(-1)) } }
}

async function all(feed) {
  const lines = []
  for await (const { line } of feed) lines.push(line)
  return lines
}

testBoth('what the files hold comes first, then what is written', async (t, rewake) => {
  const { say } = await talker(t, rewake)
  await say(['one', 'two'])
  const feed = rewake.logs({ target: 'talk', stream: 'out', lines: 2 })
  const next = async () => (await within('a line', feed.next())).value
  assert.equal((await next()).line, 'one')
  const two = await next()
  assert.deepEqual([two.type, two.name, two.stream, two.line, two.at], ['log', 'talk', 'out', 'two', undefined])
  await say(['three'])
  const three = await next()
  assert.equal(three.line, 'three')
  assert.ok(three.at instanceof Date)
  await rewake.restart('talk')
  assert.match((await next()).line, /^hello/)
  await feed.return()
  assert.equal((await feed.next()).done, true)
})

testBoth('without following it ends; lines are chosen by time, level and text', async (t, rewake) => {
  const { say } = await talker(t, rewake)
  const at = minutes => new Date(Date.now() - minutes * 60_000)
  const line = (minutes, level, msg) => JSON.stringify({ level, time: at(minutes).getTime(), msg })
  const lines = [line(90, 30, 'old'), line(30, 50, 'bad'), line(1, 30, 'fine')]
  await say(lines)
  const read = options => all(rewake.logs({ target: 'talk', stream: 'out', follow: false, ...options }))
  assert.deepEqual(await read({ since: '1h' }), lines.slice(1))
  assert.deepEqual(await read({ since: at(60), until: at(10) }), lines.slice(1, 2))
  assert.deepEqual(await read({ since: at(120).getTime(), lines: 1 }), lines.slice(2))
  assert.deepEqual(await read({ level: 'error' }), lines.slice(1, 2))
  assert.deepEqual(await read({ level: 50 }), lines.slice(1, 2))
  assert.deepEqual(await read({ grep: /"msg":"(OLD|fine)"/i }), [lines[0], lines[2]])
  assert.deepEqual(await read({ grep: 'no such thing' }), [])
  const [{ at: time }] = await Promise.all([rewake.logs({ target: 'talk', follow: false, grep: 'old' }).next().then(({ value }) => value)])
  assert.ok(Math.abs(time - at(90)) < 60_000, `${time}`)
})

testBoth('what is written from now on is chosen without any file', async (t, rewake) => {
  await rewake.start(app('talk.cjs'), { ...whenReady })
  const feed = rewake.logs({ target: 'talk', grep: /^wanted/, level: 'warn' })
  // The subscription has begun when what was asked after it is answered.
  await rewake.ping()
  await rewake.send('talk', { out: ['wanted [info] no', 'other [error]', 'wanted [error] yes'] })
  const { line } = await find('a line', feed, () => true)
  assert.equal(line, 'wanted [error] yes')
  await feed.return()
})

testBoth('wishes that mean nothing are refused', async (t, rewake) => {
  await rewake.start(app('quiet.cjs'))
  for (const wish of [{ since: 'soonish' }, { level: 'loud' }, { grep: '(' }, { grep: /(?=x)/ }]) {
    const error = await rejects(rewake.logs({ follow: false, ...wish }).next(), 'BAD_REQUEST')
    assert.ok(error.hint, error.message)
  }
  await rejects(rewake.logs({ target: 'nobody', lines: 1 }).next(), 'NOT_FOUND')
  for (const wish of [{ lines: -1 }, { since: {} }, { grep: /x/y }, { follow: 'no' }]) {
    assert.throws(() => rewake.logs(wish), { code: 'BAD_REQUEST' })
  }
})

testBoth('a reader that stops delays nobody, misses nothing, and costs no memory', async (t, rewake) => {
  const { out_file } = await talker(t, rewake)
  const feed = rewake.logs({ target: 'talk', stream: 'out', lines: 1 })
  assert.match((await within('the first line', feed.next())).value.line, /^hello/)
  const before = process.memoryUsage().rss
  const [times, each, line] = [16, 1000, 'x'.repeat(2000)]
  for (let time = 0; time < times; time++) await rewake.send('talk', { repeat: [each, line] })
  await rewake.send('talk', { out: ['the end'] })
  await until('all to be written', () => fs.statSync(out_file).size >= times * each * 2001)
  const grown = (process.memoryUsage().rss - before) / 2 ** 20
  assert.ok(grown < 24, `grew by ${grown} MiB`)
  let lines = 0
  await find('the end', feed, ({ line: text }) => {
    if (text === 'the end') return true
    lines += text === line
    return false
  })
  assert.equal(lines, times * each)
  assert.equal(feed.missed, 0)
  await feed.return()
})

test('leaving the loop ends the thread that reads, and so does an aborted signal', { timeout: 180_000 }, async t => {
  const rewake = await daemon(t)
  const { say } = await talker(t, rewake)
  await say(['one'])
  const threads = () => fs.readdirSync('/proc/self/task').filter(id => {
    try {
      return fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8') === 'rewake-read\n'
    } catch {
      return false
    }
  }).length
  const abort = new AbortController()
  const aborted = rewake.logs({ lines: 1, signal: abort.signal })
  await within('a line', aborted.next())
  for await (const { line } of rewake.logs({ target: 'talk', stream: 'out', lines: 1 })) {
    assert.equal(line, 'one')
    assert.equal(threads(), 2)
    break
  }
  abort.abort()
  await rejects(aborted.next(), 'ABORTED')
  await until('the end of the threads', () => threads() === 0)
})
