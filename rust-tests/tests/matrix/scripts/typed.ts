// TypeScript, with Node's own type stripping.
import http from 'node:http';
import cluster from 'node:cluster';

const answer: string = cluster.isWorker ? 'typed' : 'no worker';
http.createServer((_, response) => response.end(answer)).listen(Number(process.env.PORT));
