// The other Node versions that the tests run on, as executables from npm, kept below target/.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'

/** The lines of Node that are supported beside whichever runs this. */
const LINES = [18, 20, 22, 24]
const folder = path.join(root, 'target', 'nodes')
// Three downloads of some 30 MB.
const INSTALL_MS = 5 * 60_000

/**
 * Paths of the Node executables other than the running one; what is missing is installed. Fewer, with a word, where it cannot be
 * had (another C library, no registry).
 */
export function otherNodes() {
  const wanted = LINES.filter(line => line !== Number(process.versions.node.split('.')[0]))
  const missing = wanted.filter(line => !works(line))
  if (missing.length > 0) install(missing)
  const there = wanted.filter(works)
  for (const line of wanted.filter(line => !there.includes(line))) console.log(`Node ${line} cannot be had here; it is not tested`)
  return there.map(executable)
}

const executable = line => path.join(folder, 'node_modules', `node-${line}`, 'bin', 'node')
const works = line => spawnSync(executable(line), ['--version']).status === 0

function install(lines) {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n')
  const packages = lines.map(line => `node-${line}@npm:node-${process.platform}-${process.arch}@${line}`)
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder, ...packages]
  spawnSync('npm', args, { stdio: 'inherit', timeout: INSTALL_MS })
}
