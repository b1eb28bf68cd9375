// Messages to and from workers over Node's own channel.

import assert from 'node:assert/strict'

import { app, testBoth, whenReady } from '../support/rewake.mjs'
import { find, rejects } from '../support/until.mjs'

const ODD_VALUES = [0, -1.5, '', 'ä\u0000\u2028\ud800', null, true, [], {}, { a: { b: [1, 'x'] } }, { __proto__: null, type: 'x' }]

testBoth('messages arrive unchanged and in order, both ways', async (t, rewake) => {
  const messages = rewake.messages({ target: undefined })
  const [slot] = await rewake.start(app('echo.cjs'), { ...whenReady })
  for (const value of ODD_VALUES) await rewake.send('echo', value)
  const echoes = []
  const last = ODD_VALUES.length
  await find('all echoes', messages, message => {
    if (message.data === 'ready') return false
    assert.deepEqual([message.type, message.id, message.name, message.run], ['message', slot.id, 'echo', slot.run])
    return echoes.push(message.data.echo) === last
  })
  assert.deepEqual(JSON.stringify(echoes), JSON.stringify(ODD_VALUES))
})

testBoth('a message of megabytes passes', async (t, rewake) => {
  const messages = rewake.messages()
  await rewake.start(app('echo.cjs'), { ...whenReady })
  const text = 'ü'.repeat(2 << 20)
  await rewake.send('echo', { text })
  const { data } = await find('the echo', messages, ({ data }) => data?.echo)
  assert.equal(data.echo.text, text)
})

testBoth('sending to what cannot hear is refused', async (t, rewake) => {
  await rejects(rewake.send('nobody', 1), 'NOT_FOUND')
  await rewake.start('sleep', { args: ['1000'], name: 'deaf' })
  await rejects(rewake.send('deaf', 1), 'NO_CHANNEL')
  await rewake.stop('deaf')
  await rejects(rewake.send('deaf', 1), 'NOT_RUNNING')
  const events = rewake.events({ messages: true })
  await rewake.start(app('crash.cjs'), { ...whenReady })
  await rewake.send('crash', { disconnect: true })
  for (;;) {
    const error = await rewake.send('crash', {}).then(() => undefined, error => error)
    if (error === undefined) continue
    assert.equal(error.code, 'NO_CHANNEL')
    break
  }
  await events.return()
})
