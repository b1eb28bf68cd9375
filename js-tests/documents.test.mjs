// The documents name things that exist: tests in docs/compat.md, files and folders in their links and in ARCHITECTURE.md.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const read = name => fs.readFileSync(path.join(root, name), 'utf8')

/** Files below a folder whose names end so. */
function under(folder, ending) {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const name = path.join(folder, entry.name)
    if (entry.isDirectory()) return ['target', 'node_modules'].includes(entry.name) ? [] : under(name, ending)
    return name.endsWith(ending) ? [name] : []
  })
}

/** Names in the last column of the tables. */
function namedTests(markdown) {
  const rows = markdown.split('\n').filter(line => line.startsWith('| ') && !line.startsWith('| PM2 |'))
  return rows.flatMap(row => {
    const last = row.split(/(?<!\\)\|/).at(-2)
    return [...last.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
  })
}

test('every test that docs/compat.md names exists', () => {
  const rust = [...under('crates', '.rs'), ...under('rust-tests', '.rs')].map(read).join('\n')
  const javascript = under('js-tests', '.test.mjs').map(read).join('\n')
  const exists = name => new RegExp(`fn ${name}\\(`).test(rust) || javascript.includes(`('${name}'`)
  const names = namedTests(read('docs/compat.md'))
  assert.ok(names.length > 60, `only ${names.length} names were found`)
  assert.deepEqual(names.filter(name => !exists(name)), [])
  // In two parts, so that this file does not hold it.
  assert.equal(exists(`a_test_that_is${'_nowhere'}`), false)
})

test('every row of docs/compat.md says same, different, ours, not yet or not planned', () => {
  const rows = read('docs/compat.md').split('\n').filter(line => /^\| (?!PM2 \|)/.test(line))
  const verdict = /^(same|different|ours|not yet|not planned|not there)\b/
  assert.deepEqual(rows.filter(row => !verdict.test(row.split(/(?<!\\)\|/)[2].trim())), [])
})

test('links lead somewhere', () => {
  const documents = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', ...under('docs', '.md')]
  for (const document of documents) {
    for (const [, link] of read(document).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(link)) continue
      assert.ok(fs.existsSync(path.join(root, path.dirname(document), link)), `${document}: ${link}`)
    }
  }
})

test('the places that ARCHITECTURE.md points at exist', () => {
  const places = [...read('ARCHITECTURE.md').matchAll(/`((?:rewake-[a-z]+|npm|js-tests|rust-tests|docs|crates)\/[^`<]*)`/g)]
  assert.ok(places.length > 10)
  for (const [, place] of places) {
    const name = place.startsWith('rewake-') ? path.join('crates', place) : place
    assert.ok(fs.existsSync(path.join(root, name)), place)
  }
})

test('documents hold no path of a machine', () => {
  for (const document of ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', ...under('docs', '.md'), ...under('examples', '')]) {
    assert.doesNotMatch(read(document), /\/(work|root|tmp)\//, document)
  }
})
