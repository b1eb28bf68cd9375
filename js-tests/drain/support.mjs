// Apps that run with the drain helper, as a worker does, on every Node.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { afterwards } from '../support/folders.mjs'
import { until, within } from '../support/until.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))

export const helper = path.join(here, '..', '..', 'crates', 'rewake-engine', 'src', 'drain', 'helper.cjs')
/** How long an idle connection is spared, and how late it may be cut after that, both by the helper's clock. */
export const GRACE_MS = 1000
export const LATE_MS = 500
/** So much earlier nothing is cut: the helper looks ten times a second. */
export const EARLY_MS = 100

/** This Node, and those of `REWAKE_TEST_NODES` (colon separated). */
export const nodes = [process.execPath, ...(process.env.REWAKE_TEST_NODES ?? '').split(':').filter(Boolean)]

/** One test for each Node that apps run on. */
export function onEachNode(name, body) {
  for (const node of nodes) test(nodes.length === 1 ? name : `${name} (${node})`, { timeout: 180_000 }, t => body(t, node))
}

export function app(name) {
  return path.join(here, 'apps', name)
}

/** Runs an app with the helper and a channel; killed after the test if it is still there. */
export function run(t, node, args, { with: options = ['--require', helper], env = {} } = {}) {
  const child = spawn(node, [...options, ...args], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...process.env, ...env } })
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => (output += text))
  child.stderr.setEncoding('utf8').on('data', text => (errors += text))
  const messages = []
  child.on('message', message => messages.push(message))
  const ended = new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal, output, errors })))
  afterwards(t, () => child.kill('SIGKILL'))
  return {
    pid: child.pid,
    send: message => child.send(message),
    /** The next message that has this key; its value. */
    async says(key) {
      const message = await until(`${key} from ${args}; stderr: ${errors}`, () => messages.find(message => Object.hasOwn(message, key)))
      messages.splice(messages.indexOf(message), 1)
      return message[key]
    },
    hasSaid: key => messages.some(message => Object.hasOwn(message, key)),
    ended: () => within(`the end of ${args}`, ended)
  }
}

/** A server of this kind, listening. Its helper's time stands still but for `pass`, unless the clock is the real one. */
export async function serve(t, node, kind, { realClock = false } = {}) {
  const clock = realClock ? [] : ['--require', app('clock.cjs')]
  const server = run(t, node, [app('server.cjs'), kind], { with: [...clock, '--require', helper] })
  const port = await server.says('port')
  return {
    ...server,
    port,
    /** Lets so much of the helper's time pass; how many connections are left then. */
    async pass(ms) {
      server.send({ pass: ms })
      await server.says('passed')
      server.send('count')
      return server.says('count')
    },
    async close() {
      server.send('close')
      await server.says('closing')
    },
    /** Lets go of the channel: what keeps the process alive from here on is the server. */
    async endsByItself() {
      server.send('leave')
      assert.deepEqual(await server.ended(), { code: 0, signal: null, output: '', errors: '' })
    }
  }
}

/** A keep-alive connection of an http client: one request at a time, on one socket as long as it is left open. */
export function client(t, port, { module = http, ...options } = {}) {
  const agent = new module.Agent({ keepAlive: true, maxSockets: 1 })
  afterwards(t, () => agent.destroy())
  return {
    get: path =>
      new Promise((resolve, reject) => {
        const request = module.get({ host: '127.0.0.1', port, path, agent, ...options }, response => {
          let body = ''
          response.setEncoding('latin1').on('data', text => (body += text))
          response.on('error', reject)
          response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
        })
        request.on('error', reject)
      })
  }
}

/** A bare connection: what came, and when it ended. */
export async function connection(t, port) {
  const socket = net.connect({ host: '127.0.0.1', port })
  const it = { socket, received: '', endedAt: undefined }
  socket.setEncoding('latin1').on('data', text => (it.received += text))
  socket.on('error', () => {}).on('close', () => (it.endedAt = Date.now()))
  afterwards(t, () => socket.destroy())
  await within('a connection', new Promise(resolve => socket.on('connect', resolve)))
  return it
}

/**
 * Asks again and again until an answer says that the connection closes. Every request must be answered, but for one of a client that took, on
 * this machine, about the grace or longer since it asked before: whoever is so late may find its connection cut.
 */
export async function hammer(asks, thinkMs) {
  let askedAt = Infinity
  for (let answered = 1; ; answered++) {
    const before = askedAt
    askedAt = performance.now()
    const answer = await asks().catch(error => {
      if (performance.now() - before < GRACE_MS * 0.9) throw error
    })
    if (answer === undefined) return answered
    const { body, headers, status } = answer
    assert.deepEqual({ body, status }, { body: 'ok', status: 200 })
    if (headers.connection === 'close') return answered
    assert.equal(headers.connection, 'keep-alive')
    const think = thinkMs()
    if (think > 0) await new Promise(resolve => setTimeout(resolve, think))
  }
}
