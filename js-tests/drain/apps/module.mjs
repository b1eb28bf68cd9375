// A server of an app that has ES modules only, up after a top-level await.

import { createServer } from 'node:http'

await new Promise(resolve => setImmediate(resolve))
const server = createServer((_, response) => response.end('ok'))
// A client that is slow is not cut by Node itself.
server.keepAliveTimeout = 3600_000
process.on('message', message => {
  if (message === 'leave') return process.disconnect()
  server.close()
  process.send({ closing: true })
})
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
