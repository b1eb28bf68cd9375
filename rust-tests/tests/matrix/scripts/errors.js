// Addresses that cannot be had, and what a worker is told of each: code, call and message, with ports and folders by their names.
const dgram = require('dgram');
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const https = require('https');
const net = require('net');
const path = require('path');
const tls = require('tls');
const report = require('./report.js');

const { BUSY, BUSY_UDP, PRIVILEGED, FOLDER } = process.env;
const own = process.env.SOCKETS;
const credentials = { cert: fs.readFileSync(path.join(FOLDER, 'cert.pem')), key: fs.readFileSync(path.join(FOLDER, 'key.pem')) };
const named = (text) => [[BUSY, 'BUSY'], [BUSY_UDP, 'BUSY_UDP'], [PRIVILEGED, 'PRIVILEGED'], [own, 'OWN'], [FOLDER, 'FOLDER']]
  .reduce((text, [value, name]) => (value ? text.replaceAll(value, name) : text), text);

/** The error of a server; its address, should it listen. Never both, never twice. */
const attempt = (server, ...where) => new Promise((done) => {
  const heard = [];
  const settle = () => setTimeout(() => {
    server.removeAllListeners();
    done(heard.length === 1 ? heard[0] : heard);
  }, 5);
  server.on('error', ({ code, syscall, message, address, port }) => {
    heard.push({ code, syscall, message: named(message), address: address && named(address), port: port && named(String(port)) });
    settle();
  });
  server.on('listening', () => {
    heard.push('listens');
    settle();
  });
  server.on('uncaught', settle);
  try {
    (server.listen ?? server.bind).call(server, ...where);
  } catch ({ name, code, message }) {
    heard.push({ thrown: name, code, message: named(message) });
    settle();
  }
});
let uncaught = [];
process.on('uncaughtException', (error) => uncaught.push(String(error)));

const net4 = () => net.createServer();
const udp = (type = 'udp4') => dgram.createSocket(type);
const attempts = {
  busy: () => attempt(net4(), +BUSY, '127.0.0.1'),
  busyAnywhere: () => attempt(net4(), +BUSY),
  busyHttp: () => attempt(http.createServer(), +BUSY, '127.0.0.1'),
  busyTls: () => attempt(tls.createServer(credentials), +BUSY, '127.0.0.1'),
  busyHttps: () => attempt(https.createServer(credentials), +BUSY, '127.0.0.1'),
  busyHttp2: () => attempt(http2.createSecureServer(credentials), +BUSY, '127.0.0.1'),
  busyAgain: () => attempt(https.createServer(credentials), +BUSY, '127.0.0.1'),
  elsewhere: () => attempt(net4(), 0, '192.0.2.1'),
  elsewhere6: () => attempt(net4(), 0, '2001:db8::1'),
  privileged: () => (PRIVILEGED ? attempt(net4(), +PRIVILEGED, '127.0.0.1') : 'everybody may'),
  privilegedTls: () => (PRIVILEGED ? attempt(https.createServer(credentials), +PRIVILEGED, '127.0.0.1') : 'everybody may'),
  privilegedUdp: () => (PRIVILEGED ? attempt(udp(), +PRIVILEGED, '127.0.0.1') : 'everybody may'),
  noFolder: () => attempt(net4(), path.join(own, 'none', 'x.sock')),
  regularFile: () => attempt(net4(), path.join(FOLDER, 'cert.pem')),
  folderItself: () => attempt(net4(), own),
  live: () => attempt(net4(), path.join(FOLDER, 'live.sock')),
  closedFolder: () => (process.getuid() === 0 ? 'everything is open to root' : attempt(net4(), '/proc/x.sock')),
  badFd: () => attempt(net4(), { fd: 4711 }),
  // Standard input of the primary; no socket in any case.
  noSocket: () => attempt(net4(), { fd: 0 }),
  highPort: () => attempt(net4(), 65536),
  negative: () => attempt(net4(), -1),
  busyUdp: () => attempt(udp(), +BUSY_UDP, '127.0.0.1'),
  elsewhereUdp: () => attempt(udp(), 0, '192.0.2.1'),
  wrongFamilyUdp: () => attempt(udp('udp6'), 0, '127.0.0.1'),
};

(async () => {
  const seen = {};
  for (const [name, tried] of Object.entries(attempts)) {
    uncaught = [];
    seen[name] = await tried();
    if (uncaught.length > 0) seen[name] = { uncaught, after: seen[name] };
  }
  report(seen);
})();
