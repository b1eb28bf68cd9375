'use strict'

// Puts the executable in the place of the script in bin/, so that `rewake` starts without a Node in between. Only where that is
// safe, and never a reason for an install to fail: the script does the same, a little slower.

const fs = require('node:fs')
const path = require('node:path')

const { locate, target } = require('./lib/loader.cjs')

/** Replaces `shim` by the executable, as one step: whoever runs it meanwhile has the old or the new one. */
function replace(shim, exe) {
  const fresh = `${shim}.${process.pid}`
  try {
    try {
      fs.linkSync(exe, fresh)
    } catch {
      // Another file system, or one without links.
      fs.copyFileSync(exe, fresh)
      fs.chmodSync(fresh, 0o755)
    }
    fs.renameSync(fresh, shim)
  } finally {
    fs.rmSync(fresh, { force: true })
  }
}

// Other package managers write a launcher for the script's first line before this runs, and would hand the executable to Node.
// Nor in a checkout, where the script is a file under version control.
const byNpm = (process.env.npm_config_user_agent ?? '').startsWith('npm/')
const installed = path.basename(path.dirname(__dirname)) === 'node_modules'

if (byNpm && installed) {
  try {
    replace(path.join(__dirname, 'bin', 'rewake'), locate(target()).exe)
  } catch (error) {
    if (process.env.npm_config_loglevel === 'verbose') console.error(`rewake keeps its script in bin/: ${error.message}`)
  }
}
