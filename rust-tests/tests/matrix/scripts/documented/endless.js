// Connections that never end, a primary that asks to shut down and kills who is not gone after a while.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  let timeout;
  worker.on('listening', () => {
    worker.send('shutdown');
    worker.disconnect();
    timeout = setTimeout(() => worker.kill(), 2000);
  });
  worker.on('disconnect', () => clearTimeout(timeout));
} else if (cluster.isWorker) {
  const net = require('node:net');
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket));
    socket.write('open');
  });
  server.listen(process.env.PORT);
  process.on('message', (message) => {
    if (message === 'shutdown') sockets.forEach((socket) => socket.end('closed'));
  });
}
