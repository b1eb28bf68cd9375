// Starts 20 workers, exchanges 100,000 messages with them (a question and an answer count as two), then ends as it is told:
// `wait` (to be killed), `exit`, `throw`, `close`. Usage: twenty-workers.mjs <embed | home> <how to end>

import { app, open, say } from './support.mjs'

const [where, how] = process.argv.slice(2)
const WORKERS = 20
const QUESTIONS_EACH = 2500
const IN_FLIGHT_EACH = 50

const rewake = await open(where)
const messages = rewake.messages()
const slots = await rewake.start({ script: app('echo.cjs'), name: 'twenty', instances: WORKERS, exec_mode: 'fork', wait_ready: true })

const asked = new Map(slots.map(({ id }) => [id, 0]))
const answered = new Map(slots.map(({ id }) => [id, 0]))

/** Asks the worker's next question; a failure ends the program by itself, as an unhandled rejection. */
function ask(id) {
  const number = asked.get(id)
  if (number === QUESTIONS_EACH) return
  asked.set(id, number + 1)
  rewake.send(id, number)
}

let open_ = WORKERS * QUESTIONS_EACH
for (const { id } of slots) for (let index = 0; index < IN_FLIGHT_EACH; index++) ask(id)
for await (const { id, data } of messages) {
  if (data === 'ready') continue
  if (data.echo !== answered.get(id)) throw new Error(`worker ${id} answered ${data.echo} instead of ${answered.get(id)}`)
  answered.set(id, data.echo + 1)
  ask(id)
  open_ -= 1
  if (open_ === 0) break
}

const restarts = (await rewake.list()).reduce((sum, slot) => sum + slot.restarts, 0)
say({ pids: slots.map(slot => slot.pid), messages: 2 * WORKERS * QUESTIONS_EACH, missed: messages.missed, restarts })

if (how === 'exit') process.exit(3)
else if (how === 'throw') setImmediate(() => { throw new Error('planned by the test') })
else if (how === 'close') await rewake.close()
else setInterval(() => {}, 1 << 30)
