// Workers tell their primary of each request, and it counts.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  let requests = 0;
  cluster.on('message', (worker, message) => {
    if (message.cmd === 'notifyRequest') console.log(++requests);
  });
  cluster.fork();
} else {
  http.Server((request, response) => {
    response.writeHead(200);
    response.end('hello\n');
    process.send({ cmd: 'notifyRequest' });
  }).listen(process.env.PORT);
}
