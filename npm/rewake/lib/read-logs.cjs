'use strict'

// What `logs()` is asked for beyond what is written from now on, as the supervisor's reader understands it. Reads nothing itself.

const path = require('node:path')

const { badRequest } = require('./errors.cjs')

/** Flags of regular expressions and what the reader calls them; `g` changes nothing here. */
const FLAGS = { g: '', i: 'i', m: 'm', s: 's', u: '' }

/** The post, or `undefined` where a plain subscription gives the same. */
function readLogsPost({ lines, since, until, grep, level, follow = true }, home) {
  const isPlain = [lines, since, until, grep, level].every(wish => wish === undefined) && follow === true
  if (isPlain) return undefined
  if (lines !== undefined && !(Number.isInteger(lines) && lines >= 0)) throw badRequest('lines is a whole number from 0 on')
  if (typeof follow !== 'boolean') throw badRequest('follow is true or false')
  if (until !== undefined && follow) follow = false
  const isNew = follow && lines === undefined && since === undefined
  return {
    wishes: { lines: isNew ? 0 : lines, since: time('since', since), until: time('until', until), level: word(level), grep: pattern(grep) },
    history: !isNew,
    follow,
    folder: home === undefined ? null : path.join(home, 'logs')
  }
}

function time(name, value) {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  const date = new Date(value instanceof Date || typeof value === 'number' ? value : NaN)
  if (Number.isNaN(date.getTime())) throw badRequest(`${name} is a Date, ms since 1970, or a text such as '10m'`)
  return date.toISOString()
}

function word(level) {
  if (level === undefined || typeof level === 'string') return level
  if (Number.isInteger(level)) return String(level)
  throw badRequest('level is a name or a number of pino')
}

function pattern(grep) {
  if (grep === undefined || typeof grep === 'string') return grep
  if (!(grep instanceof RegExp)) throw badRequest('grep is a text or a RegExp')
  const flags = [...grep.flags].map(flag => FLAGS[flag])
  if (flags.includes(undefined)) throw badRequest(`grep cannot have the flags of ${grep}`, 'i, m, s and u are understood')
  const set = flags.join('')
  return set === '' ? grep.source : `(?${set})${grep.source}`
}

module.exports = { readLogsPost }
