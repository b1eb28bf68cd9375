'use strict'

// Finds what was compiled for this machine: the addon and the executable, which come in one package. Starts no process
// to find out about the machine, and looks nowhere but in the two places where npm and our own build put them.

const fs = require('node:fs')
const path = require('node:path')

const { RewakeError } = require('./errors.cjs')

const { version } = require('../package.json')

const TARGETS = ['linux-x64-gnu', 'linux-x64-musl', 'linux-arm64-gnu', 'linux-arm64-musl']

/** `gnu` or `musl`: which C library this Node runs on. */
function libc() {
  return fromInterpreter(head(process.execPath)) ?? fromReport() ?? 'gnu'
}

/** The first page of a file, which holds the name of its dynamic loader, or nothing. */
function head(file) {
  try {
    const fd = fs.openSync(file, 'r')
    try {
      const page = Buffer.alloc(4096)
      return page.toString('latin1', 0, fs.readSync(fd, page, 0, page.length, 0))
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return ''
  }
}

function fromInterpreter(text) {
  if (/\/ld-musl-[^/]*\.so/.test(text)) return 'musl'
  if (/\/ld-linux[^/]*\.so/.test(text)) return 'gnu'
  return undefined
}

function fromReport() {
  // Interfaces are of no use here and may take a name lookup each.
  const before = process.report.excludeNetwork
  process.report.excludeNetwork = true
  try {
    const { header, sharedObjects } = process.report.getReport()
    if (header.glibcVersionRuntime) return 'gnu'
    return sharedObjects.some(name => name.includes('ld-musl-') || name.includes('libc.musl-')) ? 'musl' : undefined
  } finally {
    process.report.excludeNetwork = before
  }
}

/** The name of this machine's build, `linux-x64-gnu`. */
function target(platform = process.platform, arch = process.arch, findLibc = libc) {
  const name = platform === 'linux' ? `${platform}-${arch}-${findLibc()}` : `${platform}-${arch}`
  if (TARGETS.includes(name)) return name
  throw new RewakeError('UNSUPPORTED_PLATFORM', `Rewake has no build for ${name}`, {
    hint: `it runs on ${TARGETS.join(', ')}`
  })
}

/** The addon and the executable of one build: those built in this checkout, else those of the platform's package. */
function locate(name, root = path.dirname(__dirname), resolve = require.resolve) {
  const local = path.join(root, 'native', name)
  const addon = path.join(local, 'rewake.node')
  if (fs.existsSync(addon)) return { addon, exe: path.join(local, 'rewake') }
  const wanted = `@rewake/${name}`
  let manifest
  try {
    manifest = resolve(`${wanted}/package.json`, { paths: [root] })
  } catch (cause) {
    throw new RewakeError('ADDON_MISSING', `the package ${wanted} is not installed`, {
      hint: 'install again without --omit=optional (--no-optional), on the machine that will run it',
      cause
    })
  }
  const found = JSON.parse(fs.readFileSync(manifest, 'utf8')).version
  if (found !== version) {
    throw new RewakeError('ADDON_MISSING', `the package ${wanted} is version ${found}, rewake is ${version}`, {
      hint: 'install rewake again, so that both are of one version'
    })
  }
  const folder = path.dirname(manifest)
  return { addon: path.join(folder, 'rewake.node'), exe: path.join(folder, 'rewake') }
}

/** The addon's exports and the path of the executable. Throws a `RewakeError` that names what is missing. */
function load(found = locate(target())) {
  try {
    return { Session: require(found.addon).Session, exe: found.exe }
  } catch (cause) {
    throw new RewakeError('ADDON_MISSING', `failed to load ${found.addon}: ${cause.message}`, {
      hint: `it was built for ${target()} and Node ${process.version} must be able to load it; install rewake again`,
      cause
    })
  }
}

module.exports = { TARGETS, fromInterpreter, load, locate, target }
