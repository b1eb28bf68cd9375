// Runs until it is asked to end.
setInterval(() => {}, 1 << 30)
