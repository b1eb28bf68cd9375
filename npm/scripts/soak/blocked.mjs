// One of two workers blocks its event loop, again and again, while connections keep coming: how many of them have to wait for it?

import { setTimeout as sleep } from 'node:timers/promises'
import { withHome } from './home.mjs'
import { findPm2 } from './install.mjs'
import { Load } from './load.mjs'
import { MODES } from './options.mjs'
import { withNodeCluster, withPm2 } from './others.mjs'

const RATE = 1500
// In ms: blocked for, every, and how long it is looked at.
const LONG = { name: '5 s of 20 s', block: [5000, 20_000], look: { full: 120_000, quick: 24_000 } }
const SHORT = { name: '1 s of 2 s', block: [1000, 2000], look: { full: 60_000, quick: 10_000 } }
const SLOW_MS = 100
// Whoever was accepted by the worker just before it blocked has to wait; nobody else.
const MOST_SLOW = 0.001
// Longer than any block.
const TIMEOUT_MS = 15_000

export async function run(options, report) {
  const row = report.table('blocked', 'block', 'Node', 'connections', 'failed', `slower than ${SLOW_MS} ms`, 'share %', 'p50 ms', 'p99', 'p99.9', 'longest')
  const { pm2, why } = findPm2(options)
  for (const node of options.nodes) {
    for (const variant of [LONG, SHORT]) {
      const env = { BLOCK: variant.block.join() }
      const look = async (name, port) => show(row, name, variant, node, await watch(port, variant, options.quick))
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

async function watch(port, { look }, isQuick) {
  const load = await Load.begin('arrivals', { port, rate: RATE, timeoutMs: TIMEOUT_MS })
  try {
    await load.phase('look')
    await sleep(isQuick ? look.quick : look.full)
    return await load.stop()
  } finally {
    await load.abandon()
  }
}

function show(row, name, variant, node, counted) {
  const all = counted.phase('look')
  const slow = all.slowerThan(SLOW_MS)
  row(name, variant.name, node === process.execPath ? process.version : node, all.count, counted.failed, slow, (100 * slow) / all.count, all.quantile(0.5), all.quantile(0.99), all.quantile(0.999), all.max)
  return { counted, slow, share: slow / all.count }
}

function judge({ counted, slow, share }, mode, variant, report) {
  const what = `${mode}, ${variant.name}`
  report.promise(counted.failed === 0, `${what}: ${counted.failed} failed: ${JSON.stringify(counted.failures)} ${counted.examples.slice(0, 4).join('; ')}`)
  // Sticky: whose worker is blocked waits for it.
  if (mode !== 'client-ip') report.promise(share <= MOST_SLOW, `${what}: ${slow} connections waited more than ${SLOW_MS} ms, ${(100 * share).toFixed(3)} %`)
}
