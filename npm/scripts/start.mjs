// `npm start`: builds Rewake, runs the HTTP example under it in a home of its own, shows what it does, and stops everything.
// `npm start -- --keep` leaves it running; `--no-build` takes what is built.

import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'

import { ask, askUntil, freePorts } from './support/http.mjs'
import { root } from './support/paths.mjs'

const { locate, target } = createRequire(import.meta.url)('../rewake/lib/loader.cjs')

const INSTANCES = 3
const CLIENTS = 8
// A worker that leaves spares an idle connection for a second. A client that is so late, because this machine kept it from running, may find
// it cut.
const SPARED_MS = 900
const keep = process.argv.includes('--keep')
const env = { ...process.env }
const ms = since => `${Math.round(performance.now() - since)} ms`

let home
let exe

/** Runs the real command, shown as it would be typed. */
function rewake(...args) {
  console.log(`\n$ rewake ${args.map(arg => (/[\s*]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`)
  const { status, error } = spawnSync(exe, args, { env, cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw error
  if (status !== 0) throw new Error(`rewake ${args[0]} ended with exit code ${status}`)
}

function say(text) {
  console.log(`\n${text}`)
}

/** Builds; says so only when it takes a while. */
async function build() {
  const child = spawn(process.execPath, ['npm/scripts/build.mjs'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  const slow = setTimeout(() => console.log('Building ...'), 3000)
  const code = await new Promise(resolve => child.on('close', resolve))
  clearTimeout(slow)
  if (code !== 0) throw new Error('the build failed')
}

/** Asks until every instance has answered. */
async function eachAnswers(port) {
  const seen = new Map()
  for (let tries = 0; seen.size < INSTANCES && tries < 1000; tries += 1) {
    const { instance, pid } = await ask(port, '/hello')
    seen.set(instance, pid)
  }
  for (const [instance, pid] of [...seen].sort()) console.log(`  GET http://127.0.0.1:${port}/hello: instance ${instance}, process ${pid}`)
  if (seen.size < INSTANCES) throw new Error(`${INSTANCES - seen.size} of ${INSTANCES} instances did not answer`)
}

async function killOne(port) {
  const victim = await ask(port)
  say(`Instance ${victim.instance} is process ${victim.pid}. It gets a SIGKILL:`)
  const start = performance.now()
  process.kill(victim.pid, 'SIGKILL')
  const isNew = ({ instance, pid }) => instance === victim.instance && pid !== victim.pid
  const successor = await askUntil(port, isNew)
  console.log(`  process ${successor.pid} answers in its place, ${ms(start)} after the kill; the others answered meanwhile`)
}

/** Replaces all processes while requests come in: some on connections of their own, some on connections that are kept. */
async function reloadUnderRequests(port) {
  say('New processes for old ones, while requests come in on new connections and on kept ones:')
  const count = { answered: 0, failed: 0, late: 0 }
  let reloading = true
  const clients = Array.from({ length: CLIENTS }, async (_, at) => {
    const agent = at % 2 === 0 && new http.Agent({ keepAlive: true, maxSockets: 1 })
    let asked = performance.now()
    while (reloading) {
      const idleSince = agent ? asked : performance.now()
      asked = performance.now()
      try {
        await ask(port, '/busy', { agent })
        count.answered += 1
      } catch (error) {
        const late = ['ECONNRESET', 'EPIPE'].includes(error.code) && performance.now() - idleSince >= SPARED_MS
        count[late ? 'late' : 'failed'] += 1
      }
    }
    if (agent) agent.destroy()
  })
  const start = performance.now()
  await reload()
  reloading = false
  await Promise.all(clients)
  console.log(`  ${INSTANCES} instances reloaded in ${ms(start)}: ${count.answered} requests answered, ${count.failed} failed`)
  if (count.late > 0) console.log(`  (${count.late} were asked more than ${SPARED_MS} ms after the one before on the same connection: this machine is very busy)`)
  if (count.failed > 0 || count.answered === 0) throw new Error('requests failed')
}

function reload() {
  const child = spawn(exe, ['reload', 'http', '--silent'], { env, cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => (code === 0 ? resolve() : reject(new Error(`rewake reload ended with exit code ${code}`))))
  })
}

function stop() {
  if (!home) return
  spawnSync(exe, ['kill', '--silent'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  fs.rmSync(home, { recursive: true, force: true })
}

function sayHowToGoOn(port) {
  say('It is still running. To look at it:')
  console.log(`  export REWAKE_HOME=${home}`)
  console.log(`  export PATH=${path.dirname(exe)}:$PATH`)
  console.log(`  curl http://127.0.0.1:${port}/`)
  console.log('  rewake list            all apps')
  console.log('  rewake logs            what they write, as it comes')
  console.log('  rewake reload http     new processes, no request lost')
  console.log('  rewake scale http 5    two more')
  console.log('  rewake kill            stops everything')
}

function sayWhatToTry() {
  say('Everything is stopped. What to try next:')
  console.log('  npm start -- --keep    the same, left running')
  console.log('  examples/              the app that you saw, workers inside a program, TypeScript')
  console.log('  README.md              a tour of five minutes')
}

async function main() {
  if (!process.argv.includes('--no-build')) await build()
  exe = locate(target()).exe
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'rewake-start-'))
  env.REWAKE_HOME = home
  const port = await freePorts(1)
  env.PORT = String(port)

  say('An HTTP server in three processes that share a port:')
  rewake('start', 'examples/http/ecosystem.config.js')
  say('Each one answers:')
  await eachAnswers(port)
  await killOne(port)
  await reloadUnderRequests(port)
  rewake('list')
  rewake('logs', '--nostream', '--lines', '3')
  if (keep) return sayHowToGoOn(port)
  rewake('kill')
  stop()
  sayWhatToTry()
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stop()
    process.exit(130)
  })
}

try {
  await main()
} catch (error) {
  console.error(`\nnpm start: ${error.message}`)
  const log = home && path.join(home, 'rewake.log')
  if (log && fs.existsSync(log)) console.error(fs.readFileSync(log, 'utf8'))
  stop()
  process.exitCode = 1
}
