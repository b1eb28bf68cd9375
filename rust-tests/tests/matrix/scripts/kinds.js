// Everything that can be listened on, in one worker. Tells what came of each; ports by the names under which they were given, so that
// what one app tells can be compared with what another does.
const cluster = require('cluster');
const dgram = require('dgram');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const report = require('./report.js');

const ports = JSON.parse(process.env.PORTS);
const folder = process.env.SOCKETS;
const hasIpv6 = process.env.IPV6 === 'true';
const names = Object.entries(ports);
const named = (text) => names.reduce((text, [name, port]) => text.replaceAll(String(port), name), text).replaceAll(folder, 'DIR');
const rename = (key, value) => {
  if (typeof value === 'string') return named(value);
  return names.find(([, port]) => port === value)?.[0] ?? value;
};
const told = (value) => (value === undefined ? 'undefined' : JSON.parse(JSON.stringify(value), rename));
const failed = ({ code, syscall, message }) => told({ code, syscall, message });

const hello = () => net.createServer((socket) => socket.end(String(process.pid)));
/** What `listen` came to: the address, or the error. The server, if it listens. */
const listen = (server, ...where) => new Promise((done) => {
  const onError = (error) => done({ error: failed(error) });
  try {
    server.once('error', onError).listen(...where, () => {
      server.off('error', onError);
      done({ address: told(server.address()), server });
    });
  } catch (error) {
    done({ thrown: failed(error) });
  }
});
const close = (server) => new Promise((done) => server.close(done));
const bind = (type, options, ...where) => new Promise((done) => {
  const socket = dgram.createSocket({ type, ...options });
  socket.on('message', (message, from) => socket.send(`${process.pid} ${message}`, from.port, from.address));
  const onError = (error) => done({ error: failed(error) });
  socket.once('error', onError).bind(...where, () => {
    socket.off('error', onError);
    done({ address: told(socket.address()), socket });
  });
});
/** What others may do. Some versions take away what was not asked for, some only add. */
const mode = (file, { readableAll, writableAll }) => {
  const { mode } = fs.statSync(path.join(folder, file));
  return [readableAll ? (mode & 0o444) === 0o444 : 'not asked', (mode & 0o022) === (writableAll ? 0o022 : 0)];
};
const result = ({ address, error, thrown }) => error ?? thrown ?? address;

async function tcp() {
  const seen = {};
  seen.noHost = result(await listen(http.createServer((request, response) => response.end(String(process.pid))), ports.noHost));
  seen.host = result(await listen(hello(), ports.host, '127.0.0.1'));
  seen.name = result(await listen(hello(), { port: ports.name, host: 'localhost', ...(hasIpv6 ? { family: 4 } : {}) })).port;
  seen.any = result(await listen(hello(), ports.any, '0.0.0.0'));
  seen.text = result(await listen(hello(), String(ports.text)));
  seen.backlog = result(await listen(hello(), { port: ports.backlog, host: '127.0.0.1', backlog: 3 }));
  seen.backlogArgument = result(await listen(hello(), ports.backlogArgument, '127.0.0.1', 3));
  if (hasIpv6) {
    seen.v6 = result(await listen(hello(), ports.v6, '::1'));
    seen.dual = result(await listen(hello(), ports.dual, '::'));
    seen.v6Only = result(await listen(hello(), { port: ports.v6Only, host: '::', ipv6Only: true }));
  }
  return seen;
}

/** Ports that the system chooses: the same for all workers, another for each server. */
async function zero() {
  const chosen = [];
  for (let n = 0; n < 3; n++) chosen.push((await listen(hello(), 0)).server.address().port);
  chosen.push((await listen(hello(), 0, '127.0.0.1')).server.address().port);
  chosen.push((await listen(hello())).server.address().port);
  return chosen;
}

async function unix() {
  const seen = {};
  // A name of more than 107 bytes is not in here: Node cuts it or refuses it, by version.
  for (const [name, options] of [['plain', {}], ['readable', { readableAll: true }], ['writable', { writableAll: true }], ['both', { readableAll: true, writableAll: true }]]) {
    const { address, error, thrown } = await listen(hello(), { path: path.join(folder, `${name}.sock`), ...options });
    seen[name] = { address: error ?? thrown ?? address, mode: mode(`${name}.sock`, options) };
  }
  const cwd = process.cwd();
  process.chdir(folder);
  seen.relative = result(await listen(hello(), 'relative.sock'));
  process.chdir(cwd);
  return seen;
}

async function again() {
  const seen = {};
  const first = await listen(hello(), ports.again, '127.0.0.1');
  seen.first = result(first);
  seen.second = result(await listen(hello(), ports.again, '127.0.0.1'));
  await close(first.server);
  const third = await listen(hello(), ports.again, '127.0.0.1');
  seen.third = result(third);
  await close(third.server);
  // The server itself, again and again.
  seen.reopened = [];
  for (let n = 0; n < 3; n++) {
    seen.reopened.push(result(await listen(third.server, ports.again, '127.0.0.1')));
    if (n < 2) await close(third.server);
  }
  try {
    third.server.listen(ports.again);
  } catch (error) {
    seen.twice = failed(error);
  }
  // Closed before it listens.
  const early = hello();
  early.listen(ports.early, '127.0.0.1');
  seen.early = await new Promise((done) => early.close((error) => done(error ? error.code : 'closed')));
  return seen;
}

/** What a worker binds by itself, without its primary. */
async function alone() {
  const seen = {};
  const own = await listen(hello(), { port: 0, host: '127.0.0.1', exclusive: true });
  seen.exclusive = own.error ?? own.server.address().port > 0;
  // One of the workers gets it, the others are told.
  const one = await listen(hello(), { port: ports.exclusive, host: '127.0.0.1', exclusive: true });
  seen.one = one.error ?? 'listens';
  const [major, minor] = process.versions.node.split('.').map(Number);
  // Node 18 asks its primary, which dies of it.
  if (major > 18) seen.handle = result(await listen(hello(), own.server._handle)).port > 0;
  if (major > 22 || (major === 22 && minor >= 12)) {
    seen.reusePort = result(await listen(hello(), { port: ports.reusePort, host: '127.0.0.1', reusePort: true }));
    seen.reuseUdp = result(await bind('udp4', { reusePort: true }, ports.reuseUdp, '127.0.0.1'));
  }
  return seen;
}

async function udp() {
  const seen = {};
  seen.host = result(await bind('udp4', {}, ports.udp, '127.0.0.1'));
  seen.any = result(await bind('udp4', {}, ports.udpAny));
  seen.reuse = result(await bind('udp4', { reuseAddr: true }, ports.udpReuse, '127.0.0.1'));
  if (hasIpv6) {
    seen.v6 = result(await bind('udp6', {}, ports.udp6, '::1'));
    seen.v6Only = result(await bind('udp6', { ipv6Only: true }, ports.udp6Only));
  }
  const first = await bind('udp4', {}, 0, '127.0.0.1');
  const second = await bind('udp4', {}, 0, '127.0.0.1');
  const own = await bind('udp4', {}, { port: 0, address: '127.0.0.1', exclusive: true });
  const closed = first.socket.address().port;
  await close(first.socket);
  const sender = dgram.createSocket('udp4');
  seen.client = await new Promise((done) => sender.send('x', ports.udp, '127.0.0.1', (error) => done(error?.code ?? 'sent')));
  return { seen, closed, zero: [second.socket.address().port], own: own.socket.address().port };
}

(async () => {
  const seen = { tcp: await tcp(), unix: await unix(), again: await again(), alone: await alone() };
  const datagrams = await udp();
  report({ same: { ...seen, udp: datagrams.seen, connected: cluster.worker.isConnected() }, zero: [...await zero(), ...datagrams.zero], closed: datagrams.closed, own: datagrams.own });
})().catch((error) => report({ failed: error.stack }));
