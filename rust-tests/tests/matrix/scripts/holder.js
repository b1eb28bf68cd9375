// Says who it is on each connection and holds it, at most MAX of them; `/block` of its second server stands still for a while.
const http = require('http');
const net = require('net');
const report = require('./report.js');
const { MAX, PORT, CONTROL } = process.env;
const server = net.createServer((socket) => {
  socket.on('error', () => {});
  socket.write(String(process.pid));
});
if (MAX) server.maxConnections = Number(MAX);
server.listen(PORT);
http.createServer((request, response) => {
  response.end(String(process.pid), () => {
    const ms = Number(new URL(request.url, 'http://x').searchParams.get('block'));
    if (!ms) return;
    setTimeout(() => {
      report('stands still');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    }, 5);
  });
}).listen(CONTROL);
