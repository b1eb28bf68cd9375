// The helper changes nothing that is not being closed, however an app is loaded.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

import { app, client, hammer, helper, onEachNode, run } from './support.mjs'
import { temporaryFolder } from '../support/folders.mjs'
import { until } from '../support/until.mjs'

const asWorker = { NODE_UNIQUE_ID: '7' }

/** What the app prints, with and without the helper. */
async function bothWays(t, node, name, env) {
  // As from a home that is reached through a symbolic link.
  const link = path.join(temporaryFolder(t), 'helper.cjs')
  fs.symlinkSync(helper, link)
  const says = async options => {
    const { code, errors, output } = await run(t, node, [app(name)], { with: options, env }).ended()
    assert.deepEqual({ code, errors }, { code: 0, errors: '' })
    return JSON.parse(output)
  }
  return Promise.all([says(['--require', link]), says([])])
}

for (const [kind, env] of [['a cluster worker', asWorker], ['a forked child', {}]]) {
  onEachNode(`${kind} without http sees nothing of the helper`, async (t, node) => {
    const [withIt, without] = await bothWays(t, node, 'seen.cjs', env)
    assert.deepEqual(withIt, without)
  })
}

onEachNode('closing a server is what Node documents', async (t, node) => {
  const [withIt, without] = await bothWays(t, node, 'documented.cjs', {})
  assert.ok(without.length > 30)
  assert.deepEqual(withIt, without)
})

onEachNode('a server that closes drains in an app of ES modules, and in TypeScript', async (t, node) => {
  const types = execFileSync(node, ['-p', 'Boolean(process.features.typescript)'], { encoding: 'utf8' }).trim() === 'true'
  for (const name of types ? ['module.mjs', 'typed.ts'] : ['module.mjs']) {
    const server = run(t, node, [app(name)])
    const { get } = client(t, await server.says('port'))
    const answered = hammer(() => get('/'), () => 5)
    await get('/')
    server.send('close')
    await server.says('closing')
    await answered
    server.send('leave')
    const { code, output } = await server.ended()
    assert.deepEqual({ code, output }, { code: 0, output: '' })
  }
})

onEachNode('cluster workers that are told to disconnect fail no request', async (t, node) => {
  const primary = run(t, node, [app('primary.cjs'), helper], { with: [] })
  const port = await primary.says('port')
  let asked = 0
  const clients = Array.from({ length: 12 }, (_, at) => {
    const { get } = client(t, port)
    return hammer(() => (asked++, get('/')), () => (at < 6 ? 0 : Math.random() * 300))
  })
  const all = Promise.all(clients)
  await until('traffic', () => asked > 1000)
  primary.send('disconnect')
  await all
  for (let exits = 0; exits < 2; exits++) {
    assert.deepEqual(await primary.says('exit'), { code: 0, signal: null, wanted: true })
  }
  const { code, errors } = await primary.ended()
  assert.deepEqual({ code, errors }, { code: 0, errors: '' })
})

onEachNode('the helper costs an app without http no memory that can be measured', async (t, node) => {
  // The smallest of several: what else happens to a process only adds.
  const smallest = async options => {
    let least = Infinity
    for (let round = 0; round < 5; round++) {
      const { output } = await run(t, node, [app('memory.cjs')], { with: options }).ended()
      least = Math.min(least, Number(output))
    }
    return least
  }
  const [withIt, without] = [await smallest(['--expose-gc', '--require', helper]), await smallest(['--expose-gc'])]
  assert.ok(withIt - without < 128 << 10, `${withIt - without} bytes of heap more`)
  assert.ok(fs.statSync(helper).size < 16 << 10)
})
