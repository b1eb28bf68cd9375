// Node's own cluster with two workers, to compare with. Ends with its channel.

const cluster = require('node:cluster')

cluster.schedulingPolicy = process.env.POLICY === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR
cluster.setupPrimary({ exec: process.env.SCRIPT })
for (const NODE_APP_INSTANCE of ['0', '1']) cluster.fork({ NODE_APP_INSTANCE })
process.on('disconnect', () => {
  // A blocked worker reads no message.
  for (const { process: worker } of Object.values(cluster.workers)) worker.kill('SIGKILL')
  process.exit(0)
})
