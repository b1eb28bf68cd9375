// An HTTP server that is given its socket, as systemd and Rewake do: at descriptor 3, if LISTEN_FDS says so. By hand it listens by itself.

const http = require('node:http')

const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify({ pid: process.pid, path: request.url })}\n`)
})

const given = process.env.LISTEN_PID === String(process.pid) && process.env.LISTEN_FDS !== undefined
const where = given ? { fd: 3 } : { port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' }

server.listen(where, () => process.send?.('ready'))

process.once('SIGINT', () => server.close(() => process.exit(0)))
