// `npm start`: it shows what it promises, and leaves nothing behind.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { ask } from '../npm/scripts/support/http.mjs'
import { runToEnd, untilNoneHas } from './support/cli.mjs'
import { temporaryFolder } from './support/folders.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

/** Runs it with what is built, in a folder for temporary files of its own. */
async function start(t, ...args) {
  const folder = temporaryFolder(t)
  const env = { ...process.env, TMPDIR: folder }
  const script = path.join(root, 'npm', 'scripts', 'start.mjs')
  return { folder, env, ...(await runToEnd(process.execPath, [script, '--no-build', ...args], { cwd: root, env })) }
}

test('npm start shows three instances, a kill, a reload and the list, and stops everything', { timeout: 240_000 }, async t => {
  const { folder, code, stdout, stderr } = await start(t)
  assert.equal(code, 0, stdout + stderr)
  for (const instance of [0, 1, 2]) assert.match(stdout, new RegExp(`/hello: instance ${instance}, process \\d+`))
  assert.match(stdout, /process \d+ answers in its place, \d+ ms after the kill/)
  const [, answered, failed] = /3 instances reloaded in \d+ ms: (\d+) requests answered, (\d+) failed/.exec(stdout)
  assert.ok(Number(answered) > 0 && Number(failed) === 0, stdout)
  assert.equal(stdout.match(/│ http +│.*│ online +│/g)?.length, 6, 'the list after start, and at the end')
  assert.match(stdout, /GET \/busy by \d+/)
  assert.match(stdout, /npm start -- --keep/)
  await untilNoneHas(folder)
  assert.deepEqual(fs.readdirSync(folder), [])
})

test('npm start -- --keep leaves it running and says how to end it', { timeout: 240_000 }, async t => {
  const { folder, env, code, stdout, stderr } = await start(t, '--keep')
  const [, home] = /export REWAKE_HOME=(\S+)/.exec(stdout) ?? assert.fail(stdout + stderr)
  const [, bin] = /export PATH=([^:]+):/.exec(stdout)
  const rewake = path.join(bin, 'rewake')
  const end = () => runToEnd(rewake, ['kill'], { env: { ...env, REWAKE_HOME: home } })
  t.after(end)
  assert.equal(code, 0, stdout + stderr)
  const [, port] = /curl http:\/\/127\.0\.0\.1:(\d+)\//.exec(stdout)
  assert.match((await ask(Number(port))).instance, /^[012]$/)
  assert.equal((await end()).code, 0)
  await untilNoneHas(folder)
})

test('npm start fails when something does not work', { timeout: 240_000 }, async t => {
  const folder = temporaryFolder(t)
  // Nothing can be written there: no home, no daemon.
  const env = { ...process.env, TMPDIR: path.join(folder, 'missing') }
  const script = path.join(root, 'npm', 'scripts', 'start.mjs')
  const { code, stderr } = await runToEnd(process.execPath, [script, '--no-build'], { cwd: root, env })
  assert.equal(code, 1)
  assert.match(stderr, /^npm start: /m)
})
