// What a worker sees of itself, of its descriptors, and what its own child sees.
const cluster = require('cluster');
const fs = require('fs');
const { execFile } = require('child_process');
const report = require('./report.js');

const channelVariables = () => Object.keys(process.env).filter((name) => /^NODE_(CHANNEL|UNIQUE)/.test(name));
// What is open behind the channel and was not opened by Node itself: it has both ends of its own pipes. Without the folder that is read.
const links = fs.readdirSync('/proc/self/fd').filter((fd) => fd > 3).map((fd) => {
  try { return fs.readlinkSync(`/proc/self/fd/${fd}`); } catch { return '/proc/'; }
});
const isNodes = (link) => /^(anon_inode:|\/dev\/null|\/proc\/)/.test(link) || (link.startsWith('pipe:') && links.filter((other) => other === link).length === 2);
const foreign = links.filter((link) => !isNodes(link));
const { worker } = cluster;
const seen = {
  isWorker: cluster.isWorker, isPrimary: cluster.isPrimary, isMaster: cluster.isMaster, connected: worker.isConnected(), isDead: worker.isDead(),
  id: Number.isInteger(worker.id) && worker.id > 0, sameProcess: worker.process === process, state: worker.state,
  methods: ['on', 'disconnect', 'kill', 'destroy', 'send', 'isConnected', 'isDead'].filter((name) => typeof worker[name] !== 'function'),
  variables: channelVariables(), main: require.main === module, argv: process.argv.slice(2), channel: process.channel !== undefined,
  exited: worker.exitedAfterDisconnect === undefined, workers: typeof cluster.workers, fork: typeof cluster.fork, foreign,
};
const script = `console.log(JSON.stringify(Object.keys(process.env).filter((name) => /^NODE_(CHANNEL|UNIQUE)/.test(name))))`;
execFile(process.execPath, ['-e', script], (error, out) => {
  seen.child = error ? String(error) : JSON.parse(out);
  report(seen);
});
require('http').createServer((request, response) => response.end(String(worker.id))).listen(+process.env.PORT);
