// RFC 6455, as much of it as an echo needs: whole messages, no extensions. For the server and the client of the soaks.

const crypto = require('node:crypto')

const TEXT = 1
const CLOSE = 8
const GOING_AWAY = 1001
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** What a server answers to a client's key. */
function acceptOf(key) {
  return crypto.createHash('sha1').update(key + GUID).digest('base64')
}

/** One frame; clients must mask theirs. */
function frame(opcode, payload, isMasked) {
  const long = payload.length > 0xffff ? 8 : payload.length > 125 ? 2 : 0
  const head = Buffer.alloc(2 + long)
  head[0] = 0x80 | opcode
  head[1] = (isMasked ? 0x80 : 0) | (long === 8 ? 127 : long === 2 ? 126 : payload.length)
  if (long === 2) head.writeUInt16BE(payload.length, 2)
  if (long === 8) head.writeBigUInt64BE(BigInt(payload.length), 2)
  if (!isMasked) return Buffer.concat([head, payload])
  const mask = crypto.randomBytes(4)
  return Buffer.concat([head, mask, masked(payload, mask)])
}

function masked(payload, mask) {
  const out = Buffer.from(payload)
  for (let at = 0; at < out.length; at += 1) out[at] ^= mask[at & 3]
  return out
}

function closeFrame(code, isMasked) {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return frame(CLOSE, payload, isMasked)
}

/** Cuts what arrives into frames. */
class Frames {
  #rest = Buffer.alloc(0)

  /** Whether part of a frame is waiting for the rest. */
  get isWithin() {
    return this.#rest.length > 0
  }

  *push(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const found = first(this.#rest)
      if (!found) return
      this.#rest = this.#rest.subarray(found.end)
      yield found
    }
  }
}

function first(bytes) {
  if (bytes.length < 2) return undefined
  const short = bytes[1] & 127
  const long = short === 127 ? 8 : short === 126 ? 2 : 0
  const isMasked = bytes[1] >= 128
  const start = 2 + long + (isMasked ? 4 : 0)
  if (bytes.length < start) return undefined
  const length = long === 8 ? Number(bytes.readBigUInt64BE(2)) : long === 2 ? bytes.readUInt16BE(2) : short
  const end = start + length
  if (bytes.length < end) return undefined
  const payload = bytes.subarray(start, end)
  return { opcode: bytes[0] & 15, payload: isMasked ? masked(payload, bytes.subarray(start - 4, start)) : payload, end }
}

module.exports = { CLOSE, Frames, GOING_AWAY, TEXT, acceptOf, closeFrame, frame }
