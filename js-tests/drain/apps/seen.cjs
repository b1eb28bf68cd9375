// What an app that never uses http sees of its process.

const seen = {
  cache: Object.keys(require.cache),
  events: process.eventNames().map(String),
  globals: Reflect.ownKeys(globalThis).map(String),
  arguments: [process.argv, process.execArgv, require.main === module, module.children.length],
  handles: process._getActiveHandles().length,
  modules: process.moduleLoadList.filter(name => /\b(_?http|_?tls|https|http2|net|timers)/.test(name)).sort(),
  environment: Object.keys(process.env).sort()
}
require('node:child_process')
  .fork(__filename.replace('seen', 'forked'), { stdio: 'inherit' })
  .on('message', forked => {
    console.log(JSON.stringify({ ...seen, forked }))
    process.disconnect()
  })
