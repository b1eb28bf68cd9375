'use strict'

// The CommonJS entry, and the only copy of the code: the ES module entry hands on the same functions, so that `instanceof
// RewakeError` holds however a program mixes the two.

const { RewakeError } = require('./lib/errors.cjs')
const { connect, embed } = require('./lib/open.cjs')

module.exports = { connect, embed, RewakeError }
