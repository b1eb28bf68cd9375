// Where things are in this checkout.

import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout's top folder. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
