// A Socket.IO server as its own documentation shows it, without an adapter: each process knows its own clients alone.

const http = require('node:http')
const { Server } = require(process.env.SOCKET_IO)

const who = { pid: process.pid, instance: Number(process.env.NODE_APP_INSTANCE) }
const server = http.createServer((request, response) => {
  response.writeHead(200, { 'Content-Length': request.url.length, 'X-Worker': `${who.pid} ${who.instance}` })
  response.end(request.url)
})
const io = new Server(server)
io.on('connection', socket => socket.on('say', (text, answer) => answer({ text, ...who })))
server.listen(Number(process.env.PORT), '127.0.0.1')
