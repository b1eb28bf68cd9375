// One http/1.1 connection of a strict client, on a bare socket: what is not a whole and right answer is a failure, and none is hidden.

import net from 'node:net'
import tls from 'node:tls'

// How much later than its time a request without an answer is noticed at most.
const SWEEP_MS = 100
const waiting = new Set()
setInterval(() => {
  const now = performance.now()
  for (const connection of waiting) connection.expire(now)
}, SWEEP_MS).unref()

// Offered again to whichever worker is next: a ticket of one must be good at all.
const sessions = new Map()

/** A source address for the n-th client: as many as one likes, all of them this machine's. */
export function sourceAddress(n) {
  return `127.9.${Math.trunc(n / 250) % 250}.${(n % 250) + 1}`
}

/** A socket to the server, from the address. */
export function dial({ port, secure, localAddress, ALPNProtocols }) {
  const where = { host: '127.0.0.1', port, localAddress, noDelay: true }
  if (!secure) return net.connect(where)
  const socket = tls.connect({ ...where, rejectUnauthorized: false, ALPNProtocols, session: sessions.get(port) })
  socket.on('session', session => sessions.set(port, session))
  return socket
}

export class Connection {
  /** The worker that answered last, `{ pid, instance }`; none yet on a fresh connection. */
  worker
  #socket
  #timeoutMs
  #text = ''
  #url
  #done
  #begun = 0
  #answers = 0
  #isOpen = false
  #isOver = false

  constructor({ port, secure, localAddress, timeoutMs = 5000 }) {
    this.#timeoutMs = timeoutMs
    this.#socket = dial({ port, secure, localAddress })
    this.#socket.once(secure ? 'secureConnect' : 'connect', () => {
      this.#isOpen = true
      this.localAddress = `${this.#socket.localAddress}:${this.#socket.localPort}`
    })
    this.#socket.on('data', chunk => this.#read(chunk.latin1Slice()))
    this.#socket.on('end', () => this.#over('eof'))
    this.#socket.on('error', error => this.#over(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'reset' : `error ${error.code ?? error.message}`))
    this.#socket.on('close', () => this.#over('eof'))
  }

  /** Whether another request may be sent. */
  get isUsable() {
    return !this.#isOver
  }

  /** Sends a request; `done(failure, close)` is called once: what went wrong, if anything, and whether the server closes. */
  ask(url, keepAlive, done) {
    this.#url = url
    this.#done = done
    this.#begun = performance.now()
    waiting.add(this)
    this.#socket.write(`GET ${url} HTTP/1.1\r\nHost: soak\r\n${keepAlive ? '' : 'Connection: close\r\n'}\r\n`)
  }

  /** No longer of use: closes in order. */
  leave() {
    this.#isOver = true
    this.#socket.end()
    // A server that does not answer the end would keep the descriptor.
    this.#socket.setTimeout(1000, () => this.#socket.destroy())
  }

  expire(now) {
    if (now - this.#begun > this.#timeoutMs) this.#over('timeout')
  }

  #read(text) {
    if (!this.#done) {
      if (!this.#isOver) this.#over('unasked bytes')
      return
    }
    this.#text = this.#text === '' ? text : this.#text + text
    const head = this.#text.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = field(this.#text, head, 'Content-Length: ')
    if (length === undefined) return this.#over('no length')
    const end = head + 4 + Number(length)
    if (this.#text.length < end) return
    if (!this.#text.startsWith('HTTP/1.1 200 ')) return this.#over(`status ${this.#text.slice(9, 12)}`)
    if (this.#text.length > end || this.#text.slice(head + 4) !== this.#url) return this.#over('wrong body')
    this.worker ??= workerOf(field(this.#text, head, 'X-Worker: '))
    const closes = field(this.#text, head, 'Connection: ') === 'close'
    this.#text = ''
    this.#answers += 1
    this.#settle(undefined, closes)
  }

  #over(kind) {
    if (this.#isOver) return
    this.#isOver = true
    this.#socket.destroy()
    if (!this.#done) return
    if (kind !== 'eof' && kind !== 'reset') return this.#settle(kind)
    if (!this.#isOpen) return this.#settle(`${kind} in the handshake`)
    if (this.#text !== '') return this.#settle(`${kind} in an answer`)
    // On a used connection: the server closed it while the request was on its way.
    this.#settle(this.#answers > 0 ? 'stale-race' : `${kind} before an answer`)
  }

  #settle(failure, closes) {
    const done = this.#done
    this.#done = undefined
    waiting.delete(this)
    done(failure, closes)
  }
}

/** A worker as it names itself: its process and its instance. */
export function workerOf(text) {
  const [pid, instance] = text.split(' ').map(Number)
  return { pid, instance }
}

/** The value of a field, as Node's server spells it. */
function field(text, head, name) {
  const at = text.indexOf(`\r\n${name}`)
  if (at < 0 || at > head) return undefined
  const from = at + 2 + name.length
  return text.slice(from, text.indexOf('\r\n', from))
}
