// Says what is wrong with a platform package. Usage: check-platform-package.mjs [folder...], all of npm/platforms by default.

import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const main = createRequire(import.meta.url)('../rewake/package.json')

/** ELF's `e_machine` of each `cpu`. */
const MACHINES = { x64: 62, arm64: 183 }

/** What is wrong with the package in `folder`, as sentences; none if it can be published. */
export function check(folder) {
  const problems = []
  const { name, version, os, cpu, libc } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'))
  const target = path.basename(folder)
  if (name !== `@rewake/${target}`) problems.push(`its name is ${name}`)
  if (version !== main.version) problems.push(`its version is ${version}, rewake is ${main.version}`)
  if (main.optionalDependencies[name] !== version) problems.push(`rewake does not depend on exactly ${name}@${version}`)
  const said = `${os}-${cpu}-${String(libc) === 'glibc' ? 'gnu' : libc}`
  if (said !== target) problems.push(`its os, cpu and libc say ${said}`)
  for (const file of ['rewake', 'rewake.node']) problems.push(...elfProblems(path.join(folder, file), cpu[0], String(libc)))
  return problems
}

function elfProblems(file, cpu, libc) {
  const name = path.basename(file)
  if (!fs.existsSync(file)) return [`${name} is missing`]
  const bytes = fs.readFileSync(file)
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) return [`${name} is not an ELF file`]
  const problems = []
  if (bytes.readUInt16LE(18) !== MACHINES[cpu]) problems.push(`${name} is not for ${cpu}`)
  if (name === 'rewake' && (fs.statSync(file).mode & 0o111) === 0) problems.push('rewake is not executable')
  // The other C library's name among the strings of the dynamic section: linked against the wrong one.
  const foreign = libc === 'musl' ? 'libc.so.6\0' : 'libc.musl-'
  if (bytes.includes(foreign)) problems.push(`${name} is linked against another C library than ${libc}`)
  return problems
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const platforms = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../platforms')
  const all = () => (fs.existsSync(platforms) ? fs.readdirSync(platforms).map(name => path.join(platforms, name)) : [])
  const folders = process.argv.length > 2 ? process.argv.slice(2) : all()
  if (folders.length === 0) {
    console.error('there is no platform package to check')
    process.exitCode = 1
  }
  for (const folder of folders) {
    for (const problem of check(path.resolve(folder))) {
      console.error(`${path.basename(folder)}: ${problem}`)
      process.exitCode = 1
    }
  }
}
