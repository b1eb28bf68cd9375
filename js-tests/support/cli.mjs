// The executable in a home of its own.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'

import { isAlive } from './processes.mjs'
import { until } from './until.mjs'

const { locate, target } = createRequire(import.meta.url)('../../npm/rewake/lib/loader.cjs')

/** Runs a program to its end: `{ code, signal, stdout, stderr }`. */
export function runToEnd(program, args, { cwd, env, input = '', timeoutMs = 180_000 } = {}) {
  const child = spawn(program, args, { cwd, env, timeout: timeoutMs, killSignal: 'SIGKILL' })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  child.stdin.on('error', () => {}).end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

/** The environment of a shell in which `rewake` and this Node are the first in the PATH, and `home` is the home. */
export function shellEnv(home) {
  const { exe } = locate(target())
  const PATH = [path.dirname(exe), path.dirname(process.execPath), process.env.PATH].join(path.delimiter)
  return { ...process.env, PATH, REWAKE_HOME: home }
}

/** A home of its own, ended with the test: `{ home, env, rewake(...args) }`. */
export function cli(t, cwd) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rewake-test-'))
  const home = path.join(folder, 'home')
  const env = shellEnv(home)
  const run = (args, cwd) => runToEnd(locate(target()).exe, args, { cwd, env })
  // In one hook: hooks run in the order in which they were given, and a daemon is not found when its home is gone.
  t.after(async () => {
    await run(['kill'], folder)
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  return { home, env, rewake: (...args) => run(args, cwd) }
}

/** Processes (zombies aside) that have `text` among their arguments or in their environment, this one aside. */
export function processesWith(text) {
  const holds = (pid, file) => {
    try {
      return fs.readFileSync(`/proc/${pid}/${file}`).includes(text)
    } catch {
      return false
    }
  }
  const pids = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number)
  return pids.filter(pid => pid !== process.pid && isAlive(pid) && (holds(pid, 'cmdline') || holds(pid, 'environ')))
}

/** Waits until no process has `text` among its arguments or in its environment. */
export function untilNoneHas(text) {
  return until(`the end of all that has ${text}`, () => processesWith(text).length === 0)
}
