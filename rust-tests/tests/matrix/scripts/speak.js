// A worker that talks: sends back what it hears, and does what `{ "do": … }` says.
const dgram = require('dgram');
const fs = require('fs');
const net = require('net');

const heard = [];
const tasks = {
  // What JSON cannot be told from its echo.
  recognise: () => {
    const [minusZero, power, large, surrogate, deep] = heard.splice(0);
    let depth = 0;
    for (let at = deep; Array.isArray(at); at = at[0]) depth++;
    process.send([Object.is(minusZero, -0), power === 2 ** 60, large === 1e300, surrogate === '\ud800', depth]);
  },
  burst: ({ count }) => {
    for (let n = 0; n < count; n++) process.send({ n });
  },
  // Whether all that was kept came in order.
  ordered: () => process.send(heard.splice(0).every(({ n }, at) => n === at)),
  // Lines as no JSON.stringify writes them, past Node's own end of the channel.
  raw: ({ lines }) => {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    for (let at = 0; at < bytes.length;) {
      try {
        at += fs.writeSync(3, bytes, at);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
      }
    }
  },
  reserved: () => {
    for (const cmd of ['NODE_', 'NODE_FOO', 'NODE', 'node_foo', 'NODE_HANDLE_SOMETHING', 7]) process.send({ cmd });
    process.send('all');
  },
  handles: async ({ size }) => {
    const text = 'x'.repeat(size);
    const server = await new Promise((done) => { const server = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => done(server)); });
    const udp = await new Promise((done) => { const socket = dgram.createSocket('udp4').bind({ port: 0, address: '127.0.0.1', exclusive: true }, () => done(socket)); });
    const socket = await new Promise((done) => { const socket = net.connect(server.address().port, '127.0.0.1', () => done(socket)); });
    const kept = await new Promise((done) => { const socket = net.connect(server.address().port, '127.0.0.1', () => done(socket)); });
    process.send({ n: 0 });
    process.send({ n: 1, text }, socket);
    process.send({ n: 2 });
    process.send({ n: 3, text }, kept, { keepOpen: true });
    process.send({ n: 4, text }, server);
    process.send({ n: 5, text }, udp);
    process.send({ n: 6 }, () => process.send({ n: 8 }));
    process.send({ n: 7 });
    process.once('message', () => [server, udp, kept].forEach((handle) => (handle.destroy ?? handle.close).call(handle)));
  },
};

let keeping = false;
process.on('message', (message) => {
  const task = tasks[message?.do];
  if (message?.keep !== undefined) keeping = message.keep;
  else if (task !== undefined) task(message);
  else if (keeping) heard.push(message);
  else process.send(message);
});
require('http').createServer().listen(process.env.PORT, () => process.send('here'));
