// Gives the value of an ecosystem file to the process that started this Node: one line of JSON on descriptor 0, a socket.
// Standard output is not used for it, because the file may print.
'use strict'

const fs = require('fs')
const { pathToFileURL } = require('url')

// The process that waits is named by it: whoever is our parent by now may be another one already.
const [, file, parent] = process.argv
process.argv.length = 2
// What the file forks is not to run this text again.
process.execArgv = process.execArgv.filter((arg) => arg.startsWith('--experimental-'))
let told = false

function tell (answer) {
  if (told) return
  told = true
  const bytes = Buffer.from(JSON.stringify(answer) + '\n')
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(0, bytes, at)
    } catch (error) {
      // A file that touched process.stdin made the socket non-blocking.
      if (error.code !== 'EAGAIN') throw error
      Atomics.wait(pause, 0, 0, 2)
    }
  }
}

// Whoever waits for the answer may be killed while the file loops; then nobody is left to end this process but itself.
// A thread of its own, since a loop keeps the main one busy. Empty options: NODE_OPTIONS of the user are not run twice.
const { Worker } = require('worker_threads')
new Worker(
  `setInterval(() => { if (process.ppid !== ${Number(parent)}) process.kill(process.pid, 'SIGKILL') }, 250)`,
  { eval: true, env: {}, execArgv: [] }
).unref()

process.on('exit', (code) => tell({ exit: code }))
process.on('beforeExit', () => tell('unsettled'))
process.on('uncaughtException', (error) => {
  tell(failure(error))
  process.exit(1)
})

function failure (error) {
  let message = String(error)
  let stack = ''
  if (error instanceof Error || (error && typeof error.stack === 'string')) {
    message = `${error.name}: ${error.message}`
    stack = String(error.stack)
    if (error.name === 'SyntaxError' && !stack.includes(file + ':')) {
      // An ES module's syntax error tells its line only when Node itself prints it.
      const check = require('child_process').spawnSync(process.execPath, [...process.execArgv, '--check', file])
      stack = String(check.stderr)
    }
  }
  return { error: { message, stack } }
}

const unfit = []
let parts = 0

function plain (value, path, above) {
  if (++parts > 200000) throw new Error('the value has more than 200000 parts')
  const refuse = (what) => { if (unfit.length < 20) unfit.push({ path, what }) }
  if (value !== null && typeof value === 'object' && typeof value.toJSON === 'function') value = value.toJSON()
  switch (typeof value) {
    case 'string':
    case 'boolean': return value
    case 'number': return Number.isFinite(value) ? value : String(value)
    case 'undefined': return refuse('undefined')
    case 'function': return refuse('a function')
    case 'symbol': return refuse('a symbol')
    case 'bigint': return refuse('a BigInt')
  }
  if (value === null) return null
  if (value instanceof RegExp) return String(value)
  if (value instanceof Promise) return refuse('a Promise')
  if (value instanceof Map || value instanceof Set) return refuse('a Map or Set')
  if (above.includes(value)) return refuse('a reference to itself')
  if (above.length > 100) return refuse('nested too deeply')
  const here = [...above, value]
  if (Array.isArray(value)) return value.map((item, index) => plain(item, [...path, index], here))
  const object = {}
  for (const key of Object.keys(value)) {
    // As in JSON.stringify: `cwd: undefined` is the same as no `cwd`.
    if (value[key] === undefined) continue
    Object.defineProperty(object, key, { value: plain(value[key], [...path, key], here), enumerable: true })
  }
  return object
}

async function main () {
  const module = await import(pathToFileURL(file).href)
  let value = 'default' in module ? module.default : { ...module }
  // CommonJS that was compiled from an ES module.
  if (value && value.__esModule && 'default' in value) value = value.default
  value = await value
  if (typeof value === 'function') value = await value()
  const result = plain(value, [], [])
  tell(unfit.length > 0 ? { unfit } : { value: result })
}

main().catch((error) => tell(failure(error)))
