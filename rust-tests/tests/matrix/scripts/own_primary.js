// In fork mode a program is its own primary, with workers of its own.
const cluster = require('cluster');
const report = require('./report.js');

if (cluster.isPrimary) {
  const seen = { messages: 0, listening: [], online: 0, exits: [] };
  cluster.on('online', () => seen.online++);
  cluster.on('listening', (worker, { address, port, addressType }) => seen.listening.push([address, port > 0, addressType]));
  cluster.on('message', () => {
    if (++seen.messages === 2) {
      const [first, second] = Object.values(cluster.workers);
      report({ ...seen, ids: Object.keys(cluster.workers), policy: cluster.schedulingPolicy === cluster.SCHED_RR });
      first.disconnect();
      second.kill();
    }
  });
  cluster.on('exit', (worker, code, signal) => {
    seen.exits.push([worker.id, code, signal, worker.exitedAfterDisconnect]);
    if (seen.exits.length === 2) {
      report(seen.exits.sort());
      // The third one stays.
      cluster.fork();
    }
  });
  cluster.fork();
  cluster.fork();
} else {
  require('http').createServer((request, response) => response.end(`worker ${cluster.worker.id}`)).listen(process.env.PORT, () => {
    // The primary hears of it after this callback.
    setImmediate(() => process.send('listens'));
  });
}
