// Says which worker it is, and hands its process id to the primary at each request.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  cluster.fork().on('message', (pid) => console.log(`message of ${pid}`));
  cluster.fork();
} else if (cluster.isWorker) {
  console.log(`I am worker #${cluster.worker.id}`);
  const server = http.createServer((request, response) => {
    process.send(process.pid);
    response.writeHead(200);
    response.end(String(process.pid));
  });
  server.listen(process.env.PORT, () => console.log(`${process.pid} listens on ${server.address().port}`));
}
