// Socket.IO by long polling, many workers and no adapter: each request of a client must reach the worker that knows its session.

import http from 'node:http'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sourceAddress } from './clients/connection.mjs'
import { APPS, withHome } from './home.mjs'
import { install, requireInstalled } from './install.mjs'

const INSTANCES = 4
const CLIENTS = { full: 100, quick: 40 }
const MESSAGES = 20
// Between the messages of one client, so that polls and answers go back and forth.
const PAUSE_MS = 10
const CLIENT_MS = 20_000

const TRANSPORTS = { polling: { transports: ['polling'] }, 'polling, then websocket': { transports: ['polling', 'websocket'], upgrade: true } }

export async function run(options, report) {
  if (!install('socket.io', 'socket.io-client')) return report.broken('Socket.IO cannot be installed')
  const { io } = requireInstalled('socket.io-client')
  const row = report.table('transport', 'mode', 'Node', 'clients', 'messages answered', 'clients that failed', 'workers', 'errors')
  for (const mode of options.modes ?? ['client-ip']) {
    for (const node of options.nodes) {
      await withHome(options, report, async home => {
        const env = { SOCKET_IO: requireInstalled.resolve('socket.io') }
        const port = await home.start({ instances: INSTANCES, mode, node, env, script: path.join(APPS, 'socketio.cjs') })
        for (const [name, transports] of Object.entries(TRANSPORTS)) {
          const count = options.quick ? CLIENTS.quick : CLIENTS.full
          const clients = await Promise.all(Array.from({ length: count }, (_, number) => one(io, port, number, transports)))
          const failed = clients.filter(({ errors, answered }) => errors.length > 0 || answered < MESSAGES)
          const errors = tally(clients.flatMap(client => client.errors))
          row(name, mode, node === process.execPath ? process.version : node, count, clients.reduce((sum, { answered }) => sum + answered, 0), failed.length, new Set(clients.flatMap(({ pids }) => [...pids])).size, errors)
          // The other modes are no answer to this; who asks for one sees why.
          if (mode === 'client-ip') report.promise(failed.length === 0, `${mode}, ${name}: ${failed.length} of ${count} clients failed: ${errors}`)
        }
      })
    }
  }
}

/** One client: connects, and has each of its messages answered by one and the same process. */
async function one(io, port, number, transports) {
  // Connections that are not kept: each poll is a new one, which may go anywhere.
  const agent = new http.Agent({ keepAlive: false, localAddress: sourceAddress(number) })
  const socket = io(`http://127.0.0.1:${port}`, { ...transports, agent, forceNew: true, reconnection: false, timeout: CLIENT_MS })
  const client = { answered: 0, errors: [], pids: new Set() }
  try {
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('connect_error', error => reject(new Error(reason(error))))
    })
    const ended = new Promise((_, reject) => socket.once('disconnect', (why, details) => reject(new Error(reason(details) ?? why))))
    ended.catch(() => {})
    for (let count = 0; count < MESSAGES; count += 1) {
      const { text, pid } = await Promise.race([socket.timeout(CLIENT_MS).emitWithAck('say', `${number}/${count}`), ended])
      if (text !== `${number}/${count}`) throw new Error('wrong answer')
      client.answered += 1
      client.pids.add(pid)
      await sleep(PAUSE_MS)
    }
    if (client.pids.size !== 1) client.errors.push(`${client.pids.size} processes`)
  } catch (error) {
    client.errors.push(error.message)
  } finally {
    socket.disconnect()
    agent.destroy()
  }
  return client
}

/** What the server said of an error, which Socket.IO wraps: `Session ID unknown`, say. */
function reason(error) {
  const text = error?.context?.responseText ?? error?.context?.response
  try {
    return JSON.parse(text).message
  } catch {
    return error?.message ?? error?.description?.message
  }
}

function tally(errors) {
  const counts = {}
  for (const error of errors) counts[error] = (counts[error] ?? 0) + 1
  return Object.entries(counts).map(([error, count]) => `${count} ${error}`).join(', ')
}
