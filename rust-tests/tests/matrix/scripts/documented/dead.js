// Each request is its worker's last one.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  cluster.fork();
  cluster.on('fork', (worker) => console.log('dead:', worker.isDead()));
  cluster.on('exit', (worker) => console.log('dead:', worker.isDead()));
} else {
  http.createServer((request, response) => {
    response.writeHead(200);
    response.end(`process ${process.pid}, ${cluster.worker.isDead()}`);
    process.kill(process.pid);
  }).listen(process.env.PORT);
}
