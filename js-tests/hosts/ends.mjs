// An embedding program that ends in the way it is told, with a polite worker, one that ignores signals, and its child.

import { embed } from '../../npm/rewake/index.mjs'
import { app, say } from './support.mjs'

const [how] = process.argv.slice(2)
const rewake = await embed()
const messages = rewake.messages({})
const slots = await rewake.start([
  { script: app('quiet.cjs') },
  { script: app('stubborn.cjs'), wait_ready: true, kill_timeout: 200 }
])
let child
for await (const { data } of messages) {
  child = data.child
  if (child !== undefined) break
}
say([...slots.map(slot => slot.pid), child])

if (how === 'exit') process.exit(3)
else if (how === 'exit in a callback') setImmediate(() => rewake.list().then(() => process.exit(3)))
else if (how === 'throw') setImmediate(() => { throw new Error('planned by the test') })
else if (how === 'abort') process.abort()
else if (how === 'unref') rewake.unref()
else if (how === 'dispose') await rewake[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]()
else if (how === 'shutdown') await rewake.shutdown()
// Otherwise: the workers keep the program alive, and the test ends it.
