// An ES module that waits before it listens.
import http from 'node:http';
import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';

const answer = await sleep(20, cluster.isWorker ? 'module' : 'no worker');
http.createServer((request, response) => response.end(answer)).listen(process.env.PORT);
await sleep(1);
