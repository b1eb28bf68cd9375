// Connections that nobody refers to any more close by themselves. Usage: collected.mjs <home>

import { setTimeout as sleep } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'

import { connect } from '../../npm/rewake/index.mjs'
import { say, sessions } from './support.mjs'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc')

async function use() {
  const rewake = await connect({ home: process.argv[2] })
  rewake.events()
  await rewake.ping()
}

for (let index = 0; index < 10; index++) await use()
for (let tries = 0; sessions() > 0 && tries < 6000; tries++) {
  collect()
  await sleep(10)
}
say(sessions())
