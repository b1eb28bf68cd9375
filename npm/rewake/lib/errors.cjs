'use strict'

// The one error class of the package. Never shows an environment or an internal type.

/** An error with a stable `code`; `hint` says what to do next, `slots` how each slot of the command fared. */
class RewakeError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ hint?: string, cause?: unknown, slots?: readonly object[] }} [details]
   */
  constructor(code, message, { hint, cause, slots } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.hint = hint
    if (slots !== undefined) this.slots = slots
  }
}

// On the prototype, as the built-in errors have it: not an own property that every log line repeats.
Object.defineProperty(RewakeError.prototype, 'name', { value: 'RewakeError', writable: true, configurable: true })

/** The error that the supervisor sent. */
function fromReply({ code, message, hint }) {
  return new RewakeError(code, message, { hint })
}

/** The error of a call whose signal was aborted; the signal's reason is its cause. */
function aborted(signal) {
  return new RewakeError('ABORTED', 'the call was aborted', { cause: signal.reason })
}

/** The error of a call on a session that is over. */
function closed() {
  return new RewakeError('CLOSED', 'this Rewake is closed', { hint: 'call connect() or embed() for a new one' })
}

/** The error of a wrong argument. */
function badRequest(message, hint) {
  return new RewakeError('BAD_REQUEST', message, { hint })
}

module.exports = { RewakeError, aborted, badRequest, closed, fromReply }
