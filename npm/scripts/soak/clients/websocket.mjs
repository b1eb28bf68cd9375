// WebSocket clients that send and wait for the echo. A connection may end in two ways that are no failure: the server's close 1001 (an
// echo that is then under way is asked again, and counted), and an end without a word by a server that was given its time and knows
// nothing of its clients' end. Whoever runs this says since when such a cut is in order; before, each one is a failure.

import crypto from 'node:crypto'
import { CLOSE, Frames, GOING_AWAY, TEXT, acceptOf, closeFrame, frame } from '../apps/frames.cjs'
import { dial, sourceAddress } from './connection.mjs'
import { between } from './http1.mjs'

const TIMEOUT_MS = 5000
const AFTER_FAILURE_MS = 10
const STOP_MS = 7000
// Small ones mostly; some with either of the longer forms of length.
const SIZES = [16, 16, 16, 16, 16, 16, 100, 300, 4000, 70_000]

export class Client {
  #meter
  #options
  #stopping = false
  #running = 0
  #stopped
  #cutFrom = Infinity

  constructor(options, meter) {
    this.#options = options
    this.#meter = meter
  }

  start() {
    for (let number = 0; number < this.#options.connections; number += 1) {
      this.#running += 1
      this.#one(number)
    }
  }

  /** From so many ms from now on a server may end without a word; `null`: it may not. */
  cutsAreInOrderIn(ms) {
    this.#cutFrom = ms === null ? Infinity : performance.now() + ms
  }

  stop() {
    this.#stopping = true
    return new Promise(resolve => {
      this.#stopped = resolve
      setTimeout(resolve, STOP_MS)
    })
  }

  async #one(number) {
    const { delay, think, port } = this.#options
    let socket
    let again
    for (let count = 1; !this.#stopping; count += 1) {
      const text = again ?? message(delay ? between(delay) : 0, `${number}/${count}`)
      again = undefined
      const begun = performance.now()
      socket ??= new Echo({ port, localAddress: sourceAddress(number) })
      const end = await socket.echo(text)
      const now = performance.now()
      if (end === undefined) this.#meter.answered(now - begun)
      else {
        socket = undefined
        if (this.#isFailure(end)) {
          this.#meter.failed(end.kind, `after ${Math.round(now - begun)} ms`)
          await pause(AFTER_FAILURE_MS)
        } else again = text
        continue
      }
      await pause(between(think))
      const ended = socket.ended
      if (ended && this.#isFailure(ended)) this.#meter.failed(ended.kind, 'between messages')
      if (ended) socket = undefined
    }
    socket?.leave()
    this.#running -= 1
    if (this.#running === 0) this.#stopped?.()
  }

  /** Counts the end of a connection as what it was. */
  #isFailure({ kind, isEcho, isWithin }) {
    if (kind === 'close 1001') {
      this.#meter.counted('closed by 1001')
      if (isEcho) this.#meter.counted('retried')
      return false
    }
    if ((kind !== 'eof' && kind !== 'reset') || isWithin || performance.now() < this.#cutFrom) return true
    this.#meter.counted('cut after drain_timeout')
    if (isEcho) this.#meter.counted('cut with an echo under way')
    return false
  }
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

function message(delay, name) {
  const size = SIZES[Math.trunc(Math.random() * SIZES.length)]
  return `${delay} ${name} `.padEnd(size, 'x')
}

/** One connection. */
class Echo {
  /** How it ended, once it has: `{ kind, isEcho, isWithin }`. */
  ended
  #socket
  #key = crypto.randomBytes(16).toString('base64')
  #head = ''
  #isOpen = false
  #frames = new Frames()
  #waiting

  constructor(where) {
    this.#socket = dial(where)
    const head = ['GET / HTTP/1.1', 'Host: soak', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${this.#key}`]
    this.#socket.write(`${head.join('\r\n')}\r\n\r\n`)
    this.#socket.on('data', chunk => (this.#isOpen ? this.#read(chunk) : this.#open(chunk)))
    this.#socket.on('end', () => this.#over('eof'))
    this.#socket.on('error', ({ code }) => this.#over(this.#isOpen && (code === 'ECONNRESET' || code === 'EPIPE') ? 'reset' : `error ${code}`))
    this.#socket.on('close', () => this.#over('eof'))
  }

  /** Sends the text and waits for it; how the connection ended instead, if it did. */
  echo(text) {
    if (this.ended) return Promise.resolve(this.ended)
    const bytes = Buffer.from(text, 'latin1')
    return new Promise(resolve => {
      const timeout = setTimeout(() => this.#over('timeout'), TIMEOUT_MS)
      const done = end => {
        clearTimeout(timeout)
        resolve(end)
      }
      this.#waiting = { bytes, done }
      if (this.#isOpen) this.#socket.write(frame(TEXT, bytes, true))
    })
  }

  leave() {
    if (this.ended) return
    this.ended = { kind: 'left' }
    this.#socket.end(closeFrame(1000, true))
    this.#socket.setTimeout(1000, () => this.#socket.destroy())
  }

  #open(chunk) {
    this.#head += chunk.latin1Slice()
    if (!this.#head.includes('\r\n\r\n')) return
    const isRight = this.#head.startsWith('HTTP/1.1 101 ') && this.#head.includes(acceptOf(this.#key)) && this.#head.endsWith('\r\n\r\n')
    if (!isRight) return this.#over('no handshake')
    this.#isOpen = true
    if (this.#waiting) this.#socket.write(frame(TEXT, this.#waiting.bytes, true))
  }

  #read(chunk) {
    for (const { opcode, payload } of this.#frames.push(chunk)) {
      if (this.ended) return
      if (opcode === CLOSE) {
        const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005
        this.#socket.end(closeFrame(code, true))
        return this.#over(`close ${code}`)
      }
      const waiting = this.#waiting
      if (opcode !== TEXT || !waiting) return this.#over('unasked frame')
      if (!waiting.bytes.equals(payload)) return this.#over('wrong echo')
      this.#waiting = undefined
      waiting.done()
    }
  }

  #over(kind) {
    if (this.ended) return
    const waiting = this.#waiting
    const isHandshake = !this.#isOpen && (kind === 'eof' || kind === 'reset')
    this.ended = { kind: isHandshake ? `${kind} in the handshake` : kind, isEcho: waiting !== undefined, isWithin: this.#frames.isWithin }
    if (kind !== `close ${GOING_AWAY}`) this.#socket.destroy()
    this.#waiting = undefined
    waiting?.done(this.ended)
  }
}
