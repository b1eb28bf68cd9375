'use strict'

// What crosses the wire, as JavaScript people like it: camelCase, dates, `undefined` for what is not there. Loses nothing.

const date = ms => (ms === null || ms === undefined ? undefined : new Date(ms))
const some = value => (value === null ? undefined : value)

/** How a process ended. */
function exit(wire) {
  if (wire === null || wire === undefined) return undefined
  return { code: some(wire.code), signal: some(wire.signal), at: new Date(wire.at_ms), livedMs: wire.lived_ms }
}

/** One slot, as `list` shows it. */
function slot(wire) {
  return {
    id: wire.id,
    name: wire.name,
    namespace: wire.namespace,
    instance: wire.instance,
    status: wire.status,
    pid: some(wire.pid),
    run: some(wire.run),
    restarts: wire.restarts,
    unstableRestarts: wire.unstable_restarts,
    createdAt: new Date(wire.created_at_ms),
    startedAt: date(wire.started_at_ms),
    lastExit: exit(wire.last_exit),
    reason: some(wire.reason),
    memory: some(wire.memory_bytes),
    cpu: some(wire.cpu_percent),
    outLog: some(wire.out_log),
    errorLog: some(wire.error_log),
    user: wire.user,
    cluster: cluster(wire.cluster),
    sockets: wire.sockets ?? [],
    version: some(wire.spec.version),
    app: app(wire.spec)
  }
}

/** A cluster worker's part in serving its app. */
function cluster(wire) {
  if (wire === null || wire === undefined) return undefined
  return {
    listens: wire.listens,
    openConnections: some(wire.open_connections),
    givenConnections: wire.given_connections
  }
}

/** The description a slot was started from; its environment is told by `env()` alone. */
function app({ instances, launch, policy }) {
  return {
    instances,
    script: launch.script,
    interpreter: some(launch.interpreter),
    interpreterArgs: launch.interpreter_args,
    args: launch.args,
    cwd: launch.cwd,
    execMode: launch.exec_mode,
    autorestart: policy.autorestart,
    autostart: policy.autostart,
    stopExitCodes: policy.stop_exit_codes,
    minUptimeMs: policy.min_uptime_ms,
    maxRestarts: some(policy.max_restarts),
    restartDelayMs: policy.restart_delay_ms,
    expBackoffRestartDelayMs: policy.exp_backoff_restart_delay_ms,
    waitReady: policy.wait_ready,
    listenTimeoutMs: policy.listen_timeout_ms,
    killTimeoutMs: policy.kill_timeout_ms,
    treekill: policy.treekill
  }
}

/** The values that one event of a subscription stands for, each as `{ value }`. */
function values(event) {
  if ('process' in event) return [{ value: processEvent(event.process) }]
  if ('message' in event) return [{ value: message(event.message) }]
  if ('log' in event) return logLines(event.log)
  // Of a newer supervisor: what we cannot name is not for this reader.
  return []
}

function processEvent({ at_ms, exit: ended, pid, run, ...rest }) {
  return { type: 'process', ...rest, at: new Date(at_ms), pid: some(pid), run: some(run), exit: exit(ended) }
}

function message({ at_ms, ...rest }) {
  return { type: 'message', ...rest, at: new Date(at_ms) }
}

function logLines({ at_ms, lines, ...rest }) {
  const at = new Date(at_ms)
  return lines.map(line => ({ value: { type: 'log', ...rest, at, line } }))
}

/** One event or one line that was read from a file, as `values` gives it. */
function readLine(wire) {
  if (!('line' in wire)) return values(wire)
  const { at_ms, continued = false, ...rest } = wire
  return [{ value: { type: 'log', ...rest, at: date(at_ms), ...(continued && { continued }) } }]
}

module.exports = { readLine, slot, values }
