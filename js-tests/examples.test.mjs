// The examples run, each on its own.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { askUntil, ask, freePorts } from '../npm/scripts/support/http.mjs'
import { cli, runToEnd, shellEnv, untilNoneHas } from './support/cli.mjs'
import { temporaryFolder } from './support/folders.mjs'
import { until, within } from './support/until.mjs'

const examples = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'examples')

test('http: plain node runs it, and SIGINT ends it in order', { timeout: 180_000 }, async t => {
  const port = await freePorts(1)
  const env = { ...process.env, PORT: String(port) }
  const child = spawn(process.execPath, ['server.js'], { cwd: path.join(examples, 'http'), env, stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  const ended = new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal })))
  assert.equal((await askUntil(port, () => true)).pid, child.pid)
  child.kill('SIGINT')
  assert.deepEqual(await within('its end', ended), { code: 0, signal: null })
})

test('http: under Rewake all instances answer on one port', { timeout: 180_000 }, async t => {
  const port = await freePorts(1)
  const { home, env } = cli(t)
  const file = path.join(examples, 'http', 'ecosystem.config.js')
  const started = await runToEnd('rewake', ['start', file], { env: { ...env, PORT: String(port) } })
  assert.equal(started.code, 0, started.stderr)
  const seen = new Set()
  await until('an answer of each instance', async () => seen.add((await ask(port)).instance).size === 3)
  assert.equal((await runToEnd('rewake', ['kill'], { env })).code, 0)
  await untilNoneHas(home)
})

test('sockets: the port stays while every process is replaced', { timeout: 180_000 }, async t => {
  const port = await freePorts(1)
  const { home, env } = cli(t)
  const file = path.join(examples, 'sockets', 'ecosystem.config.js')
  const run = async (...args) => {
    const { code, stderr } = await runToEnd('rewake', args, { env: { ...env, PORT: String(port) } })
    assert.equal(code, 0, stderr)
  }
  await run('start', file)
  const before = (await ask(port)).pid
  await run('reload', 'sockets')
  assert.notEqual((await ask(port)).pid, before)
  await run('kill')
  await untilNoneHas(home)
})

test('embed: workers answer, and end with the program', { timeout: 180_000 }, async t => {
  const folder = temporaryFolder(t)
  const env = { ...shellEnv(folder), TMPDIR: folder }
  const { code, stdout, stderr } = await runToEnd(process.execPath, [path.join(examples, 'embed', 'primes.mjs')], { env })
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^workers \d+, \d+, \d+ are ready\n/)
  for (const line of ['1000000007 is a prime', '1000000008 is not a prime', '67280421310721 is a prime']) {
    assert.ok(stdout.includes(`${line}, says worker `), stdout)
  }
  assert.match(stdout, /all workers have ended\n$/)
  await untilNoneHas(folder)
})

test('typescript: it runs where this Node can, and is refused in words where it cannot', { timeout: 180_000 }, async t => {
  const folder = path.join(examples, 'typescript')
  const { home, rewake } = cli(t, folder)
  const { code, stderr } = await rewake('start', 'ecosystem.config.json')
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 22 || (major === 22 && minor < 6)) {
    assert.equal(code, 1)
    assert.match(stderr, /error: .*clock\.ts|TypeScript/)
    return
  }
  assert.equal(code, 0, stderr)
  const log = path.join(home, 'logs', 'clock-out.log')
  await until('its second beat', () => fs.existsSync(log) && /^2: \d{4}-/m.test(fs.readFileSync(log, 'utf8')))
})
