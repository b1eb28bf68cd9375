// Measures Rewake beside PM2, in turns, on this machine, and prints the medians: `npm run bench`. Everything happens in homes
// of its own in a temporary folder; PM2 is installed there from the registry unless `--pm2 <its bin/pm2>` names one.

import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { Agent } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, askUntil, freePorts } from './support/http.mjs'
import { root } from './support/paths.mjs'

const ROUNDS = 5
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rewake-bench-'))
const app = path.join(folder, 'app.js')
const bare = path.join(folder, 'bare', 'app.js')
const files = { 100: fleet(100), 200: fleet(200) }

fs.writeFileSync(app, `require('http').createServer((_, response) => response.end(JSON.stringify({ pid: process.pid })))
  .listen(+process.env.PORT, '127.0.0.1')
process.on('SIGINT', () => process.exit(0))`)
fs.mkdirSync(path.dirname(bare))
fs.writeFileSync(bare, `require('http').createServer((_, response) => setTimeout(() => response.end(JSON.stringify({ pid: process.pid })), 5))
  .listen(+process.env.PORT, '127.0.0.1')`)

const burst = path.join(folder, 'burst.js')
fs.writeFileSync(burst, "for (let i = 0; i < 20000; i++) console.log('line ' + i)\nprocess.exit(0)")
const flood = path.join(folder, 'flood.js')
fs.writeFileSync(flood, `const block = ('x'.repeat(98) + '\\n').repeat(660)
let left = 100e6
;(function more() {
  for (; left > 0; left -= block.length) if (!process.stdout.write(block)) return process.stdout.once('drain', () => { left -= block.length; more() })
  setInterval(() => {}, 1e6)
})()`)

class Tool {
  constructor(name, command) {
    this.name = name
    this.command = command
    const home = path.join(folder, name)
    this.env = { ...process.env, HOME: home, PM2_HOME: home, REWAKE_HOME: home, BENCH: name }
    fs.mkdirSync(home, { mode: 0o700 })
  }

  /** Runs a command to its end; how long it took, ms. */
  run(...args) {
    const [program, ...before] = this.command
    const start = performance.now()
    const { status, stderr } = spawnSync(program, [...before, ...args], { env: this.env, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    if (status !== 0) throw new Error(`${this.name} ${args.join(' ')}: ${stderr}`)
    return performance.now() - start
  }

  /** Runs a command without waiting for it. */
  begin(...args) {
    const [program, ...before] = this.command
    return spawn(program, [...before, ...args], { env: this.env, cwd: folder, stdio: 'ignore' })
  }

  /** Every process of this tool that is no app: what carries its mark and no app's. */
  own() {
    return processes().filter(({ env, command }) => env.includes(`BENCH=${this.name}`) && !/app\.js|sleep/.test(command))
  }
}

function fleet(count) {
  const file = path.join(folder, `fleet-${count}.json`)
  const one = (_, at) => ({ name: `s${at}`, script: '/bin/sleep', args: '86400', interpreter: 'none', exec_mode: 'fork' })
  fs.writeFileSync(file, JSON.stringify({ apps: Array.from({ length: count }, one) }))
  return file
}

function processes() {
  const read = (pid, file) => fs.readFileSync(`/proc/${pid}/${file}`, 'latin1')
  return fs.readdirSync('/proc').filter(name => /^\d+$/.test(name) && +name !== process.pid).flatMap(pid => {
    try {
      return [{ pid, env: read(pid, 'environ').split('\0'), command: read(pid, 'cmdline') }]
    } catch {
      return []
    }
  })
}

function number(pid, file, name) {
  const found = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(fs.readFileSync(`/proc/${pid}/${file}`, 'latin1'))
  return Number(found[1])
}

function switches(pid) {
  const threads = fs.readdirSync(`/proc/${pid}/task`)
  const of = id => number(pid, `task/${id}/status`, 'voluntary_ctxt_switches') + number(pid, `task/${id}/status`, 'nonvoluntary_ctxt_switches')
  return threads.map(of).reduce((sum, one) => sum + one, 0)
}

/** Time on a CPU so far, ms. */
function cpu(pid) {
  const of = id => Number(fs.readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ')[0])
  return sum(fs.readdirSync(`/proc/${pid}/task`).map(of)) / 1e6
}

/** Two workers on one port. */
async function cluster(tool) {
  tool.env.PORT = String(await freePorts(1))
  tool.run('start', bare, '--name', 'cluster', '-i', '2')
  await askUntil(+tool.env.PORT, () => true)
}

/** Sixteen clients that ask without a pause; how many requests failed. */
async function hammer(port, { keepAlive, until }) {
  let [asked, failed] = [0, 0]
  const client = async () => {
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    while (!until(asked)) {
      asked += 1
      await ask(port, '/', { agent }).catch(() => (failed += 1))
    }
    agent.destroy()
  }
  await Promise.all(Array.from({ length: 16 }, client))
  return failed
}

/** Runs an app that writes into a log; what is in there when it no longer grows, and how long that took, ms. */
async function logOf(tool, script, ...words) {
  const [out, errors] = ['out', 'err'].map(name => path.join(folder, tool.name, `${name}.log`))
  fs.writeFileSync(out, '')
  const start = performance.now()
  tool.begin('start', script, '--name', 'writer', '-o', out, '-e', errors, '--no-autorestart', ...words)
  let [size, grew] = [0, 0]
  while (size === 0 || performance.now() - grew < 500) {
    await sleep(2)
    const now = fs.statSync(out).size
    if (now > size) [size, grew] = [now, performance.now()]
  }
  const text = fs.readFileSync(out, 'latin1')
  tool.run('delete', 'writer')
  return { took: grew - start, text }
}

const sum = list => list.reduce((total, one) => total + one, 0)
const median = list => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]

/** One figure: its name, its unit, and how it is taken, as often as `rounds` says. */
const figures = [
  ['first command, no daemon yet, until the app answers', 'ms', ROUNDS, async tool => {
    tool.run('kill')
    const PORT = await freePorts(1)
    tool.env.PORT = String(PORT)
    const start = performance.now()
    const command = tool.begin('start', app, '--name', 'web')
    await askUntil(PORT, () => true)
    const took = performance.now() - start
    await new Promise(done => (command.exitCode === null ? command.once('exit', done) : done()))
    return took
  }],
  ['SIGKILL of the app until its successor answers', 'ms', ROUNDS, async tool => {
    const { pid } = await askUntil(+tool.env.PORT, () => true)
    // Older than PM2's min_uptime, so that no policy slows the restart.
    await sleep(1200)
    const start = performance.now()
    process.kill(pid, 'SIGKILL')
    await askUntil(+tool.env.PORT, answer => answer.pid !== pid)
    return performance.now() - start
  }],
  ['`stop` of one app that leaves at once', 'ms', ROUNDS, tool => {
    const took = tool.run('stop', 'web')
    tool.run('start', 'web')
    return took
  }],
  ['CPU of the supervisor for 1,000 new connections to a cluster', 'ms', ROUNDS, async (tool, round) => {
    if (round === 0) await cluster(tool)
    const own = tool.own()
    const before = sum(own.map(({ pid }) => cpu(pid)))
    await hammer(+tool.env.PORT, { keepAlive: false, until: asked => asked >= 4000 })
    return (sum(own.map(({ pid }) => cpu(pid))) - before) / 4
  }],
  ['requests that fail in a `reload` of an app without a stop handler', '', ROUNDS, async tool => {
    let isOver = false
    tool.begin('reload', 'cluster').once('exit', () => (isOver = true))
    return hammer(+tool.env.PORT, { keepAlive: true, until: () => isOver })
  }],
  ['`list` with 100 apps', 'ms', 3 * ROUNDS, (tool, round) => {
    if (round === 0) {
      tool.run('delete', 'all')
      tool.run('start', files[100])
    }
    return tool.run('list')
  }],
  ['memory of the supervisor with 100 apps (PSS)', 'MiB', 1, tool => sum(tool.own().map(({ pid }) => number(pid, 'smaps_rollup', 'Pss'))) / 1024],
  ['context switches of the idle supervisor in 10 s', '', 1, async tool => {
    const own = tool.own()
    const before = sum(own.map(({ pid }) => switches(pid)))
    await sleep(10_000)
    return sum(own.map(({ pid }) => switches(pid))) - before
  }],
  ['start of 200 apps from a file', 'ms', 1, tool => {
    tool.run('delete', 'all')
    return tool.run('start', files[200])
  }],
  ['`stop all` of 200 apps', 'ms', 1, tool => tool.run('stop', 'all')],
  ['lines lost of 20,000 that an app prints before it exits', '', ROUNDS, async tool => 20_000 - (await logOf(tool, burst)).text.split('\n').length + 1],
  ['100 MB of lines with timestamps, from `start` until they are in the log', 'ms', 3, async tool => (await logOf(tool, flood, '--time')).took],
  ['CPU of the supervisor for them', 'ms', 3, async tool => {
    const own = tool.own()
    const before = sum(own.map(({ pid }) => cpu(pid)))
    await logOf(tool, flood, '--time')
    return sum(own.map(({ pid }) => cpu(pid))) - before
  }]
]

const tools = [new Tool('rewake', [rewake()]), new Tool('pm2', [process.execPath, pm2()])]
try {
  console.log(`| median of several rounds, Node ${process.version}, ${os.cpus().length} CPUs | Rewake | PM2 | ratio |\n|---|---:|---:|---:|`)
  for (const [name, unit, rounds, take] of figures) {
    const taken = tools.map(() => [])
    for (let round = 0; round < rounds; round += 1) {
      for (const [at, tool] of tools.entries()) taken[at].push(await take(tool, round))
    }
    const [ours, theirs] = taken.map(median)
    const show = value => `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`.trim()
    console.log(`| ${name} | ${show(ours)} | ${show(theirs)} | ${theirs ? (ours / theirs).toFixed(3) : '-'} |`)
  }
} finally {
  for (const tool of tools) tool.run('kill')
  fs.rmSync(folder, { recursive: true, force: true })
}

/** The release build. */
function rewake() {
  const built = spawnSync('cargo', ['build', '--release', '--quiet', '--package', 'rewake-cli'], { cwd: root, stdio: 'inherit' })
  if (built.status !== 0) throw new Error('rewake does not build')
  return path.join(root, 'target', 'release', 'rewake')
}

function pm2() {
  const given = process.argv.indexOf('--pm2')
  if (given > 0) return path.resolve(process.argv[given + 1])
  console.error('installing PM2 into a temporary folder')
  const installed = spawnSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, 'pm2@7'], { stdio: 'inherit' })
  if (installed.status !== 0) throw new Error('PM2 cannot be installed')
  return path.join(folder, 'node_modules', 'pm2', 'bin', 'pm2')
}
