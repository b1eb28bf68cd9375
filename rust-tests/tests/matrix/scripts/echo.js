// Sends back what a connection sends.
require('net').createServer((socket) => socket.pipe(socket)).listen(process.env.PORT);
