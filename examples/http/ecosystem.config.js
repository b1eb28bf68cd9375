module.exports = {
  apps: [
    {
      name: 'http',
      script: './server.js',
      // Paths are relative to where the command is given, unless it is said here.
      cwd: __dirname,
      // Three processes share one port.
      instances: 3,
      exec_mode: 'cluster',
      env: { PORT: process.env.PORT ?? '3000' },
      // Online once it has sent 'ready'.
      wait_ready: true,
      listen_timeout: 10_000,
      // It has so long to finish its requests.
      kill_timeout: 5_000
    }
  ]
}
