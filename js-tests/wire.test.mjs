// docs/wire.md is true: each client frame of it is sent to a real daemon, and each server frame is one that comes.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { app } from './support/rewake.mjs'
import { cli } from './support/cli.mjs'
import { within } from './support/until.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const page = fs.readFileSync(path.join(root, 'docs', 'wire.md'), 'utf8')
const frames = [...page.matchAll(/^```json (client|server)\n(.*)\n```$/gm)].map(([, side, text]) => ({ side, text }))

/** A client as the page describes it, in plain Node. */
function connect(t, home) {
  const socket = net.connect(path.join(home, 'rpc.sock'))
  t.after(() => socket.destroy())
  let bytes = Buffer.alloc(0)
  const come = []
  const waiting = []
  socket.on('data', chunk => {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      const end = 4 + bytes.readUInt32BE(0)
      come.push(JSON.parse(bytes.toString('utf8', 4, end)))
      bytes = bytes.subarray(end)
    }
    while (come.length > 0 && waiting.length > 0) waiting.shift()(come.shift())
  })
  return {
    send(text) {
      const body = Buffer.from(text)
      const head = Buffer.alloc(4)
      head.writeUInt32BE(body.length)
      socket.write(Buffer.concat([head, body]))
    },
    next: () => new Promise(resolve => (come.length > 0 ? resolve(come.shift()) : waiting.push(resolve)))
  }
}

/** Checks that `actual` has whatever `shown` has, with values of the same type; texts of one word must be the same. */
function fits(actual, shown, at = '') {
  if (shown === null) return
  assert.equal(Array.isArray(actual), Array.isArray(shown), `${at} of ${JSON.stringify(actual)}`)
  assert.equal(typeof actual, typeof shown, `${at}: ${JSON.stringify(actual)}`)
  if (typeof shown === 'object') for (const key of Object.keys(shown)) fits(actual?.[key], shown[key], `${at}.${key}`)
  else if (typeof shown === 'string' && /^[a-zA-Z_]+$/.test(shown) && !at.endsWith('.user')) assert.equal(actual, shown, at)
}

test('a shape is compared, and a wrong one is noticed', () => {
  fits({ a: [{ b: 2, c: 'stop', d: '/x' }], e: 1 }, { a: [{ b: 1, c: 'stop', d: '/y' }] })
  for (const shown of [{ a: 'text' }, { a: [{}, {}] }, { b: 1 }, { a: [{ c: 'start' }] }]) {
    assert.throws(() => fits({ a: [{ c: 'stop' }] }, shown))
  }
})

test('every frame of docs/wire.md', { timeout: 180_000 }, async t => {
  assert.ok(frames.length > 15, 'the page has lost its frames')
  const { home, rewake } = cli(t)
  const started = await rewake('start', app('got.cjs'), '--name', 'web', '--wait-ready', '--listen-timeout', '60000')
  assert.equal(started.code, 0, started.stderr)
  const client = connect(t, home)
  // Items come when they come: an answer may be before or behind them.
  const others = []
  for (const { side, text } of frames) {
    if (side === 'client') {
      client.send(text)
      continue
    }
    const shown = JSON.parse(text)
    const isMeant = frame => Object.keys(frame)[0] === Object.keys(shown)[0] && !isOtherItem(frame, shown)
    let frame = others.splice(others.findIndex(isMeant) >>> 0, 1)[0]
    while (!frame) {
      const next = await within(`an answer like ${text}`, client.next())
      if (isMeant(next)) frame = next
      else others.push(next)
    }
    fits(frame, shown)
  }
})

function isOtherItem(frame, shown) {
  return 'items' in shown && Object.keys(frame.items.items[0])[0] !== Object.keys(shown.items.items[0])[0]
}
