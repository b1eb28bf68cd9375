// The same server with two workers under PM2 and under Node's own cluster, as long as something looks at it. PM2 is run, never read.

import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { freePorts } from '../support/http.mjs'
import { APPS, SERVER, untilAllAnswer } from './home.mjs'

const COMMAND_MS = 60_000
const running = new Set()

/** Ends what is running: for signals and errors. */
export function endOthers() {
  for (const end of running) end()
}

export async function withNodeCluster(policy, { node, env, instances }, body) {
  const port = await freePorts(1)
  const own = { ...process.env, ...env, PORT: String(port), POLICY: policy, SCRIPT: SERVER }
  const primary = fork(path.join(APPS, 'primary.cjs'), { execPath: node, env: own, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(primary, 'exit')
  try {
    await untilAllAnswer(port, instances)
    return await body(port)
  } finally {
    // With its channel it ends its workers, and so it does when this process dies.
    if (primary.connected) primary.disconnect()
    await ended
  }
}

export async function withPm2(pm2, { node, env, instances }, body) {
  const port = await freePorts(1)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rewake-soak-pm2-'))
  const own = { ...process.env, HOME: folder, PM2_HOME: folder }
  const run = (...args) => spawnSync(process.execPath, [pm2, ...args], { env: own, cwd: folder, encoding: 'utf8', timeout: COMMAND_MS })
  const end = () => {
    running.delete(end)
    run('kill')
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  running.add(end)
  try {
    const web = { name: 'web', script: SERVER, exec_mode: 'cluster', instances, interpreter: node, env: { ...env, PORT: String(port) } }
    const file = path.join(folder, 'web.json')
    fs.writeFileSync(file, JSON.stringify({ apps: [web] }))
    const { status, stderr } = run('start', file)
    if (status !== 0) throw new Error(`PM2 cannot start it: ${stderr}`)
    await untilAllAnswer(port, instances)
    return await body(port)
  } finally {
    end()
  }
}
