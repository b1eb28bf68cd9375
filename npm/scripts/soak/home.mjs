// A home of Rewake of its own, with what a soak does in it. Everything that runs there ends with it.

import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from './clients/connection.mjs'
import { http2Worker } from './clients/http2.mjs'
import { freePorts } from '../support/http.mjs'
import { root } from '../support/paths.mjs'

const exe = path.join(root, 'target', 'release', 'rewake')
export const APPS = path.join(root, 'npm', 'scripts', 'soak', 'apps')
export const SERVER = path.join(APPS, 'server.cjs')
/** A key and a certificate that nobody trusts. */
export const FIXTURES = path.join(root, 'js-tests', 'drain', 'fixtures')
// The slowest thing that any soak asks for, a reload of four instances that all wait for something, with room.
const COMMAND_MS = 120_000
const UP_MS = 15_000
// After `rewake kill` has said that everything is gone.
const GONE_MS = 3000

const homes = new Set()
let isBuilt = false

/** Makes sure that there is a release build, and that it is this checkout's. */
function build(options) {
  if (isBuilt || (!options.build && fs.existsSync(exe))) return
  const built = spawnSync('cargo', ['build', '--release', '--quiet', '--package', 'rewake-cli'], { cwd: root, stdio: 'inherit' })
  if (built.status !== 0) throw new Error('rewake does not build')
  isBuilt = true
}

/** Gives a home to `body`, ends it, and says so if something was left running. */
export async function withHome(options, report, body) {
  build(options)
  const home = new Home()
  homes.add(home)
  try {
    return await body(home)
  } catch (error) {
    error.message += home.log()
    throw error
  } finally {
    await home.run('kill')
    const left = await home.left()
    for (const { pid, command } of left) report.broken(`left running: process ${pid} (${command})`)
    home.end()
  }
}

/** Ends every home at once: for signals and errors. */
export function endAll() {
  for (const home of homes) {
    spawnSync(exe, ['kill'], { env: home.env, stdio: 'ignore', timeout: 20_000 })
    home.end()
  }
}

export class Home {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rewake-soak-'))
  env = { ...process.env, REWAKE_HOME: path.join(this.folder, 'home') }

  /** Runs a command to its end. */
  run(...args) {
    const start = performance.now()
    const child = spawn(exe, args, { env: this.env, cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: COMMAND_MS, killSignal: 'SIGKILL' })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr, ms: performance.now() - start }))
    })
  }

  /** The same, and it must end well. */
  async must(...args) {
    const ended = await this.run(...args)
    if (ended.code !== 0) throw new Error(`rewake ${args.join(' ')} ended with ${ended.signal ?? ended.code}: ${ended.stderr}`)
    return ended
  }

  /** Starts `server.cjs` (or what `more` names) as the app `web` in cluster mode, and waits until each instance answers; its port. */
  async start({ instances, mode, node, env = {}, ...more }) {
    const port = await freePorts(1)
    const web = {
      name: 'web',
      script: SERVER,
      exec_mode: 'cluster',
      instances,
      interpreter: node,
      cluster_balance: mode,
      env: { ...env, PORT: String(port), FIXTURES },
      ...more
    }
    const file = path.join(this.folder, 'web.json')
    fs.writeFileSync(file, JSON.stringify({ apps: [web] }))
    await this.must('start', file)
    await untilAllAnswer(port, instances, env.KIND)
    return port
  }

  /** The instances of the app: `{ id, pid, status }`, in order. */
  async slots() {
    const { stdout } = await this.must('jlist')
    const slots = JSON.parse(stdout).map(({ pm_id: id, pid, pm2_env: { status } }) => ({ id, pid, status }))
    return slots.sort((a, b) => a.id - b.id)
  }

  async pids() {
    return (await this.slots()).map(({ pid }) => pid)
  }

  /** Waits for a condition. */
  async until(what, holds) {
    const end = Date.now() + UP_MS
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`waited ${UP_MS} ms for ${what}`)
      await sleep(20)
    }
  }

  /** What keeper and daemon had to say last. */
  log() {
    const file = path.join(this.env.REWAKE_HOME, 'rewake.log')
    return fs.existsSync(file) ? `\n${fs.readFileSync(file, 'utf8').split('\n').slice(-12).join('\n')}` : ''
  }

  /** Processes that belong to this home and should be gone by now. */
  async left() {
    const end = Date.now() + GONE_MS
    for (;;) {
      const found = processesOf(this.folder)
      if (found.length === 0 || Date.now() > end) return found
      await sleep(20)
    }
  }

  end() {
    homes.delete(this)
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Waits until as many processes have answered; each question comes from another address. */
export async function untilAllAnswer(port, count, kind = 'http') {
  const end = Date.now() + UP_MS
  const seen = new Set()
  for (let at = 0; seen.size < count; at += 1) {
    if (Date.now() > end) throw new Error(`${seen.size} of ${count} instances answer after ${UP_MS} ms`)
    const localAddress = `127.8.${Math.trunc(at / 250) % 250}.${(at % 250) + 1}`
    const worker = await whoAnswers({ port, kind, localAddress })
    if (worker) seen.add(worker.pid)
    else await sleep(20)
  }
}

/** Who answers one request on a connection of its own: `{ pid, instance }`, or nothing. */
export async function whoAnswers({ port, kind = 'http', localAddress }) {
  if (kind.startsWith('h2')) return http2Worker({ port, secure: kind === 'h2', localAddress })
  return new Promise(resolve => {
    const connection = new Connection({ port, secure: kind === 'https', localAddress })
    connection.ask('/0/who', false, failure => {
      connection.leave()
      resolve(failure === undefined ? connection.worker : undefined)
    })
  })
}

/** Processes, zombies aside, with `text` in their environment. */
export function processesOf(text) {
  const read = (pid, file) => fs.readFileSync(`/proc/${pid}/${file}`, 'latin1')
  return fs.readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap(pid => {
    try {
      return read(pid, 'environ').includes(text) ? [{ pid: Number(pid), command: read(pid, 'cmdline').replaceAll('\0', ' ').trim() }] : []
    } catch {
      return []
    }
  })
}
