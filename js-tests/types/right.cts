// The same package from CommonJS.

import rewake = require('rewake')
import { connect, RewakeError, type Slot } from 'rewake'

async function main(): Promise<Slot[]> {
  const daemon: rewake.Rewake = await connect()
  const error: Error = new Error('x')
  if (error instanceof RewakeError) console.log(error.code)
  return daemon.list({ signal: AbortSignal.abort() })
}

main().catch((error: unknown) => console.error(error, rewake.embed))
