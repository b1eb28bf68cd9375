module.exports = {
  apps: [
    {
      name: 'sockets',
      script: './server.js',
      cwd: __dirname,
      instances: 2,
      // Rewake listens, for programs in any language. Connections that come while a process is replaced wait for the next one.
      sockets: [{ address: `127.0.0.1:${process.env.PORT ?? 3000}`, name: 'http' }],
      wait_ready: true,
      listen_timeout: '10s',
      kill_timeout: '5s',
      // Also no request on a kept connection is lost in a reload.
      drain: true
    }
  ]
}
