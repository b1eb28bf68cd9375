// Ends as a message tells it.
process.on('message', how => {
  if (how.exit !== undefined) process.exit(how.exit)
  if (how.signal !== undefined) process.kill(process.pid, how.signal)
  if (how.throw !== undefined) throw new Error(how.throw)
  if (how.disconnect) process.disconnect()
})
setInterval(() => {}, 1 << 30)
process.send('ready')
