// `bin/rewake`: the script passes everything on, and an install by npm replaces it by the executable.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { afterwards, temporaryFolder } from '../support/folders.mjs'
import { untilGone } from '../support/processes.mjs'
import { within } from '../support/until.mjs'

const source = fileURLToPath(new URL('../../npm/rewake', import.meta.url))
const { target } = createRequire(import.meta.url)('../../npm/rewake/lib/loader.cjs')

/** The package as npm would unpack it, with `script` in the place of the executable. */
function install(t, script) {
  const root = path.join(temporaryFolder(t), 'node_modules', 'rewake')
  for (const part of ['bin', 'lib', 'package.json', 'postinstall.cjs']) {
    fs.cpSync(path.join(source, part), path.join(root, part), { recursive: true })
  }
  const native = path.join(root, 'native', target())
  fs.mkdirSync(native, { recursive: true })
  fs.writeFileSync(path.join(native, 'rewake.node'), '')
  fs.writeFileSync(path.join(native, 'rewake'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return { root, shim: path.join(root, 'bin', 'rewake'), exe: path.join(native, 'rewake') }
}


for (const way of ['as it is', 'without execve']) {
  const command = (shim, args) => {
    if (way === 'as it is') return [shim, ...args]
    // What a Node does that cannot become another program.
    const without = `${shim}.without-execve.cjs`
    fs.writeFileSync(without, 'delete process.execve')
    return ['--require', without, shim, ...args]
  }
  const run = (shim, args, options) => spawnSync(process.execPath, command(shim, args), { encoding: 'utf8', ...options })

  test(`arguments, streams and the exit code pass, ${way}`, t => {
    const { shim } = install(t, 'printf "%s|" "$@"; cat; echo problem >&2; exit 7')
    const { status, stdout, stderr } = run(shim, ['a b', '', '--version', 'ü'], { input: 'typed' })
    assert.deepEqual([status, stdout, stderr], [7, 'a b||--version|ü|typed', 'problem\n'])
  })

  test(`death by a signal passes, ${way}`, t => {
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGABRT']) {
      const { shim } = install(t, `kill -${signal.slice(3)} $$`)
      assert.equal(run(shim, []).signal, signal)
    }
  })

  test(`a signal sent to the script reaches the executable, ${way}`, async t => {
    const { shim } = install(t, "trap 'echo asked; exit 42' TERM; echo $$; while :; do sleep 0.05; done")
    const child = spawn(process.execPath, command(shim, []), { stdio: ['ignore', 'pipe', 'inherit'] })
    afterwards(t, () => child.kill('SIGKILL'))
    let said = ''
    const ended = new Promise(resolve => child.on('close', resolve))
    const ready = new Promise(resolve => child.stdout.setEncoding('utf8').on('data', text => resolve((said += text))))
    await within('a word of the executable', ready)
    child.kill('SIGTERM')
    assert.equal(await within('the end of the script', ended), 42)
    assert.match(said, /asked/)
    await untilGone([Number.parseInt(said, 10)])
  })
}

test('a missing executable is told in one line, with exit code 1', t => {
  const { root, shim } = install(t, '')
  fs.rmSync(path.join(root, 'native'), { recursive: true })
  const { status, stderr } = spawnSync(process.execPath, [shim, 'list'], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /^rewake: the package @rewake\/linux-.* is not installed\n {2}hint: /)
})

test('an install by npm puts the executable in the place of the script', t => {
  const { root, shim, exe } = install(t, 'exit 5')
  const install_ = agent =>
    spawnSync(process.execPath, [path.join(root, 'postinstall.cjs')], { env: { ...process.env, npm_config_user_agent: agent } })
  const script = fs.readFileSync(shim, 'utf8')
  for (const agent of ['pnpm/9.0.0 npm/? node/v20', 'yarn/1.22.22 npm/? node/v20', '']) {
    assert.equal(install_(agent).status, 0)
    assert.equal(fs.readFileSync(shim, 'utf8'), script, `${agent} keeps the script`)
  }
  for (let times = 0; times < 2; times++) {
    assert.equal(install_('npm/10.8.2 node/v20.20.2 linux x64').status, 0)
    assert.equal(fs.statSync(shim).ino, fs.statSync(exe).ino)
    assert.equal(spawnSync(shim).status, 5)
    assert.deepEqual(fs.readdirSync(path.join(root, 'bin')), ['rewake'])
  }
})

test('an install that cannot replace the script does not fail', t => {
  const { root, shim } = install(t, '')
  fs.rmSync(path.join(root, 'native'), { recursive: true })
  const env = { ...process.env, npm_config_user_agent: 'npm/10.8.2 node/v20.20.2 linux x64' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(root, 'postinstall.cjs')], { env, encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, '', ''])
  assert.match(fs.readFileSync(shim, 'utf8'), /^#!\/usr\/bin\/env node/)
})
