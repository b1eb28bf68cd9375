// What hosts share: speaking to the test by lines of JSON, and opening the supervisor that the test asks for.

import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { connect, embed } from '../../npm/rewake/index.mjs'

/** The path of a program under js-tests/apps. */
export function app(name) {
  return path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'apps', name)
}

/** One line to the test, written at once: the host may be killed right after. */
export function say(value) {
  fs.writeSync(1, `${JSON.stringify(value)}\n`)
}

/** `embed`, or the home of a daemon. */
export function open(where) {
  return where === 'embed' ? embed() : connect({ home: where })
}

/** How many threads of sessions this process has. */
export function sessions() {
  const isSession = id => {
    try {
      return fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8') === 'rewake\n'
    } catch {
      // Ended since the list was made.
      return false
    }
  }
  return fs.readdirSync('/proc/self/task').filter(isSession).length
}
