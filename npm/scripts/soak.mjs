// Long measured proofs of what cluster mode promises, beside `npm test`, which has no time for them:
//
//   npm run soak -- [name ...] [--modes kernel,client-ip,round-robin,shared] [--nodes path:path] [--only TEXT]
//                   [--quick] [--json FILE] [--pm2 PATH | --install] [--no-build]
//
//   reload       reloads under full load: http/1.1, https, http2 and WebSocket, apps that know signals and apps that do not
//   kill         SIGKILL of one worker after the other: only what is in flight there fails, nobody waits long
//   blocked      one of two workers blocks its event loop; beside PM2 and node:cluster
//   sticky       client-ip: a thousand clients stay at their workers, also while another one dies
//   socketio     client-ip: Socket.IO by long polling in four workers, without an adapter
//   bad-release  a new release that throws, hangs, or dies a second later
//
// Without a name all of them run, one after the other, in each of the modes that it is about, on each Node. Everything is on the
// loopback device and in homes of its own, and nothing is left running. A table of each is printed; the exit code is 1 if a promise was
// broken, and says which. `--quick` is a short version of each, in a few minutes; `--only "h2c, plain"` leaves
// of the rows of `reload` those whose names hold the text. All of it takes some 20 minutes for each mode and Node. PM2 is only there if `--pm2` names its bin/pm2 or
// `--install` lets npm put it into target/soak; Socket.IO is put there when it is first needed.

import fs from 'node:fs'
import os from 'node:os'
import { endAll } from './soak/home.mjs'
import { SOAKS, USAGE, parse } from './soak/options.mjs'
import { endOthers } from './soak/others.mjs'
import { Report } from './soak/report.mjs'

// However this ends: what still runs then is ended with it.
process.on('exit', () => {
  endAll()
  endOthers()
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130))

let options
try {
  options = parse(process.argv.slice(2))
} catch (error) {
  console.error(`${error.message}\n${USAGE}`)
  process.exit(2)
}

console.log(`Node ${process.version}, Linux ${os.release()}, ${os.cpus().length} CPUs`)
const done = []
for (const name of options.names) {
  const report = new Report(name)
  const start = performance.now()
  try {
    const { run } = await import(`./soak/${name}.mjs`)
    await run(options, report)
  } catch (error) {
    report.broken(`it ended early: ${error.stack ?? error}`)
  }
  report.end((performance.now() - start) / 1000)
  done.push(report)
}
if (options.json) {
  const about = { node: process.version, linux: os.release(), cpus: os.cpus().length, modes: options.modes, quick: options.quick }
  fs.writeFileSync(options.json, `${JSON.stringify({ ...about, soaks: done.map(report => report.value()) }, null, 2)}\n`)
}
const broken = done.flatMap(report => report.brokenPromises.map(text => `${report.name}: ${text}`))
console.log(broken.length === 0 ? `\nNo promise was broken (${SOAKS.filter(name => options.names.includes(name)).join(', ')}).` : `\nBroken:\n${broken.join('\n')}`)
process.exit(broken.length === 0 ? 0 : 1)
