// What the soaks compare with or need and Rewake does not, installed by npm below target/, never into this package.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { root } from '../support/paths.mjs'

const folder = path.join(root, 'target', 'soak')
const INSTALL_MS = 5 * 60_000

/** What `require` is for packages that were installed. */
export const requireInstalled = createRequire(path.join(folder, 'package.json'))

/** Installs what is missing of these packages; whether all are there now. */
export function install(...names) {
  const isThere = name => fs.existsSync(path.join(folder, 'node_modules', name, 'package.json'))
  if (names.every(isThere)) return true
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n', { flag: 'a' })
  console.error(`installing ${names.join(', ')} into ${path.relative(root, folder)}`)
  spawnSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder, ...names], { stdio: 'inherit', timeout: INSTALL_MS })
  return names.every(isThere)
}

/** PM2's executable, or why there is none: `{ pm2 }` or `{ why }`. */
export function findPm2({ pm2, install: mayInstall }) {
  if (pm2) return fs.existsSync(pm2) ? { pm2 } : { why: `there is no ${pm2}` }
  const own = path.join(folder, 'node_modules', 'pm2', 'bin', 'pm2')
  if (fs.existsSync(own) || (mayInstall && install('pm2'))) return { pm2: own }
  return { why: mayInstall ? 'it cannot be installed' : 'no --pm2 PATH and no --install' }
}
