// A worker with a child of its own, which knows nothing of the cluster.
const { fork } = require('child_process');
const cluster = require('cluster');
const report = require('./report.js');

if (process.argv[2] === 'child') {
  process.send([cluster.isPrimary, cluster.isWorker, process.connected]);
  process.on('message', (message) => process.send(message, () => process.disconnect()));
} else {
  const heard = [];
  const child = fork(__filename, ['child']);
  child.on('message', (message) => {
    heard.push(message);
    if (heard.length === 1) child.send('hello');
  });
  child.on('exit', (code) => report({ heard, code, worker: cluster.isWorker }));
  require('http').createServer((request, response) => response.end('served')).listen(process.env.PORT);
}
