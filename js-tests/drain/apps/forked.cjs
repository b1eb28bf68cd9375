// What a child sees that an app forks.

process.send({ cache: Object.keys(require.cache), execArgv: process.execArgv }, () => process.disconnect())
