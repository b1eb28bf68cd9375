// SIGKILL of one worker after the other under load: only what is under way in it fails, nobody waits long, and it is replaced.

import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withHome } from './home.mjs'
import { Load } from './load.mjs'
import { MODES } from './options.mjs'

const KILLS = { full: 100, quick: 8 }
const WARM_MS = 1000
// Each worker lives longer than `min_uptime`, so that no policy slows its successor: it has its turn after all the others.
const BETWEEN_MS = 600
const LONGEST_MS = 2000
// Fast and slow, kept and not: half of them have a request in a worker at any time.
const GROUPS = [
  { count: 12, keepAlive: true },
  { count: 12, keepAlive: true, delay: [20, 20] },
  { count: 12, keepAlive: false },
  { count: 12, keepAlive: false, delay: [20, 20] }
]

export async function run(options, report) {
  const row = report.table('kill', 'mode', 'Node', 'kills', 'requests', 'failed in the killed', 'unlogged', 'elsewhere', 'kinds', 'failed per kill', 'longest wait ms', 'p99.9 ms', 'replaced ms, median', 'most')
  for (const node of options.nodes) {
    for (const mode of options.modes ?? MODES) {
      for (const instances of [2, 4]) await one({ instances, mode, node }, options, report, row)
    }
  }
}

async function one({ instances, mode, node }, options, report, row) {
  const what = `one of ${instances}, ${mode}`
  const kills = options.quick ? KILLS.quick : KILLS.full
  await withHome(options, report, async home => {
    const acceptLog = path.join(home.folder, 'accepted')
    fs.mkdirSync(acceptLog)
    const port = await home.start({ instances, mode, node, env: { ACCEPT_LOG: acceptLog } })
    const load = await Load.begin('kill', { port, groups: GROUPS, acceptLog })
    try {
      await sleep(WARM_MS)
      await load.phase('kill')
      const results = []
      for (let count = 0; count < kills; count += 1) {
        const pid = (await home.pids())[count % instances]
        results.push(await load.call('kill', { pid }))
        if (results.at(-1).newMs === undefined) report.broken(`${what}: nobody new answers after kill ${count + 1}`)
        await sleep(BETWEEN_MS)
      }
      const counted = await load.stop()
      show({ what, instances, mode, node, results, counted }, report, row)
    } finally {
      await load.abandon()
    }
  })
}

function show({ what, instances, mode, node, results, counted }, report, row) {
  const sum = key => results.reduce((total, result) => total + result[key], 0)
  const replaced = results.map(({ newMs }) => newMs ?? Infinity).sort((a, b) => a - b)
  const longest = Math.max(...results.map(({ longestMs }) => longestMs), counted.phase('kill').max)
  const kinds = Object.entries(counted.counts).map(([kind, times]) => `${times} ${kind}`).join(', ')
  const failed = sum('there') + sum('unlogged') + sum('elsewhere')
  row(what, mode, node === process.execPath ? process.version : node, results.length, counted.answered, sum('there'), sum('unlogged'), sum('elsewhere'), kinds, failed / results.length, longest, counted.phase('kill').quantile(0.999), replaced[Math.trunc(replaced.length / 2)], replaced.at(-1))
  report.promise(sum('elsewhere') === 0, `${what}: ${sum('elsewhere')} requests failed that were not in the killed worker: ${results.flatMap(({ examples }) => examples).slice(0, 4).join('; ')}`)
  // At most one at a time is between being accepted and being written down.
  report.promise(results.every(({ unlogged }) => unlogged <= 1), `${what}: up to ${Math.max(...results.map(({ unlogged }) => unlogged))} requests failed at a kill that no worker had accepted`)
  report.promise(longest <= LONGEST_MS, `${what}: a request took ${Math.round(longest)} ms`)
}
