// Primary and workers in one file, as Node's documentation shows it.
const cluster = require('node:cluster');
const http = require('node:http');
const os = require('node:os');

if (cluster.isPrimary) {
  console.log(`primary ${process.pid}`);
  os.cpus().forEach(() => cluster.fork());
  cluster.on('exit', (worker) => console.log(`${worker.process.pid} has ended`));
} else {
  http.createServer((request, response) => {
    response.writeHead(200);
    response.end('hello\n');
  }).listen(process.env.PORT);
  console.log(`worker ${process.pid}`);
}
