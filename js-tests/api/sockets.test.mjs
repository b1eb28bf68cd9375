// Sockets of apps in fork mode: they are shown with their ports, outlive processes, and whoever has an address is named. On the daemon and embedded.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { temporaryFolder } from '../support/folders.mjs'
import { testBoth, whenReady } from '../support/rewake.mjs'
import { rejects } from '../support/until.mjs'

const server = `
  const server = require('http').createServer((q, r) => r.end(String(process.pid)))
  server.listen({ fd: 3 }, () => process.send('ready'))
  process.on('SIGINT', () => server.close(() => process.exit(0)))
`

testBoth('an app keeps its sockets over a reload, and two apps cannot have one', async (t, rewake) => {
  const folder = temporaryFolder(t)
  const script = path.join(folder, 'server.cjs')
  fs.writeFileSync(script, server)
  const file = path.join(folder, 'a.sock')
  const sockets = [{ address: '127.0.0.1:0', name: 'http' }, file]
  const [slot] = await rewake.start({ script, name: 'web', instances: 1, ...whenReady, sockets })
  assert.equal(slot.app.execMode, 'fork')
  assert.deepEqual(slot.sockets.map(({ name }) => name), ['http', 'web'])
  assert.equal(slot.sockets[1].address, `unix:${file}`)
  const { address } = slot.sockets[0]
  const answer = async () => Number(await (await fetch(`http://${address}`, { headers: { connection: 'close' } })).text())
  assert.equal(await answer(), slot.pid)

  const [after] = await rewake.reload('web')
  assert.notEqual(after.pid, slot.pid)
  assert.deepEqual(after.sockets, slot.sockets)
  assert.equal(await answer(), after.pid)

  const error = await rejects(rewake.start({ script, name: 'other', sockets: address }), 'SPAWN_FAILED')
  assert.match(error.message, /`other`.*it is in use by app `web`/)
  await rejects(rewake.start({ script, name: 'bad', sockets: 'localhost:80' }), 'BAD_CONFIG')
  await rejects(rewake.start({ script, name: 'bad', exec_mode: 'cluster', sockets: 80 }), 'BAD_CONFIG')

  const [stopped] = await rewake.stop('web')
  assert.deepEqual(stopped.sockets, [])
  assert.equal(fs.existsSync(file), false)
  await assert.rejects(answer())
})
