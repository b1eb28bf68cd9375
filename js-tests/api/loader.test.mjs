// Finding what was compiled for this machine, and saying clearly when it is not there.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'

import { temporaryFolder } from '../support/folders.mjs'

const require = createRequire(import.meta.url)
const { TARGETS, fromInterpreter, load, locate, target } = require('../../npm/rewake/lib/loader.cjs')
const { version, optionalDependencies } = require('../../npm/rewake/package.json')

function code(expected) {
  return error => {
    assert.equal(error.name, 'RewakeError')
    assert.equal(error.code, expected)
    assert.ok(error.hint)
    return true
  }
}

/** A folder that looks like the package with the platform's package of this version beside it. */
function installed(t, name, platformVersion) {
  const root = path.join(temporaryFolder(t), 'node_modules', 'rewake')
  const platform = path.join(path.dirname(root), '@rewake', name)
  fs.mkdirSync(root, { recursive: true })
  fs.mkdirSync(platform, { recursive: true })
  fs.writeFileSync(path.join(platform, 'package.json'), JSON.stringify({ name: `@rewake/${name}`, version: platformVersion }))
  return { root, platform }
}

test('each supported machine has a name and a package of the same version', () => {
  for (const [arch, libc] of [['x64', 'gnu'], ['x64', 'musl'], ['arm64', 'gnu'], ['arm64', 'musl']]) {
    assert.equal(target('linux', arch, () => libc), `linux-${arch}-${libc}`)
  }
  assert.deepEqual(Object.keys(optionalDependencies), TARGETS.map(name => `@rewake/${name}`).sort())
  for (const wanted of Object.values(optionalDependencies)) assert.equal(wanted, version)
})

test('other machines are refused by their name, without asking for their C library', () => {
  const never = () => assert.fail('asked')
  assert.throws(() => target('darwin', 'arm64', never), code('UNSUPPORTED_PLATFORM'))
  assert.throws(() => target('win32', 'x64', never), /win32-x64/)
  assert.throws(() => target('linux', 'riscv64', () => 'musl'), /linux-riscv64-musl/)
})

test('the C library is told from the name of the dynamic loader', () => {
  assert.equal(fromInterpreter('\0/lib64/ld-linux-x86-64.so.2\0'), 'gnu')
  assert.equal(fromInterpreter('\0/lib/ld-linux-aarch64.so.1\0'), 'gnu')
  assert.equal(fromInterpreter('\0/lib/ld-musl-x86_64.so.1\0'), 'musl')
  assert.equal(fromInterpreter('static'), undefined)
  assert.ok(TARGETS.includes(target()))
})

test('the package of the platform is used when it is of the same version', t => {
  const { root, platform } = installed(t, 'linux-x64-musl', version)
  assert.deepEqual(locate('linux-x64-musl', root), {
    addon: path.join(platform, 'rewake.node'),
    exe: path.join(platform, 'rewake')
  })
})

test('a missing package, one of another version and one that cannot be loaded are told apart', t => {
  assert.throws(() => locate('linux-arm64-musl', temporaryFolder(t)), code('ADDON_MISSING'))
  const { root } = installed(t, 'linux-x64-gnu', '0.0.1')
  assert.throws(() => locate('linux-x64-gnu', root), /is version 0\.0\.1, rewake is/)
  const addon = path.join(temporaryFolder(t), 'rewake.node')
  fs.writeFileSync(addon, 'not an addon')
  assert.throws(() => load({ addon, exe: '/x' }), code('ADDON_MISSING'))
})
