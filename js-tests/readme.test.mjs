// What README.md says works: every shell block of it is run, in order, in a folder that holds the files it shows. A block that is marked
// `<!-- not run: why -->` is checked for existence only.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { cli, runToEnd, untilNoneHas } from './support/cli.mjs'
import { temporaryFolder } from './support/folders.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8')

/** Fenced blocks, with the comment that stands right above: `{ marker, language, text }`. */
function blocks(markdown) {
  const pattern = /(?:^<!-- (.*) -->\n)?^```(\w+)\n([\s\S]*?)^```$/gm
  return [...markdown.matchAll(pattern)].map(([, marker = '', language, text]) => ({ marker, language, text }))
}

/** A reload fails when an app does not come up within `listen_timeout`: on a busy machine Node alone may take longer than the default. */
const patient = text => text.replace(/^( +)wait_ready: true,$/m, "$&\n$1listen_timeout: '1m',")

const all = blocks(readme)
const shell = all.filter(({ language }) => language === 'sh')
const run = shell.filter(({ marker }) => !marker.startsWith('not run: '))
const onlyNamed = shell.filter(({ marker }) => marker.startsWith('not run: '))
const files = all.filter(({ marker }) => marker.startsWith('file: '))

test('blocks are told apart', () => {
  const text = '<!-- file: a.js -->\n```js\na\n```\n\n```sh\nb\nc\n```\n<!-- not run: x -->\n```sh\nd\n```\n'
  assert.deepEqual(blocks(text), [
    { marker: 'file: a.js', language: 'js', text: 'a\n' },
    { marker: '', language: 'sh', text: 'b\nc\n' },
    { marker: 'not run: x', language: 'sh', text: 'd\n' }
  ])
  assert.ok(run.length >= 8 && files.length >= 4, 'the README has lost its commands')
})

test('the commands of the README work', { timeout: 600_000 }, async t => {
  const folder = temporaryFolder(t)
  for (const { marker, text } of files) fs.writeFileSync(path.join(folder, marker.slice('file: '.length)), patient(text))
  fs.mkdirSync(path.join(folder, 'node_modules'))
  fs.symlinkSync(path.join(root, 'npm', 'rewake'), path.join(folder, 'node_modules', 'rewake'))
  const { home, env } = cli(t, folder)
  for (const { text } of run) {
    for (const line of text.trim().split('\n')) {
      assert.match(line, /^(rewake|node) /, `only rewake and node are run, mark other commands: ${line}`)
      const { code, stdout, stderr } = await runToEnd('bash', ['-c', line], { cwd: folder, env })
      assert.equal(code, 0, `$ ${line}\n${stdout}${stderr}`)
      assert.doesNotMatch(stderr, /^(error|warning):/m, `$ ${line}`)
      // In whatever order the workers answer.
      if (line === 'node squares.mjs') for (const [number, square] of [[10, 100], [11, 121]]) assert.match(stdout, new RegExp(`the square of ${number} is ${square}\\n`))
    }
  }
  // It ends with `rewake kill`, and so does everything.
  await untilNoneHas(home)
})

test('what the README names and does not run is there', () => {
  const own = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  const published = JSON.parse(fs.readFileSync(path.join(root, 'npm', 'rewake', 'package.json'), 'utf8'))
  assert.ok(onlyNamed.length > 0)
  for (const line of onlyNamed.flatMap(({ text }) => text.trim().split('\n'))) {
    const [program, verb, ...rest] = line.split(' ')
    assert.equal(program, 'npm', line)
    if (verb === 'install') {
      assert.deepEqual([rest.at(-1), Object.keys(published.bin)], [published.name, ['rewake']], line)
    } else {
      assert.ok(own.scripts[verb === 'run' ? rest[0] : verb], `package.json has no script for: ${line}`)
    }
  }
})
