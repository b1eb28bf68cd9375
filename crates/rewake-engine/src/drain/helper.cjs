// The drain helper: what makes `server.close()` of an http, https or http2 server lose no request. Loaded with `--require` into cluster
// workers, and into apps with `sockets` that ask for it; nothing else of ours ever is. It must never change what an app sees or does before one of
// its servers is closed or it is told to go, throw into an app, or keep a process alive but for the moment in which its stop signal comes.
//
// Why: a server that closes an idle keep-alive connection races with the request that its client is sending just then. Only an answer
// that says `Connection: close` (http2: a GOAWAY) ends the connection without a loser, and only code in the process can say that.
'use strict'

const channels = require('node:diagnostics_channel')
// Taken now, because an app's tests may put pretended ones in their place.
const { setInterval, clearInterval, setImmediate, setTimeout, clearTimeout } = globalThis

// A client that was answered before the close may send its next request this late and still be answered; one that thinks longer is
// told apart from one that is gone by nothing. Well below every drain timeout.
const GRACE_MS = 1000
// An idle connection is cut this late at most after its grace. Runs only while a server is being closed.
const SWEEP_MS = 100
const GRACE_SWEEPS = GRACE_MS / SWEEP_MS

// The stop signal follows at once when the channel is closed. One that never comes holds nobody longer than this.
const SIGNAL_MS = 2000

// GOAWAY that takes every stream still on its way (RFC 9113, 6.8): 8 bytes of type 7 on stream 0, the highest last stream, no error.
const GOAWAY_SOON = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])

// Prototypes that were looked at, and those of http2 servers.
const known = new WeakSet()
const http2 = new WeakSet()
// The sessions of each http2 server, as WeakRefs.
const sessions = new WeakMap()
// Servers that are being closed, with their sweeps so far; and the sweep at which a connection was first seen idle.
const draining = new Map()
const idleSince = new WeakMap()
// The newest answer of each connection: of requests that were sent without waiting only the last may say `close`.
const newest = new WeakMap()
let sweeper

// Told of every connection that a server of this process accepts, whoever loaded `http` and however. Until then there is nothing to drain.
channels.channel('net.server.socket').subscribe(({ socket }) => {
  const { server } = socket
  if (typeof server !== 'object' || server === null) return
  const prototype = Object.getPrototypeOf(server)
  if (!known.has(prototype)) learn(prototype)
  if (http2.has(prototype) && !sessions.has(server)) rememberSessions(server, socket)
})

// Told to go, a worker that has served everything may end by itself before the stop signal comes: what the app does on it must be done.
process.on('internalMessage', message => {
  if (message?.cmd === 'NODE_CLUSTER' && message.act === 'disconnect') process.once('disconnect', () => awaitSignal(message.signal))
})

// What the app sees of itself, and hands on to its children, is what it would be without the helper.
delete require.cache[module.filename]
const option = process.execArgv.findIndex((word, at) => word === '--require' && isThisFile(process.execArgv[at + 1]))
if (option >= 0) process.execArgv.splice(option, 2)

function awaitSignal(signal) {
  if (typeof signal !== 'string' || process.listenerCount(signal) === 0) return
  const timer = setTimeout(() => {}, SIGNAL_MS)
  process.once(signal, () => clearTimeout(timer))
}

/** By the path that was given, which may lead here through a symbolic link. */
function isThisFile(path) {
  try {
    return require.resolve(path) === module.filename
  } catch {
    return false
  }
}

/** Wraps `close` where Node defines it for the servers of this prototype, if they speak http. */
function learn(prototype) {
  let isHttp2 = false
  for (let at = prototype; at !== null && !Object.hasOwn(at, 'getConnections'); at = Object.getPrototypeOf(at)) {
    isHttp2 ||= Object.hasOwn(at, 'updateSettings')
    const speaksHttp = Object.hasOwn(at, 'closeIdleConnections') || Object.hasOwn(at, 'updateSettings')
    if (speaksHttp && !known.has(at)) wrapClose(at)
    known.add(at)
  }
  known.add(prototype)
  if (isHttp2) http2.add(prototype)
}

function wrapClose(prototype) {
  const own = Object.getOwnPropertyDescriptor(prototype, 'close')
  const original = own?.value ?? Object.getPrototypeOf(prototype).close
  const wrapped = {
    close() {
      // A second close (`disconnect`, then the app's own signal handler) must not cut what the first one spares.
      if (this.listening) begin(this)
      else if (!draining.has(this)) return Reflect.apply(original, this, arguments)
      return withoutCutting(this, () => Reflect.apply(original, this, arguments))
    }
  }
  for (const name of ['name', 'length']) Object.defineProperty(wrapped.close, name, { configurable: true, value: original[name] })
  Object.defineProperty(prototype, 'close', { configurable: true, writable: true, enumerable: own?.enumerable ?? false, value: wrapped.close })
}

/** Does it while Node's `close` can neither cut idle connections nor close sessions that are told in another way. */
function withoutCutting(server, action) {
  const spared = [[server, 'closeIdleConnections']]
  for (const session of sessionsOf(server)) if (!session.encrypted) spared.push([session, 'close'])
  const before = spared.map(([on, name]) => Object.getOwnPropertyDescriptor(on, name))
  for (const [on, name] of spared) Object.defineProperty(on, name, { configurable: true, writable: true, value() {} })
  try {
    return action()
  } finally {
    spared.forEach(([on, name], at) => (before[at] ? Object.defineProperty(on, name, before[at]) : delete on[name]))
  }
}

function begin(server) {
  if (draining.size === 0) {
    channels.channel('http.server.request.start').subscribe(onRequest)
    sweeper = setInterval(sweepAll, SWEEP_MS)
    sweeper.unref()
  }
  draining.set(server, 0)
  // Answers that are being made. A request behind one of them has been read already and must not be thrown away by its `close`.
  for (const { socket, incoming } of connectionsOf(server)?.all() ?? []) {
    const response = socket?._httpMessage
    if (response && (!incoming || incoming === response.req)) sayClose(socket, response)
  }
  for (const session of sessionsOf(server)) announce(session)
  sweep(server, 0)
}

function onRequest({ server, socket, response }) {
  if (draining.has(server) && !server.listening) sayClose(socket, response)
}

/** Makes the answer say `Connection: close`, whatever the app says, if its head is not sent yet. */
function sayClose(socket, response) {
  newest.set(socket, response)
  if (response.headersSent) return
  const { writeHead } = response
  const value = function (...args) {
    // 101: the connection becomes something else, which is not ours to end.
    if (!this.headersSent && args[0] !== 101 && newest.get(socket) === this) {
      const at = typeof args[1] === 'string' || args[2] != null ? 2 : 1
      if (typeof args[at] === 'object' && args[at] !== null) args[at] = withClose(args[at])
      else this.setHeader('Connection', 'close')
    }
    return Reflect.apply(writeHead, this, args)
  }
  Object.defineProperty(response, 'writeHead', { configurable: true, writable: true, value })
}

/** The headers, in any form that `writeHead` takes, with `Connection: close` as their only `Connection`. */
function withClose(headers) {
  const other = name => String(name).toLowerCase() !== 'connection'
  if (!Array.isArray(headers)) {
    return Object.fromEntries([...Object.entries(headers).filter(([name]) => other(name)), ['Connection', 'close']])
  }
  if (Array.isArray(headers[0])) return [...headers.filter(([name]) => other(name)), ['Connection', 'close']]
  const kept = headers.filter((_, at) => other(headers[at - (at % 2)]))
  return [...kept, 'Connection', 'close']
}

function sweepAll() {
  for (const [server, sweeps] of draining) {
    if (server.listening) end(server)
    else {
      draining.set(server, sweeps + 1)
      sweep(server, sweeps + 1)
      server.getConnections((error, count) => {
        if (!error && count === 0 && !server.listening) end(server)
      })
    }
  }
}

function end(server) {
  if (draining.delete(server) && draining.size === 0) {
    clearInterval(sweeper)
    channels.channel('http.server.request.start').unsubscribe(onRequest)
  }
}

/** Cuts what has been idle for the whole grace: by its own clock, so that a long answer's connection is not cut as it ends. */
function sweep(server, now) {
  const list = connectionsOf(server)
  const idle = new Set(list?.idle())
  for (const parser of list?.all() ?? []) {
    const { socket } = parser
    if (!socket) continue
    // Node's `closeIdleConnections` counts an answer as sent that still waits for the network.
    const isIdle = !socket._httpMessage && socket.writableLength === 0 && (idle.has(parser) || neverAsked(parser))
    if (!isIdle) idleSince.delete(socket)
    else if (!idleSince.has(socket)) idleSince.set(socket, now)
    else if (now - idleSince.get(socket) >= GRACE_SWEEPS) socket.destroy()
  }
  if (now >= GRACE_SWEEPS) for (const session of sessionsOf(server)) session.close()
}

/** Opened in advance, as browsers do. Node has no limit for it once its server is closed. */
function neverAsked({ socket, incoming }) {
  return !incoming && socket.bytesRead === 0
}

/** Node's own list of a server's http/1 connections. Its key is not exported, but is the same in every Node since 18. */
function connectionsOf(server) {
  const key = Object.getOwnPropertySymbols(server).find(symbol => symbol.description === 'http.server.connections')
  return server[key]
}

function rememberSessions(server, socket) {
  const remembered = new Set()
  let prune = 16
  const remember = session => {
    if (remembered.size >= prune) {
      for (const ref of remembered) if (ref.deref()?.destroyed !== false) remembered.delete(ref)
      prune = Math.max(16, 2 * remembered.size)
    }
    remembered.add(new WeakRef(session))
    if (draining.has(server) && !server.listening) announce(session)
  }
  sessions.set(server, remembered)
  server.on('session', remember)
  // Without TLS the first session was made just before its connection was told of. Node keeps it on the socket, under varying names.
  const first = Reflect.ownKeys(socket).map(key => socket[key]).find(value => typeof value?.goaway === 'function')
  if (first !== undefined) remember(first)
}

function sessionsOf(server) {
  return [...(sessions.get(server) ?? [])].map(ref => ref.deref()).filter(session => session?.destroyed === false)
}

/** Tells a client to open no more streams here. */
function announce(session) {
  const key = Object.getOwnPropertySymbols(session).find(symbol => symbol.description === 'socket')
  // Node's own GOAWAY drops the streams that are on their way at that moment, so it waits for the grace. Not with TLS: there a write
  // beside the session's own may fail an assertion. Its clients learn from the GOAWAY which requests to repeat.
  if (session.encrypted || typeof session[key]?.write !== 'function') return session.close()
  delayDestroy(session)
  session[key].write(GOAWAY_SOON)
}

// A client answers our GOAWAY with its own, upon which Node 18 destroys the session even if answers are still to be written: a turn later
// they are.
function delayDestroy(session) {
  const { destroy } = session
  session.destroy = function (error, code) {
    if (error != null || code != null) return Reflect.apply(destroy, this, arguments)
    setImmediate(() => this.destroyed || Reflect.apply(destroy, this, arguments))
  }
}
