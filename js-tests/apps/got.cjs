process.on('message', got => process.send({ got }))
process.send('ready')
