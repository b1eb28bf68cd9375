// Starts a script from a program whose Node may not be in PATH. Usage: own-node.mjs <embed | home>

import { app, open, say } from './support.mjs'

const rewake = await open(process.argv[2])
const [slot] = await rewake.start(app('quiet.cjs'))
const env = (await rewake.env(slot.id))[slot.id]
say({ status: slot.status, interpreter: slot.app.interpreter, path: env.PATH, exe: process.execPath })
await rewake.delete('all')
