// A WebSocket server that sends back what it gets, after as many ms as the text's first number says.

const http = require('node:http')
const { CLOSE, Frames, GOING_AWAY, TEXT, acceptOf, closeFrame, frame } = require('./frames.cjs')

exports.createServer = (worker, answer) => {
  const server = http.createServer(answer)
  const open = new Set()
  server.on('upgrade', (request, socket) => {
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${acceptOf(request.headers['sec-websocket-key'])}`, `X-Worker: ${worker}`]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    serve(socket, open)
  })
  /** Tells every client that this server is going away; each answers with a close of its own, and that is the end. */
  server.sayGoodbye = () => {
    for (const socket of open) {
      socket.saidGoodbye = true
      socket.write(closeFrame(GOING_AWAY, false))
    }
  }
  return server
}

function serve(socket, open) {
  const frames = new Frames()
  open.add(socket)
  socket.on('data', chunk => {
    for (const { opcode, payload } of frames.push(chunk)) {
      if (opcode === TEXT && !socket.saidGoodbye) echo(socket, payload)
      if (opcode !== CLOSE) continue
      if (!socket.saidGoodbye) socket.write(frame(CLOSE, payload, false))
      socket.end()
    }
  })
  socket.on('error', () => {})
  socket.on('close', () => open.delete(socket))
}

function echo(socket, payload) {
  const delay = Number.parseInt(payload.latin1Slice(0, 8), 10)
  const send = () => {
    // Nothing may follow a close.
    if (!socket.saidGoodbye && !socket.destroyed) socket.write(frame(TEXT, payload, false))
  }
  if (delay > 0) setTimeout(send, delay)
  else send()
}
