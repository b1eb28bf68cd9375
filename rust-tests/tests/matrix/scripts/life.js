// Listens, ends, and tells what it sees of that: each run in the way that is its turn in HOWS. The one that has none stays.
const cluster = require('cluster');
const net = require('net');
const report = require('./report.js');

const { worker } = cluster;
const tell = (event) => report([event, worker.exitedAfterDisconnect ?? null, worker.isConnected(), worker.isDead()]);
worker.on('disconnect', () => tell('worker disconnect'));
process.on('disconnect', () => tell('process disconnect'));
process.on('exit', (code) => tell(`exit ${code}`));

const ends = {
  disconnect: () => worker.disconnect(),
  disconnectTwice: () => worker.disconnect() === worker.disconnect() && tell('twice'),
  kill: () => worker.kill(),
  destroy: () => worker.destroy(),
  process: () => process.disconnect(),
  exit: () => process.exit(7),
  throw: () => { throw new Error('on purpose'); },
  abort: () => process.kill(process.pid, 'SIGKILL'),
};
const how = process.env.HOWS.split(' ').filter(Boolean)[Number(process.env.restart_time ?? 0)];
const serve = (port, done) => net.createServer().on('close', () => tell('closed')).listen(port, '127.0.0.1', done);
// A server that is being made when its worker is told to end is Node's own affair.
serve(0, () => serve(process.env.PORT, () => {
  if (how === undefined) report('stays');
  // The primary knows by then that it listens.
  else process.send('listens', () => ends[how]());
}));
