// Does not end when it is asked to, and has a child that does not either.
const { spawn } = require('node:child_process')
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
const child = spawn(process.execPath, ['-e', "process.on('SIGINT', () => {}); process.on('SIGTERM', () => {}); setInterval(() => {}, 1 << 30)"])
setInterval(() => {}, 1 << 30)
process.send({ child: child.pid })
process.send('ready')
