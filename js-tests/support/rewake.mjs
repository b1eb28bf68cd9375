// The supervisors that tests speak with: the same tests run on a daemon of their own and on an embedded engine.

import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { connect, embed } from '../../npm/rewake/index.mjs'
import { afterwards, temporaryFolder } from './folders.mjs'
import { isAlive } from './processes.mjs'

const apps = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'apps')

/** The path of a program under js-tests/apps. */
export function app(name) {
  return path.join(apps, name)
}

/** Online once it says so, however slowly it comes up: by default an app that is late counts as online before it listens. */
export const whenReady = { waitReady: true, listenTimeout: '1m' }

/** A connection to a daemon in a home of its own, which ends with the test. */
export async function daemon(t) {
  const home = temporaryFolder(t)
  const rewake = await connect({ home })
  afterwards(t, async () => {
    if (!isAlive(rewake.daemon.keeperPid)) return
    // The test may have closed its own.
    await (await connect({ home })).shutdown()
  })
  return rewake
}

async function embedded(t) {
  const rewake = await embed()
  afterwards(t, () => rewake.close())
  return rewake
}

/** One test on each kind of supervisor. */
export function testBoth(name, body) {
  test(`${name} (daemon)`, { timeout: 180_000 }, async t => body(t, await daemon(t)))
  test(`${name} (embedded)`, { timeout: 180_000 }, async t => body(t, await embedded(t)))
}
