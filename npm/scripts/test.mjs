// `npm test`: installs what is missing, then runs every check in order and ends at the first that fails. Needs Node 18 and Cargo.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { modulesAreStale } from './support/modules.mjs'
import { otherNodes } from './support/nodes.mjs'
import { root } from './support/paths.mjs'
import { run } from './support/run.mjs'

const NEXTEST = '0.9.143'
// Building it takes five minutes on two cores. A machine that needs four times as long is better off without.
const NEXTEST_BUILD_MS = 20 * 60_000
const tools = path.join(root, 'target', 'tools')
// For tests that would forget to have a home of their own: never the user's.
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'rewake-npm-test-'))

const env = {
  ...process.env,
  PATH: `${path.join(tools, 'bin')}${path.delimiter}${process.env.PATH}`,
  REWAKE_HOME: home,
  ...(process.stdout.isTTY && !process.env.NO_COLOR ? { CARGO_TERM_COLOR: 'always', FORCE_COLOR: '1' } : {})
}

const done = []

/** One step of the test, with a headline. Ends everything if it fails. */
async function step(name, command, args, options = {}) {
  console.log(`\n== ${name}: ${path.basename(command)} ${args.join(' ')}`)
  const start = performance.now()
  const { code, passed, failed } = await run(command, args, { cwd: root, env, ...options })
  const seconds = (performance.now() - start) / 1000
  const failures = code !== 0 && failed === 0 ? 1 : failed
  done.push({ name, seconds, passed, failed: failures, code })
  console.log(`== ${name}: ${code === 0 ? 'ok' : `failed with exit code ${code}`} in ${seconds.toFixed(1)} s`)
  if (code !== 0 && !options.mayFail) finish(code)
  return code === 0
}

function finish(code) {
  fs.rmSync(home, { recursive: true, force: true })
  const sum = key => done.reduce((total, step) => total + step[key], 0)
  console.log(`\n${'step'.padEnd(22)}${'time'.padStart(10)}${'passed'.padStart(9)}${'failed'.padStart(9)}`)
  for (const { name, seconds, passed, failed } of done) {
    const counts = passed + failed === 0 ? ['', ''] : [passed, failed]
    console.log(`${name.padEnd(22)}${`${seconds.toFixed(1)} s`.padStart(10)}${counts.map(n => String(n).padStart(9)).join('')}`)
  }
  console.log(`${'all'.padEnd(22)}${`${sum('seconds').toFixed(1)} s`.padStart(10)}`)
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`)
  process.exit(code)
}

/** `cargo nextest`, built into target/tools if the machine has none. */
async function haveNextest() {
  const there = () => spawnSync('cargo', ['nextest', '--version'], { env }).status === 0
  if (there()) return true
  const args = ['install', '--locked', '--root', tools, '--version', NEXTEST, 'cargo-nextest']
  await step('install nextest', 'cargo', args, { timeoutMs: NEXTEST_BUILD_MS, mayFail: true })
  if (there()) return true
  // Not a failure of ours.
  done.pop()
  console.log('cargo-nextest cannot be installed here; `cargo test` runs the same tests')
  return false
}

/** Test files, by name: `node --test` finds them differently from version to version. */
function testFiles(folder) {
  const entries = fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name))
  return entries.flatMap(entry => {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : testFiles(file)
    return entry.name.endsWith('.test.mjs') ? [path.relative(root, file)] : []
  })
}

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 18) {
  console.error(`Node 18 or newer is needed, this is ${process.version}`)
  process.exit(1)
}
// The same words whatever the version, where there is the choice.
const reporter = major > 18 || minor >= 15 ? ['--test-reporter=spec'] : []
const files = testFiles(path.join(root, 'js-tests'))
const isTypes = file => path.basename(file) === 'types.test.mjs'

if (modulesAreStale(root)) await step('install', 'npm', ['ci', '--no-audit', '--no-fund'])
const nodes = otherNodes()
env.REWAKE_TEST_NODES = nodes.join(':')
await step('format', 'cargo', ['fmt', '--all', '--', '--check'])
await step('lints', 'cargo', ['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings'])
// They wait for processes most of the time.
const threads = String(2 * os.cpus().length)
if (await haveNextest()) await step('Rust tests', 'cargo', ['nextest', 'run', '--workspace', '--test-threads', threads])
else await step('Rust tests', 'cargo', ['test', '--workspace', '--all-targets'])
await step('Rust examples in docs', 'cargo', ['test', '--workspace', '--doc'])
await step('build', process.execPath, ['npm/scripts/build.mjs'])
await step('types', process.execPath, ['--test', ...reporter, ...files.filter(isTypes)])
await step('JavaScript tests', process.execPath, ['--test', ...reporter, ...files.filter(file => !isTypes(file))])
// The addon and what it promises, on every other Node.
const api = files.filter(file => path.dirname(file) === path.join('js-tests', 'api'))
for (const node of nodes) {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  await step(`API on ${stdout.trim()}`, node, ['--test', '--test-reporter=spec', ...api])
}
finish(0)
