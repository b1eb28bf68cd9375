// Tries until it may listen, and tells of both.
const report = require('./report.js');
const server = require('http').createServer((request, response) => response.end('served'));
let failures = 0;
server.on('error', ({ code }) => {
  if (failures++ === 0) report(code);
  setTimeout(() => server.listen(process.env.PORT, '127.0.0.1'), 20);
});
server.on('listening', () => report('listens'));
server.listen(process.env.PORT, '127.0.0.1');
