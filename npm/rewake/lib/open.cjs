'use strict'

// The two ways in. Both give the same object.

const path = require('node:path')

const { badRequest } = require('./errors.cjs')
const { Rewake } = require('./rewake.cjs')
const { Session } = require('./session.cjs')

/** Connects to the user's daemon and starts it if there is none. */
async function connect({ home, signal } = {}) {
  if (home !== undefined && (typeof home !== 'string' || home === '')) throw badRequest('home must be the path of a folder')
  // Read here, not by the addon: a worker thread has its own environment.
  const named = home ?? (process.env.REWAKE_HOME || undefined)
  const folder = named ?? (process.env.HOME ? path.join(process.env.HOME, '.rewake') : undefined)
  const open = exe => ({ connect: { home: folder === undefined ? null : path.resolve(folder), exe } })
  const { session, welcome } = await Session.open(open, signal)
  return new Rewake(session, welcome)
}

/** Runs the engine inside this program, without a daemon. */
async function embed({ signal } = {}) {
  const { session } = await Session.open(exe => ({ embed: { exe } }), signal)
  return new Rewake(session, null)
}

module.exports = { connect, embed }
