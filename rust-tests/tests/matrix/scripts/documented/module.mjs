// The same as a module.
import cluster from 'node:cluster';
import http from 'node:http';
import { cpus } from 'node:os';
import process from 'node:process';

if (cluster.isPrimary) {
  console.log(`primary ${process.pid}`);
  for (const _ of cpus()) cluster.fork();
} else {
  http.createServer((request, response) => {
    response.writeHead(200);
    response.end('hello\n');
  }).listen(process.env.PORT);
  console.log(`worker ${process.pid}`);
}
