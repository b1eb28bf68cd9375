// A cluster worker: answers with its pid on a port that is the same for all workers, and tells the port.
const server = require('node:http').createServer((request, response) => response.end(String(process.pid)))
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
