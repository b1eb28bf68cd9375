// A thousand clients, each with an address of its own, stay at their workers: every connection of one reaches the same, also while
// another worker dies and comes back.

import { whoAnswers, withHome } from './home.mjs'

const INSTANCES = 4
const CLIENTS = 1000
const CONNECTIONS = { full: 10, quick: 4 }
const AT_A_TIME = 64
// A fair hash puts some 250 clients at each of four workers, give or take 14.
const LEAST_EVEN = 0.6
// Rounds of all clients with which a worker's death is watched.
const ROUNDS_WHILE_DOWN = 4

/** How the addresses of clients differ: what a hash mixes badly is seen in the spread. */
const PATTERNS = {
  neighbours: n => `127.20.${n >> 8}.${n & 255}`,
  'every fourth': n => `127.${30 + (n >> 12)}.${(n >> 6) & 63}.${(n & 63) * 4 + 1}`,
  'one in each network': n => `127.${40 + (n >> 8)}.${n & 255}.7`,
  anywhere: n => `127.${64 + (hash(n) & 127)}.${(hash(n) >> 8) & 255}.${(hash(n) >> 16) & 255}`
}

/** What happens to the worker of instance `id`, whose process is `pid`. */
const EVENTS = {
  'kill -9': (home, { pid }) => process.kill(pid, 'SIGKILL'),
  'send-signal SIGTERM': (home, { id }) => home.must('send-signal', 'SIGTERM', String(id)),
  restart: (home, { id }) => home.must('restart', String(id))
}

export async function run(options, report) {
  // Other modes promise nothing of the kind; who asks for one sees what it does.
  for (const mode of options.modes ?? ['client-ip']) {
    for (const node of options.nodes) await withHome(options, report, home => one(home, { mode, node }, options, report))
  }
}

async function one(home, { mode, node }, options, report) {
  const promise = mode === 'client-ip' ? (holds, text) => report.promise(holds, `${mode}: ${text}`) : () => {}
  const port = await home.start({ instances: INSTANCES, mode, node })
  const connections = options.quick ? CONNECTIONS.quick : CONNECTIONS.full
  const spread = report.table('addresses', 'mode', 'Node', 'clients', 'connections', 'failed', 'clients that moved', 'clients at each worker', 'least/most')
  for (const [name, address] of Object.entries(PATTERNS)) {
    const found = await settle(port, address, connections)
    const at = Object.values(found.perWorker)
    const even = at.length < INSTANCES ? 0 : Math.min(...at) / Math.max(...at)
    spread(name, mode, version(node), CLIENTS, CLIENTS * connections, found.failed, found.moved, at.join(' '), even)
    promise(found.failed === 0, `${name}: ${found.failed} connections failed`)
    promise(found.moved === 0, `${name}: ${found.moved} of ${CLIENTS} clients reached more than one worker`)
    promise(even >= LEAST_EVEN, `${name}: unevenly spread, ${at.join(' ')}`)
  }
  const moves = report.table('a worker goes', 'mode', 'Node', 'connections', 'clients of others that moved', 'that failed', 'its clients elsewhere meanwhile', 'failed', 'back at its successor')
  let victim = 0
  for (const [name, event] of Object.entries(EVENTS)) {
    const seen = await watch(home, port, victim, event)
    moves(name, mode, version(node), seen.connections, seen.others.moved, seen.others.failed, seen.its.moved, seen.its.failed, `${seen.back} of ${seen.its.count}`)
    promise(seen.others.moved === 0 && seen.others.failed === 0, `${name}: ${seen.others.moved} clients of other workers moved, ${seen.others.failed} failed`)
    promise(seen.back === seen.its.count, `${name}: ${seen.back} of ${seen.its.count} clients are at the successor of their worker`)
    victim += 1
  }
}

/** Each client connects so many times: which worker it has, how many reached several. */
async function settle(port, address, connections) {
  const at = Array.from({ length: CLIENTS }, () => new Set())
  let failed = 0
  for (let count = 0; count < connections; count += 1) {
    const workers = await round(port, address)
    workers.forEach((worker, client) => (worker ? at[client].add(worker.pid) : (failed += 1)))
  }
  const perWorker = {}
  for (const [pid] of at) perWorker[pid] = (perWorker[pid] ?? 0) + 1
  return { perWorker, failed, moved: at.filter(workers => workers.size > 1).length }
}

/** Something happens to one worker while all clients go on connecting. */
async function watch(home, port, instance, event) {
  const address = PATTERNS.anywhere
  const before = await round(port, address)
  // A successor has another process, and the same instance.
  const pid = (await home.slots())[instance].pid
  const isIts = before.map(worker => worker?.pid === pid)
  const seen = { others: { moved: 0, failed: 0 }, its: { moved: 0, failed: 0, count: isIts.filter(Boolean).length }, connections: 0, back: 0 }
  const happening = (async () => event(home, { id: instance, pid }))()
  for (let count = 0; count < ROUNDS_WHILE_DOWN; count += 1) {
    const workers = await round(port, address)
    workers.forEach((worker, client) => {
      const group = isIts[client] ? seen.its : seen.others
      if (!worker) group.failed += 1
      else if (worker.pid !== before[client]?.pid && worker.instance !== before[client]?.instance) group.moved += 1
      else if (!isIts[client] && worker.pid !== before[client]?.pid) group.moved += 1
    })
    seen.connections += workers.length
  }
  await happening
  await home.until('the successor', async () => {
    const slot = (await home.slots())[instance]
    return slot.pid > 0 && slot.pid !== pid && slot.status === 'online'
  })
  await home.until('its first answer', async () => (await round(port, address, 200)).some(worker => worker?.instance === instance))
  const successor = (await home.slots())[instance].pid
  const after = await round(port, address)
  seen.back = after.filter((worker, client) => isIts[client] && worker?.pid === successor).length
  return seen
}

/** One connection of each client, some at a time: who answered it. */
async function round(port, address, clients = CLIENTS) {
  const workers = Array.from({ length: clients })
  let next = 0
  const one = async () => {
    while (next < clients) {
      const client = next
      next += 1
      workers[client] = await whoAnswers({ port, localAddress: address(client) })
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, one))
  return workers
}

/** A number that looks like none of its neighbours', and never the same for two. */
function hash(n) {
  let value = (n + 1) * 0x9e3779b1
  value = Math.imul(value ^ (value >>> 15), 0x85ebca6b)
  return (value ^ (value >>> 13)) >>> 0
}

const version = node => (node === process.execPath ? process.version : node)
