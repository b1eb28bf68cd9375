// Closing an http or https server loses no request.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import https from 'node:https'
import tls from 'node:tls'

import { EARLY_MS, GRACE_MS, LATE_MS, client, connection, hammer, onEachNode, serve } from './support.mjs'
import { until, within } from '../support/until.mjs'

const request = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
const insecure = { module: https, rejectUnauthorized: false }

/** Clients of every pace, some without a pause, some that think almost as long as the grace. */
async function closedUnderLoad(t, node, kind, options) {
  const server = await serve(t, node, kind, { realClock: true })
  const asked = { count: 0 }
  const clients = Array.from({ length: 24 }, (_, at) => {
    const { get } = client(t, server.port, options)
    const path = at % 2 === 0 ? '/quick' : '/later'
    return hammer(() => (asked.count++, get(path)), () => (at < 12 ? 0 : Math.random() * 400))
  })
  const all = Promise.all(clients)
  await until('traffic', () => asked.count > 2000)
  await server.close()
  const answered = await all
  assert.ok(answered.every(count => count > 0))
  await server.endsByItself()
}

onEachNode('an http server that is closed under keep-alive load fails no request', (t, node) => closedUnderLoad(t, node, 'http'))

onEachNode('an https server that is closed under keep-alive load fails no request', (t, node) => closedUnderLoad(t, node, 'https', insecure))

onEachNode('http/1 on an http2 server that is closed under load fails no request', async (t, node) => {
  // Node 18 does not know the http/1 connections of its http2 servers.
  if (/^v18\./.test(execFileSync(node, ['-v']))) return t.skip()
  await closedUnderLoad(t, node, 'h2', insecure)
})

onEachNode('an idle connection is cut when its grace is over, and not before', async (t, node) => {
  const server = await serve(t, node, 'http')
  const [idle, silent] = [await connection(t, server.port), await connection(t, server.port)]
  idle.socket.write(request('/quick'))
  await until('an answer', () => idle.received.endsWith('ok'))
  await server.close()
  // One was answered, the other never asked.
  assert.equal(await server.pass(GRACE_MS - EARLY_MS), 2)
  assert.equal(await server.pass(EARLY_MS + LATE_MS), 0)
  await until('the end of both', () => idle.endedAt && silent.endedAt)
  await server.endsByItself()
})

onEachNode('a TLS connection that never asked is cut when its grace is over', async (t, node) => {
  const server = await serve(t, node, 'https')
  const silent = tls.connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false })
  t.after(() => silent.destroy())
  await within('the handshake', once(silent, 'secureConnect'))
  await server.close()
  const ended = once(silent, 'close')
  silent.resume()
  assert.equal(await server.pass(GRACE_MS - EARLY_MS), 1)
  assert.equal(await server.pass(EARLY_MS + LATE_MS), 0)
  await within('the end', ended)
  await server.endsByItself()
})

onEachNode('an answer that is being made at the close says that it is the last', async (t, node) => {
  const server = await serve(t, node, 'http')
  const [held, started] = [client(t, server.port).get('/held'), client(t, server.port).get('/started')]
  await until('both requests', async () => (await server.says('held')) === 2)
  await server.close()
  server.send('answer')
  const { body, headers } = await held
  assert.deepEqual([body, headers.connection], ['held', 'close'])
  // Its head was sent before.
  assert.equal((await started).body, 'started and ended')
  assert.equal(await server.pass(GRACE_MS + LATE_MS), 0)
  await server.endsByItself()
})

onEachNode('an answer that ends after the grace has its connection spared for a grace of its own', async (t, node) => {
  const server = await serve(t, node, 'http')
  const [long, idle] = [await connection(t, server.port), await connection(t, server.port)]
  long.socket.write(request('/started'))
  await server.says('held')
  await server.close()
  assert.equal(await server.pass(GRACE_MS + LATE_MS), 1)
  await until('the end of the other', () => idle.endedAt)
  server.send('answer')
  await until('the answer', () => long.received.includes('and ended'))
  assert.equal(await server.pass(GRACE_MS - EARLY_MS), 1)
  long.received = ''
  long.socket.write(request('/quick'))
  await until('the end', () => long.endedAt)
  assert.match(long.received, /^HTTP\/1.1 200 OK\r\n(.*\r\n)*Connection: close\r\n[^]*ok$/)
  await server.endsByItself()
})

onEachNode('an answer that the network has not taken yet is not cut', async (t, node) => {
  const server = await serve(t, node, 'http')
  const [slow, idle] = [await connection(t, server.port), await connection(t, server.port)]
  slow.socket.once('data', () => slow.socket.pause())
  slow.socket.write(request('/big'))
  await until('its beginning', () => slow.received.length > 0)
  await server.close()
  assert.equal(await server.pass(GRACE_MS + LATE_MS), 1)
  await until('the end of the other', () => idle.endedAt)
  slow.socket.resume()
  await until('all of it', () => slow.received.endsWith('x') && slow.received.length > 16 << 20)
  assert.equal(await server.pass(GRACE_MS + LATE_MS), 0)
  await until('its end', () => slow.endedAt)
  await server.endsByItself()
})

onEachNode('every answer after the close says so, whatever the app says of the connection', async (t, node) => {
  const paths = ['/set', '/object', '/reason', '/nothing', '/list', '/removed']
  const server = await serve(t, node, 'http')
  const clients = paths.map(() => client(t, server.port))
  await Promise.all(clients.map(({ get }) => get('/quick')))
  await server.close()
  const answers = await Promise.all(clients.map(({ get }, at) => get(paths[at])))
  assert.deepEqual(
    answers.map(({ headers, body }, at) => [paths[at], headers.connection, headers['x-other'], body]),
    paths.map(path => [path, 'close', 'kept', 'ok'])
  )
  await server.endsByItself()
})

onEachNode('requests that were sent without waiting are all answered', async (t, node) => {
  const server = await serve(t, node, 'http')
  const [before, after] = [await connection(t, server.port), await connection(t, server.port)]
  before.socket.write(request('/held') + request('/later'))
  after.socket.write(request('/quick'))
  await server.says('held')
  await until('an answer', () => after.received.endsWith('ok'))
  await server.close()
  after.socket.write(request('/later') + request('/later') + request('/later'))
  server.send('answer')
  await until('the answers', () => before.received.endsWith('ok'))
  await until('the end of the other', () => after.endedAt)
  assert.equal(await server.pass(GRACE_MS + LATE_MS), 0)
  await until('the end', () => before.endedAt)
  assert.equal(before.received.match(/HTTP\/1.1 200 OK/g).length, 2)
  assert.deepEqual(after.received.match(/Connection: [-a-z]+/g).slice(1), ['Connection: keep-alive', 'Connection: keep-alive', 'Connection: close'])
  await server.endsByItself()
})

onEachNode('upgraded connections are left alone', async (t, node) => {
  const server = await serve(t, node, 'http')
  const [upgraded, idle] = [await connection(t, server.port), await connection(t, server.port)]
  upgraded.socket.write(request('/', 'Connection: Upgrade\r\nUpgrade: echo\r\n'))
  await until('the upgrade', () => upgraded.received.includes('101'))
  await server.close()
  await server.pass(GRACE_MS + LATE_MS)
  await until('the end of the other', () => idle.endedAt)
  upgraded.socket.write('still there')
  await until('the echo', () => upgraded.received.endsWith('still there'))
  assert.equal(server.hasSaid('closed'), false)
  upgraded.socket.end()
  await server.endsByItself()
})

onEachNode('connections of plain servers are left alone', async (t, node) => {
  const server = await serve(t, node, 'net', { realClock: true })
  const one = await connection(t, server.port)
  one.socket.write('before')
  await until('the echo', () => one.received === 'before')
  const closedAt = Date.now()
  await server.close()
  // Longer than anything of the helper's takes.
  await until('the time of the helper', () => Date.now() - closedAt > GRACE_MS + LATE_MS)
  one.socket.write(', after')
  await until('the echo', () => one.received === 'before, after')
  one.socket.end()
  await server.endsByItself()
})
