// The types of the package: right programs compile under every strict option, wrong ones do not.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { temporaryFolder } from './support/folders.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const root = path.dirname(here)
const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')

/** Compiles `js-tests/types` as a project that has `rewake` installed; gives the compiler's words. */
function compile(t, options) {
  const project = temporaryFolder(t)
  fs.cpSync(path.join(here, 'types'), project, { recursive: true })
  fs.mkdirSync(path.join(project, 'node_modules'))
  fs.symlinkSync(path.join(root, 'npm', 'rewake'), path.join(project, 'node_modules', 'rewake'))
  fs.symlinkSync(path.join(root, 'node_modules', '@types'), path.join(project, 'node_modules', '@types'))
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
    ...options
  }
  fs.writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts', '*.cts'] }))
  return new Promise(resolve => {
    execFile(process.execPath, [tsc, '-p', project], { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, text: stdout + stderr })
    })
  })
}

for (const [module, target, lib] of [
  ['nodenext', 'es2022', ['es2023', 'esnext.disposable']],
  ['node16', 'esnext', ['esnext']]
]) {
  test(`right programs compile and wrong ones do not, module ${module}`, async t => {
    const { failed, text } = await compile(t, { module, target, lib })
    assert.equal(failed, false, text)
  })
}
