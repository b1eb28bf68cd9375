// Does everything at once: serves, speaks, sends sockets away, opens and closes a server, and says so when one of it fails.
const fs = require('fs');
const net = require('net');
const report = require('./report.js');

const wrong = (what) => report({ wrong: what });
process.on('uncaughtException', (error) => wrong(error.stack));
process.on('warning', (warning) => wrong(String(warning)));

const port = Number(process.env.PORT);
const answer = (request, response) => {
  const text = String(process.pid);
  response.writeHead(200, { 'Content-Length': text.length });
  response.end(text);
};
const away = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true });
let [sent, opened] = [0, 0];
const tasks = {
  speak: () => process.send({ sent: ++sent, text: 'é'.repeat(Number(process.env.LENGTH)) }, next('speak')),
  give: () => {
    const socket = net.connect(away.address().port, '127.0.0.1', () => process.send('a socket', socket, next('give')));
  },
  open: () => {
    const server = net.createServer().on('error', (error) => wrong(`listen: ${error.message}`));
    server.listen(Number(process.env.OTHER), '127.0.0.1', () => server.close(() => { opened++; next('open')(); }));
  },
};
/** The next round of a task; what the last one did must have come to its end. */
const next = (name) => (error) => {
  if (error) return wrong(`${name}: ${error.message}`);
  setTimeout(tasks[name], 5);
};
process.on('SIGUSR2', () => process.exit(42));
process.on('message', (message) => {
  report({ sent, opened, still: message });
  process.send(['still', message]);
});
require('http').createServer(answer).listen(port, () => (process.env.TASKS || '').split(' ').filter(Boolean).forEach((name) => tasks[name]()));
