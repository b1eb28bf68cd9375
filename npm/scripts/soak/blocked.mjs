// One of two workers blocks its event loop, again and again, while connections keep coming: how many of them have to wait for it? The same
// is counted before it blocks for the first time: a machine where too many wait then says nothing about what comes after.

import { setTimeout as sleep } from 'node:timers/promises'
import { withHome } from './home.mjs'
import { findPm2 } from './install.mjs'
import { Load } from './load.mjs'
import { MODES } from './options.mjs'
import { withNodeCluster, withPm2 } from './others.mjs'

const RATE = 1500
// In ms: blocked for, every, and how long it is looked at.
const LONG = { name: '5 s of 20 s', block: [5000, 20_000], look: { full: 80_000, quick: 12_000 } }
const SHORT = { name: '1 s of 2 s', block: [1000, 2000], look: { full: 40_000, quick: 10_000 } }
// How old a worker is when it first blocks, and how much of that the start of everything and the first connections may take.
const FIRST_MS = { full: 12_000, quick: 5000 }
const START_MS = 2500
const SLOW_MS = 100
// Whoever was accepted by the worker just before it blocked has to wait; nobody else.
const MOST_SLOW = 0.001
// Longer than any block.
const TIMEOUT_MS = 15_000

export async function run(options, report) {
  const row = report.table('blocked', 'block', 'Node', 'connections', 'failed', `slower than ${SLOW_MS} ms`, 'share %', 'before %', 'p50 ms', 'p99', 'p99.9', 'longest')
  const first = options.quick ? FIRST_MS.quick : FIRST_MS.full
  const { pm2, why } = findPm2(options)
  for (const node of options.nodes) {
    for (const variant of [LONG, SHORT]) {
      const env = { BLOCK: [...variant.block, first].join() }
      const look = async (name, port) => show(row, name, variant, node, await watch(port, options.quick ? variant.look.quick : variant.look.full, first))
      for (const mode of options.modes ?? MODES) {
        await withHome(options, report, async home => {
          judge(await look(`Rewake, ${mode}`, await home.start({ instances: 2, mode, node, env })), mode, variant, report)
        })
      }
      const setup = { node, env, instances: 2 }
      for (const policy of ['rr', 'none']) await withNodeCluster(policy, setup, port => look(`node:cluster, ${policy}`, port))
      if (pm2) await withPm2(pm2, setup, port => look('PM2', port))
    }
  }
  if (!pm2) report.note(`PM2 is left out: ${why}.`)
}

async function watch(port, lookMs, first) {
  const load = await Load.begin('arrivals', { port, rate: RATE, timeoutMs: TIMEOUT_MS })
  try {
    await load.phase('before')
    await sleep(first - START_MS)
    await load.phase('look')
    await sleep(lookMs)
    return await load.stop()
  } finally {
    await load.abandon()
  }
}

function show(row, name, variant, node, counted) {
  const [before, all] = [counted.phase('before'), counted.phase('look')]
  const slow = all.slowerThan(SLOW_MS)
  const [share, shareBefore] = [slow / all.count, before.slowerThan(SLOW_MS) / before.count]
  row(name, variant.name, node === process.execPath ? process.version : node, all.count, counted.failed, slow, 100 * share, 100 * shareBefore, all.quantile(0.5), all.quantile(0.99), all.quantile(0.999), all.max)
  return { counted, slow, share, shareBefore }
}

function judge({ counted, slow, share, shareBefore }, mode, variant, report) {
  const what = `${mode}, ${variant.name}`
  const isTooBusy = shareBefore > MOST_SLOW
  const failed = counted.failed - (isTooBusy ? counted.failures.timeout ?? 0 : 0)
  report.promise(failed === 0, `${what}: ${failed} failed: ${JSON.stringify(counted.failures)} ${counted.examples.slice(0, 4).join('; ')}`)
  // Sticky: whose worker is blocked waits for it.
  if (mode === 'client-ip' || share <= MOST_SLOW) return
  const text = `${what}: ${slow} connections waited more than ${SLOW_MS} ms, ${(100 * share).toFixed(3)} %`
  if (isTooBusy) report.note(`Not judged, the machine is too busy: ${text}.`)
  else report.broken(text)
}
