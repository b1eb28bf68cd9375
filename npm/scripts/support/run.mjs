// Runs one command: what it writes streams through, and the tests that it reports are counted.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/**
 * Runs `command`. Resolves with its exit code (128 and the signal's number if a signal ended it, 127 if it is not there) and with
 * the numbers of tests that passed and failed, as far as the command reports any.
 */
export function run(command, args, { cwd, env, timeoutMs } = {}) {
  const child = spawn(command, args, { cwd, env, timeout: timeoutMs, stdio: ['ignore', 'pipe', 'pipe'] })
  const count = new Count()
  pass(child.stdout, process.stdout, count)
  pass(child.stderr, process.stderr, count)
  return new Promise(resolve => {
    child.on('error', error => {
      console.error(error.code === 'ENOENT' ? `${command} is not in the PATH` : error.message)
      resolve({ code: 127, passed: 0, failed: 0 })
    })
    child.on('close', (code, signal) => {
      resolve({ code: signal ? 128 + constants.signals[signal] : code, passed: count.passed, failed: count.failed })
    })
  })
}

function pass(from, to, count) {
  let rest = ''
  from.setEncoding('utf8')
  from.on('data', text => {
    to.write(text)
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) count.line(line)
  })
  from.on('end', () => count.line(rest))
}

/** Reads the closing lines of cargo-nextest, cargo test and node --test. */
export class Count {
  passed = 0
  failed = 0

  line(coloured) {
    const line = coloured.replace(/\x1b\[[0-9;]*m/g, '')
    const nextest = /^ *Summary \[[^\]]*\] .*run: (\d+) passed(.*)$/.exec(line)
    const cargo = /^test result: \S+ (\d+) passed; (\d+) failed/.exec(line)
    const node = /^(?:# |ℹ )(pass|fail|cancelled) (\d+)$/.exec(line)
    if (nextest) {
      this.passed += Number(nextest[1])
      for (const [, number] of nextest[2].matchAll(/(\d+) (?:failed|exec failed|timed out)/g)) this.failed += Number(number)
    } else if (cargo) {
      this.passed += Number(cargo[1])
      this.failed += Number(cargo[2])
    } else if (node) {
      this[node[1] === 'pass' ? 'passed' : 'failed'] += Number(node[2])
    }
  }
}
