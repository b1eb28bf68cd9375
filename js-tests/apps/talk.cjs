// Says what a message tells it to say, and greets.
process.on('message', ({ out = [], err = [], repeat: [times, line] = [0] }) => {
  if (times > 0) process.stdout.write(`${line}\n`.repeat(times))
  for (const line of out) console.log(line)
  for (const line of err) console.error(line)
})
console.log(`hello from ${process.env.NODE_APP_INSTANCE} ${process.env.GREETING ?? ''}`.trim())
process.send('ready')
