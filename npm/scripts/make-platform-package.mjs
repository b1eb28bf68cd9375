// Assembles the package of one platform, npm/platforms/<target>/: the addon and the executable, checked to be what the
// package says they are. Usage: make-platform-package.mjs <target> <rewake> <rewake.node>

import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { check } from './check-platform-package.mjs'

const npm = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const main = createRequire(import.meta.url)('../rewake/package.json')

const [target, exe, addon] = process.argv.slice(2)
const [platform, arch, libc] = (target ?? '').split('-')
if (!addon || !(`@rewake/${target}` in main.optionalDependencies)) {
  console.error('usage: make-platform-package.mjs <target> <rewake> <rewake.node>')
  console.error(`targets: ${Object.keys(main.optionalDependencies).map(name => name.slice('@rewake/'.length)).join(', ')}`)
  process.exit(2)
}

const folder = path.join(npm, 'platforms', target)
fs.rmSync(folder, { recursive: true, force: true })
fs.mkdirSync(folder, { recursive: true })
const manifest = {
  name: `@rewake/${target}`,
  version: main.version,
  description: `What Rewake is compiled to for ${target}; install the package rewake instead`,
  license: main.license,
  repository: { ...main.repository, directory: 'npm' },
  engines: main.engines,
  os: [platform],
  cpu: [arch],
  libc: [libc === 'gnu' ? 'glibc' : libc],
  // Yarn would keep the files inside an archive, where neither can be run.
  preferUnplugged: true,
  files: ['rewake', 'rewake.node']
}
fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
fs.copyFileSync(exe, path.join(folder, 'rewake'))
fs.chmodSync(path.join(folder, 'rewake'), 0o755)
fs.copyFileSync(addon, path.join(folder, 'rewake.node'))

const problems = check(folder)
for (const problem of problems) console.error(`${target}: ${problem}`)
process.exitCode = problems.length > 0 ? 1 : 0
