'use strict'

// Listening to abort signals: one listener for each signal, however many calls share it. Node warns of a leak when one signal has
// more than ten.

/** What each signal has to do. The signal holds on to it only while there is something to do. */
const actions = new WeakMap()

/** Calls `action` when the signal is aborted; the function that it gives takes that back. Without a signal it does nothing. */
function onAbort(signal, action) {
  if (signal === undefined || signal === null) return () => {}
  let known = actions.get(signal)
  if (known === undefined) {
    known = new Set()
    const all = known
    known.listener = () => {
      for (const each of [...all]) each()
    }
    actions.set(signal, known)
    signal.addEventListener('abort', known.listener, { once: true })
  }
  // A function of its own, so that the same action may be there twice.
  const entry = () => action()
  known.add(entry)
  return () => {
    if (!known.delete(entry) || known.size > 0) return
    signal.removeEventListener('abort', known.listener)
    if (actions.get(signal) === known) actions.delete(signal)
  }
}

module.exports = { onAbort }
