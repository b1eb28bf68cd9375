'use strict'

// The object that users hold: each method is one question to the supervisor, or one subscription. Translates; the supervisor
// decides.

const { RewakeError, badRequest, fromReply } = require('./errors.cjs')
const { isKnownName, resolvePost, splitOptions } = require('./start.cjs')
const { readLogsPost } = require('./read-logs.cjs')
const { readLine, slot, values } = require('./shapes.cjs')
const { asyncDispose } = require('./symbols.cjs')
const { Workers } = require('./workers.cjs')

class Rewake {
  #session
  #workers
  #isDown = false

  constructor(session, welcome) {
    this.#session = session
    this.embedded = welcome === null
    this.home = welcome?.home
    this.daemon = welcome ? { pid: welcome.pid, keeperPid: welcome.keeper_pid, version: welcome.version } : undefined
    if (this.embedded) this.#workers = new Workers(session)
  }

  async start(what, options = {}) {
    const { signal, whenKnown, settleMs, env, ...wishes } = splitOptions(options)
    if (isKnownName(what, wishes.app)) {
      try {
        return await this.#command({ start_known: { target: target(what), env, settle_ms: settleMs } }, signal)
      } catch (error) {
        // A word without a dot may also be a program in the PATH.
        if (error.code !== 'NOT_FOUND' || typeof what === 'number') throw error
      }
    }
    const { apps, warnings, described } = await this.#session.call(resolvePost(what, wishes, this.embedded), { signal })
    warn(warnings)
    const when_known = whenKnown ?? (described ? 'replace' : 'refuse')
    return this.#command({ start: { apps, when_known: when_known === 'reload' ? { reload: {} } : when_known, settle_ms: settleMs } }, signal)
  }

  async stop(which, { signal } = {}) {
    return this.#command({ stop: { target: target(which) } }, signal)
  }

  async restart(which, { updateEnv = false, settleMs = 0, signal } = {}) {
    const env = envChange(updateEnv)
    return this.#command({ restart: { target: target(which), env, settle_ms: settleMs } }, signal)
  }

  async reload(which, { updateEnv = false, parallel, wait = true, signal } = {}) {
    if (parallel !== undefined && !(Number.isInteger(parallel) && parallel > 0)) throw badRequest('parallel is a whole number above 0')
    return this.#command({ reload: { target: target(which), env: envChange(updateEnv), parallel, no_wait: !wait } }, signal)
  }

  async scale(which, instances, { signal } = {}) {
    await this.#command({ scale: { target: target(which), to: scaleTo(instances) } }, signal)
    const [{ name, namespace }] = await this.describe(which, { signal })
    return (await this.list({ signal })).filter(slot => slot.name === name && slot.namespace === namespace)
  }

  async delete(which, { signal } = {}) {
    await this.#command({ delete: { target: target(which) } }, signal)
  }

  async reset(which, { signal } = {}) {
    return this.#command({ reset: { target: target(which) } }, signal)
  }

  async signal(which, name, { signal } = {}) {
    if (typeof name !== 'string' && !Number.isInteger(name)) throw badRequest('a signal is a name or a number')
    await this.#command({ signal: { target: target(which), signal: String(name) } }, signal)
  }

  async send(which, message, { signal } = {}) {
    let text
    try {
      text = JSON.stringify(message)
    } catch (cause) {
      throw new RewakeError('BAD_REQUEST', 'the message cannot be JSON', { cause })
    }
    if (text === undefined) throw badRequest('the message cannot be JSON', 'send null, a value or an object')
    await this.#command({ send: { target: target(which), message } }, signal)
  }

  async list({ signal } = {}) {
    return this.#list(null, signal)
  }

  async describe(which, { signal } = {}) {
    return this.#list(target(which), signal)
  }

  async env(which, { signal } = {}) {
    return (await this.#request({ env: { target: target(which) } }, signal)).env
  }

  async flush(which, { signal } = {}) {
    return (await this.#request({ flush: { target: some(which) } }, signal)).flushed
  }

  async save({ force = false, signal } = {}) {
    return (await this.#request({ save: { force } }, signal)).saved
  }

  async resurrect({ signal } = {}) {
    return this.#command('resurrect', signal)
  }

  async ping({ signal } = {}) {
    await this.#request('ping', signal)
  }

  events({ target: which, messages = false, signal, onMissed } = {}) {
    return this.#subscribe({ events: true, messages, target: some(which) }, { signal, onMissed })
  }

  messages({ target: which, signal, onMissed } = {}) {
    return this.#subscribe({ messages: true, target: some(which) }, { signal, onMissed })
  }

  logs({ target: which, stream, signal, onMissed, ...wishes } = {}) {
    if (![undefined, 'out', 'err'].includes(stream)) throw badRequest("stream is 'out' or 'err'")
    const options = { signal, onMissed }
    const read = readLogsPost(wishes, this.home)
    if (read === undefined) return this.#subscribe({ logs: { stream: stream ?? null }, target: some(which) }, options)
    const read_logs = { target: some(which), stream: stream ?? null, ...read }
    return this.#session.feed({ read_logs }, readLine, options)
  }

  /** Stops everything, then ends the supervisor: the daemon, or the embedded engine. */
  async shutdown({ signal } = {}) {
    if (this.#isDown || (this.embedded && this.#session.isOver)) return
    try {
      await this.#request('kill', signal)
    } catch (error) {
      // A second one, or the daemon was ended by somebody else at the same moment.
      if (error.code !== 'SHUTTING_DOWN' && !(this.embedded && error.code === 'CLOSED')) throw error
    }
    this.#isDown = true
    await this.#session.close()
  }

  /** Ends this connection; embedded, stops the workers first. Safe to call twice. */
  async close() {
    if (this.embedded) await this.shutdown()
    else await this.#session.close()
  }

  ref() {
    this.#workers?.keepAlive(true)
    return this
  }

  unref() {
    this.#workers?.keepAlive(false)
    return this
  }

  async [asyncDispose]() {
    await this.close()
  }

  #request(request, signal) {
    return this.#session.call({ request }, { signal })
  }

  /** A command over several slots: all of them as they are now, or an error if one failed. */
  async #command(request, signal) {
    const { slots, warnings = [] } = (await this.#request(request, signal)).done
    warn(warnings)
    const infos = slots.flatMap(result => (result.info ? [slot(result.info)] : []))
    this.#workers?.seen(infos)
    const failed = slots.filter(result => result.error)
    if (failed.length === 0) return infos
    const { code, message, hint } = failed[0].error
    const details = slots.map(({ id, name, error }) => ({ id, name, error: error && fromReply(error) }))
    const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : ''
    throw new RewakeError(code, message + more, { hint, slots: details })
  }

  async #list(which, signal) {
    return (await this.#request({ list: { target: which } }, signal)).list.map(slot)
  }

  #subscribe(filter, options) {
    return this.#session.subscribe(filter, values, options)
  }
}

/** A target as the supervisor reads it. */
function target(which) {
  if (typeof which === 'string' && which !== '') return which
  if (Number.isInteger(which) && which >= 0) return String(which)
  throw badRequest('a target is an id, a name, a namespace, `all` or `/regex/`')
}

function some(which) {
  return which === undefined ? null : target(which)
}

// What describes this process alone.
const OWN_VARIABLES = new Set([
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'NODE_UNIQUE_ID',
  'REWAKE_HOME',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'LISTEN_FDNAMES'
])

/** `4`, or `'+2'` and `'-1'` for more and fewer. */
function scaleTo(instances) {
  if (Number.isInteger(instances) && instances > 0) return { exactly: instances }
  if (typeof instances === 'string' && /^[+-]\d{1,5}$/.test(instances)) return { by: Number(instances) }
  throw badRequest("a number of instances is a whole number above 0, or '+2' or '-1'")
}

function envChange(updateEnv) {
  if (updateEnv === false) return null
  const entries = updateEnv === true
    ? Object.entries(process.env).filter(([name]) => !OWN_VARIABLES.has(name))
    : Object.entries(updateEnv).map(([name, value]) => [name, String(value)])
  return { set: Object.fromEntries(entries) }
}

function warn(warnings) {
  for (const text of warnings) process.emitWarning(text, 'RewakeWarning')
}

module.exports = { Rewake }
