// Programs that must compile, as an ES module.

import { connect, embed, RewakeError } from 'rewake'
import type { AppMessage, AppOptions, ErrorCode, Exit, Feed, LogLine, ProcessEvent, ReadLogLine, Rewake, Slot, Status } from 'rewake'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function is<T extends true>(..._proof: T[]): void {}

const daemon: Rewake = await connect({ home: '/tmp/home', signal: AbortSignal.timeout(1000) })
const embedded = await embed()

is<Equal<typeof embedded, Rewake>>()
is<Equal<Slot['pid'], number | undefined>>()
is<Equal<Slot['startedAt'], Date | undefined>>()
is<Equal<Slot['lastExit'], Exit | undefined>>()
is<Equal<Slot['status'], Status>>()
is<Equal<RewakeError['code'], ErrorCode>>()

const slots = await daemon.start('app.js', {
  name: 'web',
  instances: 'max',
  env: { PORT: 3000, DEBUG: true },
  env_production: { PORT: '80' },
  killTimeout: '10s',
  kill_timeout: 5000,
  waitReady: true,
  settleMs: 100,
  envName: 'production',
  whenKnown: 'beside'
})
is<Equal<typeof slots, Slot[]>>()

await daemon.start(0)
await daemon.start('ecosystem.config.js', { only: ['web'], signal: new AbortController().signal })
await daemon.start({ script: 'app.js', args: ['-v'] })
await daemon.start({ script: 'app.py', sockets: [3000, 'udp:53', { address: './a.sock', name: 'admin', mode: '0660' }] })
await daemon.start([{ script: 'a.js' }, { exec: 'b.js', autorestart: false }], { whenKnown: 'replace' })
await daemon.start('ecosystem.config.js', { whenKnown: 'reload', envName: 'production' })
await daemon.start({ apps: [{ script: 'a.js' }], deploy: {} })
const app: AppOptions = { command: 'a.sh', stop_exit_codes: [0], maxRestarts: 3 }
await daemon.start(app)

is<Equal<ReturnType<Rewake['delete']>, Promise<void>>>()
await daemon.stop('web')
await daemon.restart(3, { updateEnv: { A: '1' } })
await daemon.restart('all', { updateEnv: true })
await daemon.reload('web', { parallel: 2 })
await daemon.scale('web', 4)
await daemon.scale('web', '+2')
await daemon.delete('/^web/')
await daemon.signal('web', 'SIGUSR2')
await daemon.signal('web', 12)
await daemon.send('web', { any: ['thing', null] })
const environment = await daemon.env(0)
is<Equal<typeof environment, Record<number, Record<string, string>>>>()

for await (const line of daemon.logs({ target: 'web', stream: 'out' })) is<Equal<typeof line, LogLine>>()
for await (const event of daemon.events()) is<Equal<typeof event, ProcessEvent>>()
for await (const message of daemon.messages({ onMissed: count => is<Equal<typeof count, number>>() })) {
  is<Equal<typeof message, AppMessage>>()
  is<Equal<typeof message.data, unknown>>()
}
for await (const item of daemon.events({ messages: true })) {
  if (item.type === 'message') is<Equal<typeof item, AppMessage>>()
  else is<Equal<typeof item, ProcessEvent>>()
}
const both: boolean = Math.random() > 0.5
is<Equal<ReturnType<typeof daemon.logs>, Feed<ReadLogLine>>>()
for await (const line of daemon.logs({ grep: /x/i, level: 'warn' })) is<Equal<typeof line, LogLine>>()
for await (const line of daemon.logs({ since: new Date(), lines: 10, until: '1m' })) is<Equal<typeof line, ReadLogLine>>()
for await (const line of daemon.logs({ follow: false, level: 50 })) is<Equal<typeof line.at, Date | undefined>>()
for await (const line of daemon.logs({ target: 'web', since: both ? 0 : undefined })) is<Equal<typeof line, ReadLogLine>>()
const feed: Feed<ProcessEvent | AppMessage> = daemon.events({ messages: both })
const missed: number = feed.missed
await feed.return()
const { done, value } = await feed.next()
if (!done) is<Equal<typeof value, ProcessEvent | AppMessage>>()

try {
  await daemon.ping()
} catch (error) {
  if (error instanceof RewakeError && error.code === 'NOT_FOUND') {
    const hint: string | undefined = error.hint
    for (const { name, error: cause } of error.slots ?? []) console.log(name, cause?.code, hint, missed)
  }
}

async function scoped(): Promise<void> {
  await using rewake = await embed()
  await using lines = rewake.logs()
  await rewake.start({ script: 'app.js' })
  console.log((await lines.next()).done)
}

await scoped()
embedded.unref().ref()
await embedded.shutdown({ signal: AbortSignal.timeout(5000) })
await daemon.close()
