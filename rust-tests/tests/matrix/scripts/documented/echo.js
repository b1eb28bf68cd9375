// Sends its primary back what it hears.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.send('hi');
} else if (cluster.isWorker) {
  process.on('message', (message) => {
    process.send(message);
  });
}
