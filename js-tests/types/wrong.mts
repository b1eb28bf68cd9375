// Mistakes that must not compile: a line without its error fails the test as well.

import { connect, embed, RewakeError } from 'rewake'

const daemon = await connect()

// @ts-expect-error an unknown option
await connect({ hom: '/tmp' })
// @ts-expect-error an engine of our own has no home
await embed({ home: '/tmp' })
// @ts-expect-error a typo in a key
await daemon.start({ script: 'a.js', kill_timout: 1 })
// @ts-expect-error a typo in camelCase
await daemon.start('a.js', { killTimout: 1 })
// @ts-expect-error no script
await daemon.start({ name: 'web' })
// @ts-expect-error a wrong type
await daemon.start('a.js', { autorestart: 'yes' })
// @ts-expect-error a mode of digits in octal is text
await daemon.start('a.js', { sockets: { address: './a.sock', mode: 0o660 } })
// @ts-expect-error an id takes no keys of an app
await daemon.start(1, { name: 'web' })
// @ts-expect-error not a choice
await daemon.start('a.js', { whenKnown: 'ignore' })
// @ts-expect-error a target is needed
await daemon.stop()
// @ts-expect-error not a stream
daemon.logs({ stream: 'stdout' })
// @ts-expect-error not a moment
daemon.logs({ since: true })
// @ts-expect-error not a signal to abort with
await daemon.list({ signal: 'SIGTERM' })
// @ts-expect-error null is not undefined
await daemon.describe(null)
// @ts-expect-error it may not run
const pid: number = (await daemon.list())[0]!.pid
// @ts-expect-error not a status
if ((await daemon.list())[0]?.status === 'running') console.log(pid)
// @ts-expect-error nobody but the package makes these
new RewakeError()
// @ts-expect-error unknown data needs a look first
for await (const { data } of daemon.messages()) console.log(data.length)
// @ts-expect-error not a code
if ((await daemon.ping().catch((error: RewakeError) => error))?.code === 'ENOENT') console.log()
