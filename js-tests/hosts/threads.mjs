// Worker threads that embed, and end as they are told. Usage: threads.mjs <terminate | close | exit | throw> <threads>

import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'

import { embed } from '../../npm/rewake/index.mjs'
import { app, say, sessions } from './support.mjs'

if (isMainThread) {
  const [how, count] = process.argv.slice(2)
  const own = await embed()
  const pids = []
  const workers = await Promise.all(
    Array.from({ length: Number(count) }, async () => {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: how })
      worker.on('error', () => {})
      const ended = new Promise(resolve => worker.once('exit', resolve))
      pids.push(await new Promise(resolve => worker.once('message', resolve)))
      return { worker, ended }
    })
  )
  for (const { worker, ended } of workers) {
    if (how === 'terminate') await worker.terminate()
    else worker.postMessage('end')
    await ended
  }
  // The threads of the sessions go away on their own.
  for (let tries = 0; sessions() > 1 && tries < 6000; tries++) await sleep(10)
  await own.ping()
  say({ pids, threads: sessions() })
  await own.close()
} else {
  const rewake = await embed()
  const [{ pid }] = await rewake.start(app('echo.cjs'), { waitReady: true })
  // Something is always on its way when the thread ends.
  const busy = async () => {
    for (;;) await Promise.all([rewake.list(), rewake.send('echo', 'x')])
  }
  const feed = rewake.messages()
  const read = async () => {
    for await (const _ of feed);
  }
  busy().catch(() => {})
  read().catch(() => {})
  parentPort.on('message', async () => {
    if (workerData === 'exit') process.exit(0)
    if (workerData === 'throw') throw new Error('planned by the test')
    await rewake.close()
    parentPort.close()
  })
  parentPort.postMessage(pid)
}
