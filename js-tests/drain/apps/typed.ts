// A server in TypeScript, which Node runs as it is.

import { createServer, type Server } from 'node:http'

const server: Server = createServer((_, response) => response.end('ok'))
server.keepAliveTimeout = 3600_000
process.on('message', (message: unknown) => {
  if (message === 'leave') return process.disconnect()
  server.close()
  process.send!({ closing: true })
})
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as { port: number }).port }))
