// What a test has for itself, and has to give back.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const cleanups = new WeakMap()

/** Does this after the test, the last first: a daemon ends before its folder goes. Each is done, whatever the others meet. */
export function afterwards(t, action) {
  const known = cleanups.get(t)
  if (known !== undefined) return void known.push(action)
  const actions = [action]
  cleanups.set(t, actions)
  t.after(async () => {
    const errors = []
    while (actions.length > 0) {
      try {
        await actions.pop()()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  })
}

/** A new folder, removed after the test. */
export function temporaryFolder(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rewake-test-'))
  afterwards(t, () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
