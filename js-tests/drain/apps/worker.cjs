// A cluster worker with a server and nothing else.

const server = require('node:http').createServer((_, response) => response.end('ok'))
server.keepAliveTimeout = 3600_000
server.listen(0, '127.0.0.1')
