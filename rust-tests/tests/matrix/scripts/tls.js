// A server that speaks TLS and says who it is.
const fs = require('fs');
const path = require('path');
const { FOLDER, PORT } = process.env;
const read = (name) => fs.readFileSync(path.join(FOLDER, name));
require('tls').createServer({ cert: read('cert.pem'), key: read('key.pem') }, (socket) => socket.end(String(process.pid))).listen(PORT);
