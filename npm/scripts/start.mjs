// `npm start`: builds Rewake, runs the HTTP example under it in a home of its own, shows what it does, and stops everything.
// `npm start -- --keep` leaves it running; `--no-build` takes what is built.

import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'

import { ask, askUntil, freePorts } from './support/http.mjs'
import { root } from './support/paths.mjs'

const { locate, target } = createRequire(import.meta.url)('../rewake/lib/loader.cjs')

const INSTANCES = 3
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

async function killOne(ports) {
  const victim = await ask(ports[1])
  say(`Instance 1 is process ${victim.pid}. It gets a SIGKILL:`)
  const start = performance.now()
  process.kill(victim.pid, 'SIGKILL')
  const successor = await askUntil(ports[1], ({ pid }) => pid !== victim.pid)
  console.log(`  process ${successor.pid} answers on port ${ports[1]}, ${ms(start)} after the kill`)
}

/** Restarts one instance after the other while requests come in; a client whose instance is away tries the next one. */
async function restartUnderRequests(ports) {
  say('Restarting one instance after the other, while requests come in:')
  const count = { answered: 0, elsewhere: 0, failed: 0 }
  let restarting = true
  const requests = (async () => {
    for (let at = 0; restarting; at += 1) {
      const order = ports.map((_, offset) => ports[(at + offset) % ports.length])
      let away = 0
      for (const port of order) {
        try {
          await ask(port, '/busy')
          break
        } catch {
          away += 1
        }
      }
      if (away === order.length) count.failed += 1
      else count.answered += 1
      if (away > 0) count.elsewhere += 1
    }
  })()
  for (let id = 0; id < INSTANCES; id += 1) await restartOne(id)
  restarting = false
  await requests
  const { answered, elsewhere, failed } = count
  console.log(`  ${answered} requests answered (${elsewhere} by the next instance), ${failed} failed`)
  if (failed > 0 || answered === 0) throw new Error('requests failed')
}

function restartOne(id) {
  const start = performance.now()
  const child = spawn(exe, ['restart', String(id), '--silent'], { env, cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      if (code !== 0) return reject(new Error(`rewake restart ${id} ended with exit code ${code}`))
      console.log(`  instance ${id} restarted in ${ms(start)}`)
      resolve()
    })
  })
}

function stop() {
  if (!home) return
  spawnSync(exe, ['kill', '--silent'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  fs.rmSync(home, { recursive: true, force: true })
}

function sayHowToGoOn(ports) {
  say('It is still running. To look at it:')
  console.log(`  export REWAKE_HOME=${home}`)
  console.log(`  export PATH=${path.dirname(exe)}:$PATH`)
  console.log(`  curl http://127.0.0.1:${ports[0]}/`)
  console.log('  rewake list            all apps')
  console.log('  rewake logs            what they write, as it comes')
  console.log('  rewake restart http    a new process for each instance')
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
  const first = await freePorts(INSTANCES)
  const ports = Array.from({ length: INSTANCES }, (_, at) => first + at)
  env.PORT = String(first)

  say('An HTTP server in three instances, each on a port of its own:')
  rewake('start', 'examples/http/ecosystem.config.js')
  say('Each one answers:')
  for (const port of ports) {
    const { instance, pid } = await ask(port, '/hello')
    console.log(`  GET http://127.0.0.1:${port}/hello: instance ${instance}, process ${pid}`)
  }
  await killOne(ports)
  await restartUnderRequests(ports)
  rewake('list')
  rewake('logs', '--nostream', '--lines', '3')
  if (keep) return sayHowToGoOn(ports)
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
