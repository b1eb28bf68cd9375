// Tells where its debugger listens.
const inspector = require('inspector');
const report = require('./report.js');
const url = inspector.url();
report({ port: process.debugPort, listens: url === undefined ? null : +new URL(url).port, options: process.execArgv.filter((arg) => /inspect/.test(arg)) });
require('http').createServer((request, response) => response.end(String(process.pid))).listen(process.env.PORT);
