// What Node documents of closing a server, as this Node does it: prints one line of JSON. Equal with and without the helper.

const http = require('node:http')
const https = require('node:https')
const http2 = require('node:http2')
const net = require('node:net')

const done = []
const code = error => error?.code ?? null
const once = (on, name) => new Promise(resolve => on.once(name, resolve))
const listen = server => new Promise(resolve => server.listen(0, '127.0.0.1', resolve))

/** Makes the server known to the helper, which knows nothing before a connection. */
async function visit(server) {
  const socket = net.connect(server.address().port, '127.0.0.1')
  const accepted = once(server, 'connection')
  await Promise.all([once(socket, 'connect'), accepted])
  socket.destroy()
  await once(socket, 'close')
}

/** A connection that was answered and stays open. */
async function idle(server) {
  const socket = net.connect(server.address().port, '127.0.0.1')
  socket.on('error', () => {}).write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  return socket
}

async function closing(name, server) {
  const note = (what, value) => done.push([name, what, value])
  const prototype = Object.getPrototypeOf(server)
  await listen(server)
  await visit(server)
  const properties = Reflect.ownKeys(server).map(String)
  note('events', server.eventNames().map(String).filter(event => event !== 'session'))
  note('close', [server.close.name, server.close.length, typeof prototype.close, 'close' in server])
  note('returns', server.close() === server)
  note('listening', server.listening)
  note('again', code(await new Promise(resolve => server.close(resolve))))
  note('properties', Reflect.ownKeys(server).map(String).filter(key => !properties.includes(key)))

  await listen(server)
  await visit(server)
  note('listens again', server.listening)
  const event = once(server, 'close').then(() => 'close')
  note('callback', code(await new Promise(resolve => server.close(resolve))))
  note('event', await event)

  if (Symbol.asyncDispose && server[Symbol.asyncDispose]) {
    await listen(server)
    await visit(server)
    note('disposed', (await server[Symbol.asyncDispose]()) ?? null)
    note('listening', server.listening)
  }
}

async function connections() {
  const note = (what, value) => done.push(['connections', what, value])
  const server = http.createServer((_, response) => response.end('ok'))
  server.keepAliveTimeout = 60_000
  for (const method of ['closeAllConnections', 'closeIdleConnections']) {
    await listen(server)
    const socket = await idle(server)
    const gone = once(socket, 'close')
    const closed = new Promise(resolve => server.close(resolve))
    server[method]()
    await gone
    note(method, code(await closed))
  }
  // A server that listens again is a server like any other.
  await listen(server)
  const socket = await idle(server)
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  note('answers again', /connection: ([-a-z]+)/i.exec(await once(socket, 'data'))[1])
  const closed = new Promise(resolve => server.close(resolve))
  server.closeAllConnections()
  note('closed', code(await closed))
}

class Mine extends http.Server {
  close(callback) {
    done.push(['subclass', 'close'])
    return super.close(callback)
  }
}

async function main() {
  const handler = (_, response) => response.end('ok')
  await closing('http', http.createServer(handler))
  await closing('https', https.createServer({}, handler))
  await closing('http2', http2.createServer({}, handler))
  await closing('http2 with TLS', http2.createSecureServer({ allowHTTP1: true }, handler))
  await closing('subclass', new Mine(handler))
  await closing('net', net.createServer(socket => socket.resume()))
  await connections()
  console.log(JSON.stringify(done))
}

main()
if (process.connected) process.disconnect()
