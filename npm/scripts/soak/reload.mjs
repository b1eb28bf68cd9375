// Reloads under full load: no request may fail, whatever the app knows of signals and whatever it speaks.
//
// How long answers take while reloading is beside two others of the same setup: quiet, and while as many processes of the same app are
// started with nobody's help and serve nobody (`start`). What starting a process costs on a machine that is busy already is no supervisor's.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../support/http.mjs'
import { FIXTURES, SERVER, withHome } from './home.mjs'
import { Load } from './load.mjs'
import { MODES } from './options.mjs'

// Small, because whoever keeps a WebSocket open has the whole of it in every reload.
const DRAIN_TIMEOUT_MS = 2000
const SLOW = [20, 50]
const WARM_MS = 1000
// What came late in the last reload is still of it.
const SETTLE_MS = 300
/** So many reloads and requests, all rows together, are what the full run is meant to have. */
const GOAL = { reloads: 100, requests: 1_000_000 }
// p99.9 while reloading is to be no more than twice the quiet one: so many may take longer than that, all rows together. Below some ms
// it is the scheduler that is measured.
const MOST_SLOWER = 2
const SHARE_SLOWER = 0.001
const NOISE_MS = 5

/** What a client does, by what the server speaks. `slow`: answers take a while, so more of them are under way. */
const PROTOCOLS = [
  { name: 'http kept', kind: 'http', client: 'http1', load: slow => kept(slow) },
  { name: 'http paced', kind: 'http', client: 'http1', load: slow => ({ groups: [{ count: slow ? 80 : 32, keepAlive: true, delay: slow, think: [0, 20] }] }) },
  { name: 'http closed', kind: 'http', client: 'http1', load: slow => closed(slow) },
  { name: 'https kept', kind: 'https', client: 'http1', load: slow => ({ secure: true, ...kept(slow) }) },
  { name: 'https closed', kind: 'https', client: 'http1', load: slow => ({ secure: true, ...closed(slow) }) },
  { name: 'h2c', kind: 'h2c', client: 'http2', load: slow => ({ sessions: 8, streams: slow ? 20 : 6, delay: slow }) },
  { name: 'h2', kind: 'h2', client: 'http2', load: slow => ({ secure: true, sessions: 8, streams: slow ? 20 : 6, delay: slow }) },
  { name: 'websocket', kind: 'ws', client: 'websocket', load: slow => ({ connections: slow ? 120 : 40, think: [0, 10], delay: slow }) }
]

/** Graceful: SIGINT, `close()`, exit. Plain: never heard of signals. Slow: plain, with 20 to 50 ms for each answer. */
const APPS = [{ name: 'graceful', app: 'graceful' }, { name: 'plain', app: 'plain' }, { name: 'slow', app: 'plain', slow: SLOW }]

function kept(delay) {
  const busy = { count: delay ? 120 : 24, keepAlive: true, delay }
  // A pause is when a server may close just as its client sends.
  return { groups: [busy, { count: delay ? 40 : 8, keepAlive: true, delay, think: [0, 20] }] }
}

function closed(delay) {
  return { groups: [{ count: delay ? 160 : 32, keepAlive: false, delay }] }
}

export async function run(options, report) {
  const row = report.table('reload', 'app', 'instances', 'mode', 'Node', 'reloads', 'requests', 'failed', 'apart', 'req/s', 'one reload ms', 'p99 quiet', 'p99 start', 'p99 ms', 'p99.9 quiet', 'p99.9 start', 'p99.9 ms', 'longest ms')
  const total = { reloads: 0, requests: 0, failed: 0, during: 0, slower: { quiet: 0, start: 0 }, longest: 0 }
  for (const node of options.nodes) {
    for (const mode of options.modes ?? MODES) {
      for (const setup of setups(options)) await one({ ...setup, mode, node }, options, report, row, total)
    }
  }
  row('all', '', '', '', '', total.reloads, total.requests, total.failed, '', '', '', '', '', '', '', '', '', total.longest)
  for (const [beside, slower] of Object.entries(total.slower)) {
    const share = slower / total.during
    const text = `${(share * 100).toFixed(3)} % of the answers while reloading took more than ${MOST_SLOWER} times the p99.9 of \`${beside}\``
    report.target(share <= SHARE_SLOWER, text)
  }
  if (!options.quick && (total.reloads < GOAL.reloads || total.requests < GOAL.requests)) report.note(`Less than ${GOAL.reloads} reloads or ${GOAL.requests} requests.`)
}

function setups({ quick, only = '' }) {
  const counts = quick ? [2] : [1, 2, 4]
  const all = PROTOCOLS.flatMap(protocol => APPS.flatMap(app => counts.map(instances => ({ protocol, app, instances }))))
  return all.filter(setup => nameOf(setup).includes(only))
}

const nameOf = ({ protocol, app, instances }) => `${protocol.name}, ${app.name}, ${instances} instances`

async function one({ protocol, app, instances, mode, node }, options, report, row, total) {
  const reloads = options.quick ? 1 : 2
  const what = `${nameOf({ protocol, app, instances })}, ${mode}`
  await withHome(options, report, async home => {
    const env = { KIND: protocol.kind, APP: app.app }
    const port = await home.start({ instances, mode, node, env, drain_timeout: DRAIN_TIMEOUT_MS })
    const load = await Load.begin(protocol.client, { port, ...protocol.load(app.slow) })
    try {
      await load.phase('warm')
      await sleep(WARM_MS)
      await load.phase('quiet')
      await sleep(options.quick ? 1000 : 2000)
      await load.phase('start')
      for (let count = 0; count < reloads * instances; count += 1) await startBeside(node, env)
      await load.phase('settle')
      await sleep(SETTLE_MS)
      await load.phase('reload')
      const began = performance.now()
      const times = []
      for (let count = 0; count < reloads; count += 1) times.push(await reload(home, load, { protocol, app, instances, what }, report))
      const seconds = (performance.now() - began) / 1000
      await sleep(SETTLE_MS)
      const counted = await load.stop()
      const [quiet, start, reloading] = ['quiet', 'start', 'reload'].map(counted.phase)
      const apart = Object.entries(counted.counts).map(([kind, times]) => `${times} ${kind}`).join(', ')
      const quantiles = share => [quiet, start, reloading].map(phase => phase.quantile(share))
      const rate = Math.round(reloading.count / (seconds + SETTLE_MS / 1000))
      row(protocol.name, app.name, instances, mode, version(node), reloads, counted.answered, counted.failed, apart, rate, Math.round(mean(times)), ...quantiles(0.99), ...quantiles(0.999), reloading.max)
      report.promise(counted.failed === 0, `${what}: ${counted.failed} of ${counted.answered + counted.failed} failed: ${JSON.stringify(counted.failures)} ${counted.examples.slice(0, 4).join('; ')}`)
      report.promise(reloading.count > 0, `${what}: nothing was answered while reloading`)
      total.reloads += reloads
      total.requests += counted.answered + counted.failed
      total.failed += counted.failed
      total.during += reloading.count
      total.longest = Math.max(total.longest, reloading.max)
      for (const [name, phase] of Object.entries({ quiet, start })) total.slower[name] += reloading.slowerThan(Math.max(NOISE_MS, MOST_SLOWER * phase.quantile(0.999)))
    } finally {
      await load.abandon()
    }
  })
}

/** Another process of the same app, on a port where nobody asks; ended when it serves. */
async function startBeside(node, env) {
  const beside = fork(SERVER, { execPath: node, env: { ...process.env, ...env, FIXTURES, ALONE: '1', PORT: String(await freePorts(1)) }, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const ended = once(beside, 'exit')
  await Promise.race([once(beside, 'message'), ended])
  beside.kill('SIGKILL')
  await ended
}

/** One reload of all instances; how long it took. */
async function reload(home, load, { protocol, app, instances, what }, report) {
  const before = await home.pids()
  // A server that knows nothing of its clients' end cannot tell them of its own, which is at the end of its time.
  if (protocol.kind === 'ws' && app.app !== 'graceful') await load.call('cutsAreInOrderIn', DRAIN_TIMEOUT_MS)
  const { code, stderr, ms } = await home.run('reload', 'web')
  report.promise(code === 0, `${what}: the reload ended with ${code}: ${stderr.trim()}`)
  const after = await home.pids()
  const isNew = after.length === instances && after.every(pid => pid > 0 && !before.includes(pid))
  report.promise(isNew, `${what}: processes ${before} became ${after}`)
  return ms
}

const mean = list => list.reduce((sum, one) => sum + one, 0) / list.length
const version = node => (node === process.execPath ? process.version : /node-?(\d+)/.exec(node)?.[1] ?? node)
