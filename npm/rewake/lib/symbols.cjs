'use strict'

// Symbols that the oldest Node we run on may lack. Never adds anything to the globals.

/** `Symbol.asyncDispose`, or what polyfills agree on where there is none. */
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

module.exports = { asyncDispose }
