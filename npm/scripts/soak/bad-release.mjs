// A bad release never replaces a good one: it throws, hangs, or listens and dies a second later, while two good workers serve under load.

import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SERVER, withHome } from './home.mjs'
import { Load } from './load.mjs'
import { MODES } from './options.mjs'

const INSTANCES = 2
const ROUNDS = { full: 5, quick: 1 }
const LISTEN_TIMEOUT_MS = 1000
const RELOAD_SOAK_MS = 1500
const WARM_MS = 500
const GROUPS = [
  { count: 16, keepAlive: true },
  { count: 8, keepAlive: true, delay: [20, 50] },
  { count: 8, keepAlive: false }
]

const good = `require(${JSON.stringify(SERVER)})\n`
/** What the file of the app says after the change, and what the command must say of it. */
const RELEASES = {
  'throws at start': { script: `throw new Error('bad release')\n`, says: /exited with code 1/ },
  'hangs before it listens': { script: 'setInterval(() => {}, 1e6)\n', says: /not ready in time|did not|within/ },
  'listens and dies a second later': { script: `${good}setTimeout(() => process.exit(3), 1000)\n`, says: /exited with code 3/, mayServe: true }
}

export async function run(options, report) {
  const row = report.table('new release', 'mode', 'Node', 'wait_ready', 'reloads', 'refused', 'requests', 'failed', 'of it in the bad one', 'longest ms', 'one reload ms')
  const said = new Map()
  for (const node of options.nodes) {
    for (const mode of options.modes ?? MODES) {
      for (const waitReady of options.quick ? [false] : [false, true]) {
        for (const [name, release] of Object.entries(RELEASES)) await one({ name, release, mode, node, waitReady }, options, report, row, said)
      }
    }
  }
  report.note(`What the command says:\n\n${[...said.values()].join('\n\n')}`)
}

async function one({ name, release, mode, node, waitReady }, options, report, row, said) {
  const what = `${name}, ${mode}${waitReady ? ', wait_ready' : ''}`
  const rounds = options.quick ? ROUNDS.quick : ROUNDS.full
  await withHome(options, report, async home => {
    const script = path.join(home.folder, 'app.cjs')
    fs.writeFileSync(script, good)
    const acceptLog = path.join(home.folder, 'accepted')
    fs.mkdirSync(acceptLog)
    const times = { listen_timeout: LISTEN_TIMEOUT_MS, reload_soak: RELOAD_SOAK_MS }
    const port = await home.start({ instances: INSTANCES, mode, node, script, env: { ACCEPT_LOG: acceptLog }, wait_ready: waitReady, ...times })
    const before = await home.pids()
    const load = await Load.begin('judge', { port, groups: GROUPS, good: before, acceptLog })
    try {
      await load.phase('warm')
      await sleep(WARM_MS)
      await load.phase('reload')
      const results = []
      for (let round = 0; round < rounds; round += 1) {
        fs.writeFileSync(script, release.script)
        const result = await home.run('reload', 'web')
        fs.writeFileSync(script, good)
        results.push(result)
        if (!said.has(name)) said.set(name, `${name}:\n${result.stderr.trim()}`)
        report.promise(result.code === 1, `${what}: the command ended with ${result.signal ?? result.code}`)
        report.promise(release.says.test(result.stderr), `${what}: the command says only ${JSON.stringify(result.stderr)}`)
        const after = await home.pids()
        report.promise(String(after) === String(before), `${what}: processes ${before} became ${after}`)
      }
      await load.call('mustServe', before)
      const counted = await load.stop()
      const inBad = counted.counts['in the bad one'] ?? 0
      row(name, mode, node === process.execPath ? process.version : node, String(waitReady), rounds, results.filter(({ code }) => code === 1).length, counted.answered, counted.failed + inBad, inBad, counted.phase('reload').max, results.reduce((sum, { ms }) => sum + ms, 0) / rounds)
      report.promise(counted.failed === 0, `${what}: ${counted.failed} failed: ${JSON.stringify(counted.failures)} ${counted.examples.slice(0, 4).join('; ')}`)
      // One that served is good until it dies, and what it has then dies with it.
      if (!release.mayServe) report.promise(inBad === 0, `${what}: ${inBad} requests were given to the bad one`)
    } finally {
      await load.abandon()
    }
  })
}
