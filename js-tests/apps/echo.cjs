// Sends every message back, and says when it listens.
process.on('message', message => process.send({ echo: message }))
process.send('ready')
