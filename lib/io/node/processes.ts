/** The machine's processes. */

import { closeSync, openSync, realpathSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { hasErrorCode } from '../disk.ts'
import type { Processes } from '../processes.ts'

const [program = process.execPath, script = ''] = process.argv

const nodeMajor = Number.parseInt(process.versions.node, 10)
/**
 * For what sockets read, which lies in buffers of 64 KiB outside V8's heap:
 *
 * - Its young generation fills slowly while the bytes that it keeps pile up, until V8 collects everything
 *   because of them: 120 whole collections for a gigabyte in 16 KiB requests. Collected at a fifth of its
 *   size they are 30, and a broker needs about three quarters of the processor time.
 * - Freed in other threads they go back to where this one does not get them from again, by locks that it
 *   waits for too. Freed here, a million records of 100 bytes cost three quarters of the processor time.
 */
const flags = ['--minor-gc-task-trigger=20', '--no-concurrent-array-buffer-sweeping']
/** The flags are known to Node up to this version; V8 complains on standard error of others. */
const lastKnownMajor = 24

export const nodeProcesses: Processes = {
  pid: process.pid,
  self: [program, script],
  // npm starts it through a link in node_modules/.bin.
  get packageFolder() {
    return join(dirname(realpathSync(script)), '..')
  },
  async bootId() {
    try {
      return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return ''
      throw error
    }
  },
  async filesMax() {
    try {
      const limits = await readFile('/proc/self/limits', 'utf8')
      const [, soft = ''] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
      return soft === '' ? Number.POSITIVE_INFINITY : Number(soft)
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT')) throw error
      return filesMaxOfReport()
    }
  },
  prepareToServe() {
    if (nodeMajor > lastKnownMajor) return
    for (const flag of flags) process.getBuiltinModule('node:v8').setFlagsFromString(flag)
  },
  isAlive(pid) {
    try {
      return process.kill(pid, 0)
    } catch (error) {
      return hasErrorCode(error, 'EPERM')
    }
  },
  signal(pid, name) {
    try {
      return process.kill(pid, name)
    } catch (error) {
      if (hasErrorCode(error, 'ESRCH')) return false
      throw error
    }
  },
  run([name = '', ...args], { variables, signal, stdin }) {
    return new Promise((resolve, reject) => {
      const input = stdin === undefined ? 'inherit' : openSync(stdin, 'r')
      const env = { ...process.env, ...variables }
      const child = process
        .getBuiltinModule('node:child_process')
        .spawn(name, args, { stdio: [input, 'inherit', 'inherit'], env })
      if (typeof input === 'number') closeSync(input)
      const onAbort = () => child.kill('SIGTERM')
      signal.addEventListener('abort', onAbort, { once: true })
      child.once('error', (error) => {
        signal.removeEventListener('abort', onAbort)
        reject(error)
      })
      child.once('exit', (code, signalName) => {
        signal.removeEventListener('abort', onAbort)
        resolve(code ?? 128 + (signalName ? constants.signals[signalName] : 0))
      })
    })
  },
}

/** What Node knows of the limit: on systems without /proc. It takes some milliseconds. */
function filesMaxOfReport(): number {
  const report: unknown = process.report.getReport()
  const { userLimits } = report as { userLimits?: { open_files?: { soft?: number | string } } }
  const soft = userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY
}
