// The two entries of the package give the same things, and loading it costs nothing yet.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import * as esm from '../../npm/rewake/index.mjs'
import { temporaryFolder } from '../support/folders.mjs'

const rewakeFolder = fileURLToPath(new URL('../../npm/rewake', import.meta.url))
const cjs = createRequire(import.meta.url)('../../npm/rewake/index.cjs')

test('the ES module and the CommonJS module share one identity', () => {
  assert.deepEqual(Object.keys(esm).sort(), ['RewakeError', 'connect', 'embed'])
  for (const name of Object.keys(esm)) assert.equal(esm[name], cjs[name], name)
})

test('the package is found by its name, both ways', t => {
  const project = temporaryFolder(t)
  fs.mkdirSync(path.join(project, 'node_modules'))
  fs.symlinkSync(rewakeFolder, path.join(project, 'node_modules', 'rewake'))
  fs.writeFileSync(path.join(project, 'a.cjs'), "console.log(Object.keys(require('rewake')).sort().join())")
  fs.writeFileSync(path.join(project, 'a.mjs'), "import * as r from 'rewake'\nconsole.log(Object.keys(r).sort().join())")
  for (const file of ['a.cjs', 'a.mjs']) {
    const said = execFileSync(process.execPath, [path.join(project, file)], { encoding: 'utf8' })
    assert.equal(said.trim(), 'RewakeError,connect,embed', file)
  }
})

test('loading the package loads no addon and makes no thread', () => {
  const script = `require(${JSON.stringify(path.join(rewakeFolder, 'index.cjs'))})
    console.log(process.report.getReport().sharedObjects.filter(name => name.endsWith('rewake.node')).length)`
  assert.equal(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim(), '0')
})

test('an error has a name, a code, a hint and a cause, and is an Error', () => {
  const cause = new Error('below')
  const error = new cjs.RewakeError('NOT_FOUND', 'no app `x`', { hint: 'see list', cause })
  assert.ok(error instanceof Error)
  assert.deepEqual([error.name, error.code, error.hint, error.cause], ['RewakeError', 'NOT_FOUND', 'see list', cause])
  assert.match(error.stack, /^RewakeError: no app `x`/)
})
