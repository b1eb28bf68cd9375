// A plain HTTP server: nothing in it knows Rewake. It says when it is ready, and it leaves when it is asked to.

const http = require('node:http')

const port = Number(process.env.PORT ?? 3000)
const instance = process.env.NODE_APP_INSTANCE ?? '0'

const server = http.createServer((request, response) => {
  console.log(`${request.method} ${request.url} by ${process.pid}`)
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify({ instance, pid: process.pid, path: request.url })}\n`)
})

server.listen(port, '127.0.0.1', () => {
  console.log(`instance ${instance} listens on ${port}`)
  // There is nobody to tell when it is started by hand, `node server.js`.
  process.send?.('ready')
})

process.once('SIGINT', () => {
  console.log(`instance ${instance} finishes its requests and leaves`)
  server.close(() => process.exit(0))
})
