// The thread of a load client: begins it, and passes calls on to it.

import { parentPort, workerData } from 'node:worker_threads'
import { Meter } from '../meter.mjs'

const { kind, options } = workerData
const { Client } = await import(`./${kind}.mjs`)
const meter = new Meter()
const client = new Client(options, meter)
client.start()

const own = {
  phase: name => void (meter.phase = name),
  value: () => meter.value(),
  async stop() {
    await client.stop()
    return meter.value()
  }
}

parentPort.on('message', async ({ id, method, argument }) => {
  try {
    const value = await (own[method] ?? client[method].bind(client))(argument)
    parentPort.postMessage({ id, value })
  } catch (error) {
    parentPort.postMessage({ id, error: error.stack })
  }
})
