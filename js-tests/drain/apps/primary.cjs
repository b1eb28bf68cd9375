// Node's own cluster primary with two workers that never heard of signals; tells them to disconnect when it is told.

const cluster = require('node:cluster')

const [helper] = process.argv.slice(2)
cluster.setupPrimary({ exec: require.resolve('./worker.cjs'), args: [], execArgv: ['--require', helper] })
const workers = [cluster.fork(), cluster.fork()]
let [up, gone] = [0, 0]
cluster.on('listening', (_, { port }) => ++up === workers.length && process.send({ port }))
cluster.on('exit', (worker, code, signal) => {
  process.send({ exit: { code, signal, wanted: worker.exitedAfterDisconnect } })
  if (++gone === workers.length) process.disconnect()
})
process.on('message', () => {
  for (const worker of workers) worker.disconnect()
  process.send({ closing: true })
})
