// Answers with its process id, over TCP and a socket in the file system. It never heard of signals, unless GRACEFUL.
const http = require('http');
const answer = (request, response) => {
  const text = String(process.pid);
  response.writeHead(200, { 'Content-Length': text.length });
  response.end(text);
};
const servers = [http.createServer(answer).listen(process.env.PORT)];
if (process.env.SOCKET) servers.push(http.createServer(answer).listen(process.env.SOCKET));
if (process.env.GRACEFUL) {
  process.once('SIGINT', () => {
    let open = servers.length;
    for (const server of servers) server.close(() => --open === 0 && process.exit(0));
  });
}
