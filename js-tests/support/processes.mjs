// Processes as tests see them.

import fs from 'node:fs'

import { until } from './until.mjs'

/** Whether the process runs; a zombie does not. */
export function isAlive(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
  } catch {
    return false
  }
}

/** The pid of the process's parent. */
export function parentOf(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

/** Waits until none of these runs. */
export function untilGone(pids) {
  return until(`the end of ${pids}`, () => !pids.some(isAlive))
}
