// Builds the executable and the addon for this machine and puts them where the package finds them:
// npm/rewake/native/<target>/. Says nothing when there is nothing to do. `--debug`: the quick build, for working on it.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const { target } = createRequire(import.meta.url)('../rewake/lib/loader.cjs')

const folder = path.join(root, 'npm', 'rewake', 'native', target())
const products = { rewake: path.join(folder, 'rewake'), rewake_napi: path.join(folder, 'rewake.node') }
const isFirst = Object.values(products).some(file => !fs.existsSync(file))
const profile = process.argv.includes('--debug') ? [] : ['--release']

/** Runs Cargo; gives the files it made, by the name of what they are. */
async function cargo(args) {
  const child = spawn('cargo', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve, reject) => {
    child.on('error', error =>
      reject(error.code === 'ENOENT' ? new Error('cargo is not in the PATH; see https://rustup.rs') : error)
    )
    child.on('close', (code, signal) => (code === 0 ? resolve() : reject(new Error(`cargo ended with ${signal ?? code}`))))
  })
  const files = {}
  for await (const line of createInterface({ input: child.stdout })) {
    const { reason, target: made, executable, filenames = [] } = JSON.parse(line)
    if (reason !== 'compiler-artifact') continue
    if (made.kind.includes('bin') && executable) files[made.name] = executable
    if (made.kind.includes('cdylib')) files[made.name] = filenames.find(name => name.endsWith('.so'))
  }
  await ended
  return files
}

/** Copies `from` over `to` if they differ, in one step: a running process keeps the file it has. */
function put(from, to) {
  const [a, b] = [fs.statSync(from), fs.statSync(to, { throwIfNoEntry: false })]
  if (b && a.size === b.size && Math.trunc(a.mtimeMs) === Math.trunc(b.mtimeMs)) return false
  const fresh = `${to}.${process.pid}`
  fs.copyFileSync(from, fresh)
  fs.utimesSync(fresh, a.atime, a.mtime)
  fs.renameSync(fresh, to)
  return true
}

try {
  if (isFirst) console.error('Building Rewake (the first time takes some minutes) ...')
  const quiet = isFirst ? [] : ['--quiet']
  const packages = ['-p', 'rewake-cli', '-p', 'rewake-napi']
  const files = await cargo(['build', ...profile, ...quiet, ...packages, '--message-format=json-render-diagnostics'])
  fs.mkdirSync(folder, { recursive: true })
  const fresh = Object.entries(products).filter(([name, to]) => {
    if (!files[name]) throw new Error(`cargo did not make ${name}`)
    return put(files[name], to)
  })
  if (fresh.length > 0) console.error(`Built ${path.relative(root, folder)}`)
} catch (error) {
  console.error(`build: ${error.message}`)
  process.exitCode = 1
}
