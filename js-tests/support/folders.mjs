// Folders that a test has for itself.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** A new folder, removed after the test. */
export function temporaryFolder(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rewake-test-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
