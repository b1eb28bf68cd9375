// The arguments of `npm run soak`.

import path from 'node:path'

export const SOAKS = ['reload', 'kill', 'blocked', 'sticky', 'socketio', 'bad-release']
export const MODES = ['kernel', 'client-ip', 'round-robin', 'shared']
export const USAGE = `usage: npm run soak -- [${SOAKS.join('|')} ...] [--modes ${MODES.join(',')}] [--nodes path:path] [--only TEXT] [--quick] [--json FILE] [--pm2 PATH] [--install] [--no-build]`

/** What to run, and how. Throws for what it does not know. */
export function parse(words) {
  const options = { names: [], modes: undefined, nodes: [process.execPath], quick: false, install: false, build: true }
  for (let at = 0; at < words.length; at += 1) {
    const value = () => {
      at += 1
      if (words[at] === undefined) throw new Error(`${words[at - 1]} needs a value`)
      return words[at]
    }
    const word = words[at]
    if (word === '--quick') options.quick = true
    else if (word === '--install') options.install = true
    else if (word === '--no-build') options.build = false
    else if (word === '--modes') options.modes = value().split(',').map(mode => known(mode, MODES, 'mode'))
    else if (word === '--nodes') options.nodes = value().split(':').map(node => path.resolve(node))
    else if (word === '--only') options.only = value()
    else if (word === '--json') options.json = path.resolve(value())
    else if (word === '--pm2') options.pm2 = path.resolve(value())
    else if (word.startsWith('-')) throw new Error(`${word} is not known`)
    else options.names.push(known(word, SOAKS, 'soak'))
  }
  if (options.names.length === 0) options.names = SOAKS
  return options
}

function known(word, words, what) {
  if (!words.includes(word)) throw new Error(`there is no ${what} ${word}`)
  return word
}
