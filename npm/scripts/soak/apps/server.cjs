// The server of the soaks: it answers each request with its URL, after as many ms as the URL's first part says. KIND says what it
// speaks, APP whether it ever heard of signals.

const fs = require('node:fs')
const path = require('node:path')

const { KIND = 'http', APP = 'plain', PORT, BLOCK, ACCEPT_LOG, NODE_APP_INSTANCE = '0' } = process.env
const worker = `${process.pid} ${NODE_APP_INSTANCE}`
const fixtures = process.env.FIXTURES

function answer(request, response) {
  const delay = Number(request.url.slice(1, request.url.indexOf('/', 1)))
  const end = () => {
    response.writeHead(200, { 'Content-Length': request.url.length, 'X-Worker': worker })
    response.end(request.url)
  }
  if (delay > 0) setTimeout(end, delay)
  else end()
}

function tls() {
  return { key: fs.readFileSync(path.join(fixtures, 'test-key.pem')), cert: fs.readFileSync(path.join(fixtures, 'test-cert.pem')) }
}

function make() {
  switch (KIND) {
    case 'http':
      return require('node:http').createServer(answer)
    case 'https':
      return require('node:https').createServer(tls(), answer)
    case 'h2c':
      return require('node:http2').createServer(answer)
    case 'h2':
      return require('node:http2').createSecureServer(tls(), answer)
    case 'ws':
      return require('./echo.cjs').createServer(worker, answer)
    default:
      throw new Error(`there is no kind ${KIND}`)
  }
}

const server = make()
server.listen(Number(PORT), '127.0.0.1', () => process.send?.('ready'))

// Not to be left behind by whoever started it.
if (process.env.ALONE) process.on('disconnect', () => process.exit(0))

if (APP === 'graceful') {
  process.on('SIGINT', () => {
    server.close(() => process.exit(0))
    server.sayGoodbye?.()
  })
}

// Which connections this process accepted, in a file that outlives it.
if (ACCEPT_LOG) {
  const log = fs.openSync(path.join(ACCEPT_LOG, String(process.pid)), 'a')
  server.on('connection', ({ remoteAddress, remotePort }) => fs.writeSync(log, `${remoteAddress}:${remotePort}\n`))
}

// `for,every,after` in ms: the second worker does nothing else for so long, again and again, the first time after that.
if (BLOCK && NODE_APP_INSTANCE === '1') {
  const [blocked, every, after] = BLOCK.split(',').map(Number)
  const block = () => {
    const end = Date.now() + blocked
    while (Date.now() < end);
  }
  setTimeout(() => {
    setInterval(block, every)
    block()
  }, after)
}
