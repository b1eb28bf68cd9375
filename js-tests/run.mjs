// Runs every test of this folder, or those whose path contains one of the arguments. Ends as `node --test` ends.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))

/** Test files below a folder. Found here, because what `node --test` does with a folder differs from one Node to the next. */
function tests(folder) {
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .flatMap(entry => (entry.isDirectory() ? tests(path.join(folder, entry.name)) : path.join(folder, entry.name)))
    .filter(file => file.endsWith('.test.mjs'))
    .sort()
}

const wanted = process.argv.slice(2)
const files = tests(here).filter(file => wanted.length === 0 || wanted.some(part => path.relative(here, file).includes(part)))
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`)
  process.exit(1)
}
const { status, signal } = spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' })
process.exit(signal === null ? status : 1)
