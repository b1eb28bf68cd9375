// Small HTTP helpers of the demonstration and its test.

import http from 'node:http'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** An answer that comes at all comes within this, however busy the machine is. */
const ANSWER_MS = 60_000
/** So long one question waits for its answer where another is asked after it. */
const AGAIN_MS = 2000

/** Asks a server on this machine, on a connection of its own or the agent's; the body as a value, or an error. */
export function ask(port, path = '/', { timeoutMs = ANSWER_MS, agent = false } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent, timeout: timeoutMs }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', text => (body += text))
      response.on('error', reject)
      response.on('end', () => {
        try {
          resolve(JSON.parse(body))
        } catch (error) {
          reject(error)
        }
      })
    })
    request.on('timeout', () => request.destroy(new Error(`no answer on port ${port} within ${timeoutMs} ms`)))
    request.on('error', reject)
  })
}

/** Asks until `predicate` likes the answer, and gives that answer; fails after `boundMs`. */
export async function askUntil(port, predicate, boundMs = ANSWER_MS) {
  const end = Date.now() + boundMs
  for (;;) {
    const answer = await ask(port, '/', { timeoutMs: AGAIN_MS }).catch(() => undefined)
    if (answer && predicate(answer)) return answer
    if (Date.now() > end) throw new Error(`waited ${boundMs} ms for another process to answer on port ${port}`)
    await sleep(1)
  }
}

/** The first of `count` ports in a row that nobody uses. */
export async function freePorts(count) {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    // Below the range from which Linux takes ports for outgoing connections.
    const first = 20_000 + Math.floor(Math.random() * 10_000)
    const ports = Array.from({ length: count }, (_, at) => first + at)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first
  }
  throw new Error(`there are no ${count} free ports in a row`)
}

function isFree(port) {
  return new Promise(resolve => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
