// Whether node_modules holds what package-lock.json asks for.

import fs from 'node:fs'
import path from 'node:path'

/** True if `npm ci` is needed in `folder`: nothing is installed, or something else than the lock file says. */
export function modulesAreStale(folder) {
  const wanted = packages(path.join(folder, 'package-lock.json'))
  // npm's own note of what it has installed.
  const found = packages(path.join(folder, 'node_modules', '.package-lock.json'))
  if (!found) return true
  return Object.entries(wanted).some(([name, { version, optional }]) => {
    // An optional package may be for another machine.
    if (name === '' || (optional && !found[name])) return false
    return found[name]?.version !== version || !fs.existsSync(path.join(folder, name, 'package.json'))
  })
}

function packages(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}
