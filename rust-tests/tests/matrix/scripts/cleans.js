// Cleans up when it is asked to end, by a signal or by a message, as programs do that know no cluster. It takes a moment.
const report = require('./report.js');
require('http').createServer((request, response) => response.end('x')).listen(process.env.PORT);
const cleanUp = (why) => setTimeout(() => {
  report(why);
  process.exit(0);
}, 20);
process.once('SIGINT', cleanUp);
process.on('message', (message) => message === 'shutdown' && cleanUp(message));
