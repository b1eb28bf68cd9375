'use strict'

// What `start` was given, made into the question for app descriptions. Reads no file and knows no key of an app: the
// configuration crate does, the same as for the command line.

const { badRequest } = require('./errors.cjs')

/** The options of the call itself, and the rest: keys of the app. */
function splitOptions({ signal, whenKnown, settleMs = 0, envName, only, ...app }) {
  if (![undefined, 'refuse', 'replace', 'reload', 'beside'].includes(whenKnown)) {
    throw badRequest("whenKnown is 'refuse', 'replace', 'reload' or 'beside'")
  }
  if (!Number.isInteger(settleMs) || settleMs < 0) throw badRequest('settleMs is a number of milliseconds')
  return { signal, whenKnown, settleMs, env: null, envName, only, app }
}

/** Whether `what` may name an app that is listed already: a bare word or an id, and nothing said about the app. */
function isKnownName(what, app) {
  if (typeof what === 'number') return true
  return typeof what === 'string' && Object.keys(app).length === 0 && !/[./\s]/.test(what)
}

/** The question that makes app descriptions of what the user gave. */
function resolvePost(what, { envName, only, app }, embedded) {
  return {
    resolve: {
      what: whatOf(what),
      cwd: process.cwd(),
      // JavaScript's view: a worker thread has its own, and nobody changes it while it is read.
      env: { ...process.env },
      node: { exe: process.execPath, first: embedded },
      env_name: envName ?? null,
      only: only ?? [],
      overrides: app
    }
  }
}

function whatOf(what) {
  if (typeof what === 'string' && what !== '') return { path: what }
  if (typeof what === 'object' && what !== null) return { value: what }
  throw badRequest('start takes a script, an ecosystem file, an app, a list of apps, or the name or id of a listed app')
}

module.exports = { isKnownName, resolvePost, splitOptions }
