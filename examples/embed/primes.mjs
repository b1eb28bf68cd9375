// Starts three workers inside this program, gives them numbers to test, and stops them. No daemon, no home folder.
// In a project of yours it says `from 'rewake'`.

import { fileURLToPath } from 'node:url'

import { embed } from '../../npm/rewake/index.mjs'

const worker = fileURLToPath(new URL('worker.mjs', import.meta.url))
const numbers = [1_000_000_007, 1_000_000_008, 999_999_937, 67_280_421_310_721, 9_007_199_254_740_881]

const rewake = await embed()
try {
  // From now on, so that no answer can come before somebody listens.
  const answers = rewake.messages()
  const workers = await rewake.start({ name: 'primes', script: worker, instances: 3, wait_ready: true })
  console.log(`workers ${workers.map(({ pid }) => pid).join(', ')} are ready`)

  for (const [at, number] of numbers.entries()) {
    await rewake.send(workers[at % workers.length].id, { number })
  }
  let open = numbers.length
  for await (const { data, id } of answers) {
    // 'ready' is a message, too.
    if (data.number === undefined) continue
    console.log(`${data.number} is ${data.isPrime ? 'a prime' : 'not a prime'}, says worker ${id}`)
    open -= 1
    if (open === 0) break
  }
} finally {
  // Stops the workers. They would also be stopped if this program crashed or were killed.
  await rewake.close()
}
console.log('all workers have ended')
