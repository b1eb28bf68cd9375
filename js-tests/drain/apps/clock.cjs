// A pretended clock for the helper, loaded before it: its time passes when the test says so, however long anything takes on this machine.

const intervals = new Set()
// As fine as any test asks for.
const STEP_MS = 10
let now = 0

globalThis.setInterval = (action, ms) => {
  const interval = { action, ms, next: now + ms, unref() {} }
  intervals.add(interval)
  return interval
}
globalThis.clearInterval = interval => void intervals.delete(interval)

// What came and what was closed meanwhile is seen before time goes on.
const turn = () => new Promise(resolve => setImmediate(() => setImmediate(resolve)))

process.on('message', async ({ pass }) => {
  if (pass === undefined) return
  for (const end = now + pass; now < end; ) {
    now += STEP_MS
    const due = [...intervals].filter(interval => interval.next <= now)
    for (const interval of due) {
      interval.next += interval.ms
      interval.action()
    }
    if (due.length > 0) await turn()
  }
  await turn()
  process.send({ passed: pass })
})
