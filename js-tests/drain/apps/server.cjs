// A server that does as its paths say and closes when it is told. `node server.cjs http|https|h2c|h2|net`.

const fs = require('node:fs')
const path = require('node:path')

const [kind] = process.argv.slice(2)
const pem = name => fs.readFileSync(path.join(__dirname, '..', 'fixtures', name))
const tls = () => ({ key: pem('test-key.pem'), cert: pem('test-cert.pem') })

// Answers that wait for `answer`.
const held = []
const keepAlive = { connection: 'keep-alive', 'x-other': 'kept' }
const paths = {
  '/quick': (_, response) => response.end('ok'),
  '/later': (_, response) => setTimeout(() => response.end('ok'), 20),
  '/held': (_, response) => held.push(() => response.end('held')),
  '/started': (_, response) => (response.write('started '), held.push(() => response.end('and ended'))),
  '/big': (_, response) => response.end(Buffer.alloc(16 << 20, 'x')),
  // Apps and proxies that speak of the connection themselves, in every form.
  '/set': (_, response) => (response.setHeader('Connection', 'keep-alive'), response.setHeader('x-other', 'kept'), response.end('ok')),
  '/object': (_, response) => response.writeHead(200, keepAlive).end('ok'),
  '/reason': (_, response) => response.writeHead(200, 'Fine', keepAlive).end('ok'),
  '/nothing': (_, response) => (response.setHeader('x-other', 'kept'), response.writeHead(200, undefined), response.end('ok')),
  '/list': (_, response) => response.writeHead(200, ['Connection', 'keep-alive', 'x-other', 'kept']).end('ok'),
  '/removed': (_, response) => (response.removeHeader('connection'), response.setHeader('x-other', 'kept'), response.end('ok'))
}

function answer(request, response) {
  paths[request.url](request, response)
  if (request.url === '/held' || request.url === '/started') process.send({ held: held.length })
}

const make = {
  http: () => require('node:http').createServer(answer),
  https: () => require('node:https').createServer(tls(), answer),
  h2c: () => require('node:http2').createServer(answer),
  h2: () => require('node:http2').createSecureServer({ ...tls(), allowHTTP1: true }, answer),
  net: () => require('node:net').createServer(socket => socket.on('error', () => {}).pipe(socket))
}
const server = make[kind]()
if (kind === 'http') {
  server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.on('error', () => {}).pipe(socket)
  })
}
// What is measured is the helper's time, not Node's.
server.keepAliveTimeout = 3600_000
process.on('message', message => {
  if (message === 'count') server.getConnections((_, count) => process.send({ count }))
  if (message === 'answer') held.splice(0).forEach(go => go())
  // The channel is what else keeps this process alive.
  if (message === 'leave') process.disconnect()
  if (message === 'close') {
    server.close(() => process.connected && process.send({ closed: true }))
    process.send({ closing: true })
  }
})
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
