// Programs under js-tests/hosts, run as processes of their own that speak by lines of JSON.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { afterwards } from './folders.mjs'
import { within } from './until.mjs'

const hosts = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'hosts')

/** Starts a host; killed after the test if it is still there. */
export function host(t, name, args = [], env = {}) {
  const child = spawn(process.execPath, [path.join(hosts, name), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env }
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', text => (errors += text))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal, errors })))
  afterwards(t, () => child.kill('SIGKILL'))
  return {
    pid: child.pid,
    /** The next line that it says, as a value. */
    async says() {
      const { done, value } = await within(`a line from ${name}; stderr: ${errors}`, lines.next(), 120_000)
      assert.ok(!done, `${name} ended without another word; stderr: ${errors}`)
      return JSON.parse(value)
    },
    kill: signal => child.kill(signal),
    /** How it ended: `{ code, signal, errors }`. */
    ended: () => within(`the end of ${name}`, ended)
  }
}
