// http2 clients: some sessions, each with some streams at a time. What the protocol lets a client ask again elsewhere (a stream that was
// refused, or never left because of a GOAWAY) is asked again and counted apart; everything else that is no right answer is a failure.

import http2 from 'node:http2'
import { dial, sourceAddress, workerOf } from './connection.mjs'
import { between } from './http1.mjs'

const TIMEOUT_MS = 5000
const AFTER_FAILURE_MS = 10
const STOP_MS = 7000
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_NO_ERROR } = http2.constants
// nghttp2's word for a stream that it did not open because the other side has said goodbye.
const START_STREAM_NOT_ALLOWED = -516

export class Client {
  #options
  #meter
  #stopping = false
  #running = 0
  #stopped

  constructor(options, meter) {
    this.#options = options
    this.#meter = meter
  }

  start() {
    const { sessions, streams } = this.#options
    for (let number = 0; number < sessions; number += 1) {
      const own = new Session(this.#options, number)
      for (let stream = 0; stream < streams; stream += 1) {
        this.#running += 1
        this.#one(own, number * streams + stream)
      }
    }
  }

  stop() {
    this.#stopping = true
    return new Promise(resolve => {
      this.#stopped = resolve
      setTimeout(resolve, STOP_MS)
    })
  }

  async #one(session, number) {
    for (let count = 1; !this.#stopping; count += 1) {
      const begun = performance.now()
      const url = `/${this.#options.delay ? between(this.#options.delay) : 0}/${number}/${count}`
      for (;;) {
        const failure = await session.ask(url)
        if (failure === 'retry') {
          this.#meter.counted('retried')
          continue
        }
        const took = performance.now() - begun
        if (failure === undefined) this.#meter.answered(took)
        else {
          this.#meter.failed(failure, `after ${Math.round(took)} ms`)
          await new Promise(resolve => setTimeout(resolve, AFTER_FAILURE_MS))
        }
        break
      }
    }
    session.leave()
    this.#running -= 1
    if (this.#running === 0) this.#stopped?.()
  }
}

/** A session, and the next one when the server wants no more on it. */
class Session {
  #options
  #number
  #session
  #trouble

  constructor(options, number) {
    this.#options = options
    this.#number = number
  }

  #current() {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session
    const session = open({ ...this.#options, localAddress: sourceAddress(this.#number) })
    // What happens to the session befalls its streams, which tell it.
    session.on('error', error => (this.#trouble = error))
    this.#session = session
    return session
  }

  /** One request: what went wrong, `retry`, or nothing. */
  ask(url) {
    return new Promise(resolve => {
      const session = this.#current()
      const wasOpen = !session.connecting
      const stream = session.request({ ':path': url })
      let [status, body, wasNotSent, error] = [0, '', false, undefined]
      const timeout = setTimeout(() => {
        resolve('timeout')
        session.destroy()
      }, TIMEOUT_MS)
      stream.setEncoding('latin1')
      stream.on('response', headers => (status = headers[':status']))
      stream.on('data', text => (body += text))
      stream.on('frameError', (type, code) => (wasNotSent ||= code === START_STREAM_NOT_ALLOWED))
      stream.on('error', happened => (error = happened))
      stream.on('close', () => {
        clearTimeout(timeout)
        const { rstCode } = stream
        if (status === 200 && body === url && rstCode === NGHTTP2_NO_ERROR && !error) return resolve()
        if (status === 0 && (rstCode === NGHTTP2_REFUSED_STREAM || wasNotSent || error?.code === 'ERR_HTTP2_GOAWAY_SESSION')) return resolve('retry')
        const cause = error?.code ?? this.#trouble?.code ?? 'eof'
        if (!wasOpen && session.connecting) return resolve(`connect ${cause}`)
        if (status !== 0 && body !== url && rstCode === NGHTTP2_NO_ERROR && !error && body.length >= url.length) return resolve('wrong body')
        resolve(`${status === 0 ? 'no answer' : 'half an answer'}: ${cause}, code ${rstCode}`)
      })
    })
  }

  leave() {
    this.#session?.close()
  }
}

/** Who answers one request on a session of its own, or nothing. */
export function http2Worker(options) {
  return new Promise(resolve => {
    const session = open(options)
    session.on('error', () => resolve())
    const stream = session.request({ ':path': '/0/who' })
    stream.on('error', () => resolve())
    stream.on('response', headers => resolve(workerOf(headers['x-worker'])))
    stream.on('close', () => session.close())
    stream.resume()
  })
}

function open({ port, secure, localAddress }) {
  const socket = dial({ port, secure, localAddress, ALPNProtocols: ['h2'] })
  return http2.connect(`${secure ? 'https' : 'http'}://127.0.0.1:${port}`, { createConnection: () => socket })
}
