// Gets a session of one worker and goes on with it until others have answered, too: `node tls_client.js PORT FILE`. The session is kept in
// FILE for the next time. Prints who answered to a resumed session and how many did not resume.
const fs = require('fs');
const tls = require('tls');

const [port, file] = process.argv.slice(2);
const once = (n, session) => new Promise((done, fail) => {
  let ticket;
  let text = '';
  let reused;
  // From several addresses: some servers give one client to one worker.
  const socket = tls.connect({ host: '127.0.0.1', port: +port, localAddress: `127.0.0.${2 + n % 100}`, rejectUnauthorized: false, session });
  socket.on('secureConnect', () => { reused = socket.isSessionReused(); });
  socket.on('session', (session) => { ticket = session; });
  socket.on('data', (data) => { text += data; });
  socket.on('error', fail);
  socket.on('close', () => done({ pid: text, ticket, reused }));
});
(async () => {
  const before = fs.existsSync(file) ? fs.readFileSync(file) : undefined;
  const first = await once(0, before);
  const session = before ?? first.ticket;
  fs.writeFileSync(file, session);
  const pids = new Set();
  let fresh = before && !first.reused ? 1 : 0;
  for (let n = 1; n <= 40; n++) {
    const { pid, reused } = await once(n, session);
    pids.add(pid);
    if (!reused) fresh++;
  }
  console.log(JSON.stringify({ pids: [...pids], fresh }));
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
