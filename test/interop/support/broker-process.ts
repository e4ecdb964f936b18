/** A broker of ours as a process that can be killed: the command built beside the running script. */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

// From the script that runs: this file's own place depends on how the build cuts its chunks.
const [, script = ''] = process.argv
const built = join(script.slice(0, script.lastIndexOf('/test/')), 'test/cli/ottla.mjs')
/** The command line of `ottla`. */
export const ottla = [process.execPath, existsSync(built) ? built : 'dist/ottla.mjs'] as const

export interface BrokerProcess {
  readonly child: ChildProcess
  readonly address: string
  /** From the start of the process to its BROKERS= line. */
  readonly startMs: number
  readonly ended: Promise<number | null>
  /** What it logged, so far. */
  log(): string
  /** Memory that it has in use, in bytes. */
  residentBytes(): number
  /** Signals it, and waits for its end: the exit code, null for a kill. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface BrokerProcessOptions {
  /** Memory, when null. */
  readonly data: string | null
  /** A free one by default. */
  readonly port?: number
  readonly args?: readonly string[]
  /** What a shell does before it becomes the broker: `ulimit -n 256`. */
  readonly shell?: string
  /** For Node itself: `--max-old-space-size=512`. */
  readonly nodeArgs?: readonly string[]
  readonly timeoutMs?: number
}

/** Spawns it and gives the process at once, with a promise of its first answer. */
export function spawnBroker({
  data,
  port = 0,
  args = [],
  shell,
  nodeArgs = [],
  timeoutMs = 60_000,
}: BrokerProcessOptions): {
  child: ChildProcess
  ended: Promise<number | null>
  ready: Promise<BrokerProcess>
  log(): string
} {
  const [node, program] = ottla
  const place = data === null ? ['--memory'] : ['--data', data]
  const words = ['broker', 'start', '--listen', `127.0.0.1:${port}`, ...place, ...args]
  const startedMs = performance.now()
  const line = [node, ...nodeArgs, program, ...words]
  const [command = node, ...rest] =
    shell === undefined ? line : ['bash', '-c', `${shell}; exec "$0" "$@"`, ...line]
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
  const log = () => stderr
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    return ended
  }
  const ready = new Promise<BrokerProcess>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`no broker after ${timeoutMs} ms: ${stderr.slice(-2000)}`))
    }, timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      const address = /^BROKERS=(\S+)\n/.exec(stdout)?.[1]
      if (address === undefined) return
      clearTimeout(timer)
      const startMs = performance.now() - startedMs
      const residentBytes = () => residentBytesOf(child.pid ?? 0)
      resolve({ child, address, startMs, ended, log, residentBytes, stop })
    })
    void ended.then((code) => {
      clearTimeout(timer)
      reject(new Error(`the broker ended with ${code}: ${stderr.slice(-2000)}`))
    })
  })
  // Whoever kills it while it starts does not look at this.
  ready.catch(() => {})
  return { child, ended, ready, log }
}

export function startBroker(options: BrokerProcessOptions): Promise<BrokerProcess> {
  return spawnBroker(options).ready
}

/** 0 where the system does not tell. */
export function residentBytesOf(pid: number): number {
  try {
    const [, kilobytes = '0'] =
      /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes) * 1024
  } catch {
    return 0
  }
}

/** The first free port of a range: clients that come back need to find the broker where it was. */
export async function freePort(from = 19_320, to = 19_339): Promise<number> {
  for (let port = from; port <= to; port++) if (await isFree(port)) return port
  throw new Error(`no free port from ${from} to ${to}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
