// Closing an http2 server loses no request.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'

import { EARLY_MS, GRACE_MS, LATE_MS, connection, onEachNode, serve } from './support.mjs'
import { afterwards } from '../support/folders.mjs'
import { until, within } from '../support/until.mjs'

// What a GOAWAY names as the last stream that is taken, when all are.
const EVERY_STREAM = 2 ** 31 - 1

async function session(t, url) {
  const it = { session: http2.connect(url, { rejectUnauthorized: false }), told: undefined, endedAt: undefined }
  it.session.on('goaway', (code, last) => (it.told ??= { code, last }))
  it.session.on('error', () => {}).on('close', () => (it.endedAt = Date.now()))
  afterwards(t, () => it.session.destroy())
  // Sent by the server itself: before, the connection may still be waiting to be accepted.
  await within('the settings', once(it.session, 'remoteSettings'))
  return it
}

/** One request: its whole body. */
function get({ session }, path) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path })
    let body = ''
    stream.setEncoding('latin1').on('data', text => (body += text))
    stream.on('error', reject)
    stream.on('close', () => resolve(body))
  })
}

/** Requests without a pause, for as long as the session may be used. */
async function hammer(it, path, asked) {
  while (!it.session.closed && !it.session.destroyed) {
    asked.count++
    const body = await get(it, path).catch(error => {
      // Not sent any more: this client had read the notice, which takes all that were sent, and its program not yet.
      if (it.told?.last === EVERY_STREAM && error.code === 'ERR_HTTP2_STREAM_ERROR') return 'ok'
      throw error
    })
    assert.equal(body, 'ok')
  }
}

onEachNode('an http2 server that is closed under load fails no request', async (t, node) => {
  const server = await serve(t, node, 'h2c')
  const sessions = await Promise.all(Array.from({ length: 6 }, () => session(t, `http://127.0.0.1:${server.port}`)))
  const asked = { count: 0 }
  const all = Promise.all(sessions.flatMap(it => ['/quick', '/quick', '/later', '/later'].map(path => hammer(it, path, asked))))
  await until('traffic', () => asked.count > 2000)
  await server.close()
  await all
  assert.deepEqual(sessions.map(({ told }) => told), sessions.map(() => ({ code: 0, last: EVERY_STREAM })))
  await server.endsByItself()
})

for (const [kind, scheme] of [['h2c', 'http'], ['h2', 'https']]) {
  onEachNode(`streams in flight end, and idle sessions too: ${kind}`, async (t, node) => {
    const server = await serve(t, node, kind)
    const url = `${scheme}://127.0.0.1:${server.port}`
    // The first session of a server is told like every other.
    const [first, second] = [await session(t, url), await session(t, url)]
    const [held, started] = [get(first, '/held'), get(second, '/started')]
    await until('both requests', async () => (await server.says('held')) === 2)
    const idle = await session(t, url)
    await server.close()
    // No time passes: the notice is enough.
    await until('the end of the idle session', () => idle.endedAt)
    await until('the goaway', () => first.told && second.told)
    server.send('answer')
    assert.deepEqual(await Promise.all([held, started]), ['held', 'started and ended'])
    await until('the end of both', () => first.endedAt && second.endedAt)
    await server.endsByItself()
  })
}

onEachNode('a client that does not heed the notice is closed when the grace is over', async (t, node) => {
  const server = await serve(t, node, 'h2c')
  const deaf = await connection(t, server.port)
  // The preface and empty settings: a client that never reads what it is told.
  deaf.socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')
  await until('the settings', () => deaf.received.length > 0)
  await server.close()
  assert.equal(await server.pass(GRACE_MS - EARLY_MS), 1)
  assert.equal(await server.pass(EARLY_MS + LATE_MS), 0)
  await until('the end', () => deaf.endedAt)
  await server.endsByItself()
})
