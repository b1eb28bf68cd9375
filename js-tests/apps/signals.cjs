// Tells of the signals that it gets.
process.on('SIGUSR2', () => process.send({ got: 'SIGUSR2' }))
setInterval(() => {}, 1 << 30)
process.send('ready')
