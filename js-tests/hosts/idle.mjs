// Programs that ought to end by themselves. Usage: idle.mjs <what> [home]

import { app, open, say } from './support.mjs'

const [what, where] = process.argv.slice(2)
const rewake = await open(where ?? 'embed')

if (what === 'stopped') {
  await rewake.start(app('quiet.cjs'))
  await rewake.stop('all')
} else if (what === 'ended by itself') {
  await rewake.start(app('broken.cjs'), { autorestart: false })
} else if (what === 'abandoned feeds') {
  rewake.events()
  rewake.logs()
  await rewake.ping()
} else if (what === 'waits for an event') {
  const feed = rewake.events()
  await rewake.ping()
  say('waiting')
  for await (const { name } of feed) {
    say(name)
    break
  }
} else {
  await rewake.ping()
}
process.on('exit', () => say('done'))
