// Cluster mode: workers on one port, reloaded and scaled, on the daemon and embedded.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { temporaryFolder } from '../support/folders.mjs'
import { isAlive } from '../support/processes.mjs'
import { app, testBoth } from '../support/rewake.mjs'
import { rejects } from '../support/until.mjs'

testBoth('cluster workers share a port; a reload replaces them, and a bad release does not', async (t, rewake) => {
  const folder = temporaryFolder(t)
  const script = path.join(folder, 'server.cjs')
  fs.copyFileSync(app('server.cjs'), script)
  const told = rewake.messages()
  const web = { script, name: 'web', reload_soak: 0, listen_timeout: '1m' }
  const before = await rewake.start({ ...web, instances: 2 })
  assert.deepEqual(before.map(slot => slot.app.execMode), ['cluster', 'cluster'])

  const ports = new Set()
  let count = 0
  for await (const { data } of told) {
    ports.add(data.port)
    if (++count === 2) break
  }
  assert.equal(ports.size, 1)
  const [port] = ports
  const answer = async () => Number(await (await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } })).text())
  assert.ok(before.map(slot => slot.pid).includes(await answer()))

  const after = await rewake.reload('web')
  assert.equal(after.length, 2)
  for (const [at, slot] of after.entries()) {
    assert.notEqual(slot.pid, before[at].pid)
    assert.equal(isAlive(before[at].pid), false)
  }
  assert.ok(after.map(slot => slot.pid).includes(await answer()))

  // Of two reloads at once the second waits for its turn, or is refused, as it is asked. The first goes on until the gate is open.
  const gate = path.join(folder, 'gate')
  fs.writeFileSync(script, `
    const open = () => require('node:fs').existsSync(${JSON.stringify(gate)}) && require(${JSON.stringify(app('server.cjs'))})
    const wait = setInterval(() => open() && clearInterval(wait), 10)
  `)
  const first = rewake.reload('web')
  await rejects(rewake.reload('web', { wait: false }), 'RELOADING')
  const second = rewake.reload('web')
  fs.writeFileSync(gate, '')
  const [, both] = await Promise.all([first, second])
  for (const [at, slot] of both.entries()) assert.equal(slot.restarts, after[at].restarts + 2)
  const last = await rewake.reload('web', { wait: false })

  fs.writeFileSync(script, 'process.exit(7)')
  const error = await rejects(rewake.reload('web'), 'RELOAD_FAILED')
  assert.match(error.message, /exited with code 7/)
  assert.deepEqual((await rewake.list()).map(slot => slot.pid), last.map(slot => slot.pid))

  fs.copyFileSync(app('server.cjs'), script)
  assert.equal((await rewake.scale('web', '+1')).length, 3)
  assert.equal((await rewake.scale('web', 1)).length, 1)
  await rejects(rewake.scale('web', 0), 'BAD_REQUEST')

  const [old] = await rewake.list()
  const [reloaded] = await rewake.start({ ...web, instances: 1, env: { NEW: '1' } }, { whenKnown: 'reload' })
  assert.equal(reloaded.id, old.id)
  assert.notEqual(reloaded.pid, old.pid)
  assert.equal((await rewake.env('web'))[old.id].NEW, '1')
})
