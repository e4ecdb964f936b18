/**
 * What a damaged directory may cost. Time is processor time of this process: the disk is in memory, so
 * there is nothing to wait for, and a busy machine makes nobody slow.
 *
 *   - A start, or all reads of one partition, that takes longer than its deadline is a violation.
 *   - What never comes back to the event loop cannot be caught by it: a thread of its own looks at the
 *     processor time, prints the seed and ends the process.
 *   - A buffer larger than `allocationBytesMax`, or a process that has grown by more than
 *     `growthBytesMax` meanwhile, is a violation: a damaged length field must not take all memory.
 */

import { Worker } from 'node:worker_threads'

export const startMsMax = 5_000
export const readMsMax = 2_000
const directoryMsMax = 60_000
const allocationBytesMax = 32 * 1024 * 1024
const growthBytesMax = 192 * 1024 * 1024

/** Milliseconds of processor time that this process has taken. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Ends the process when one directory takes too long. */
export class Watchdog {
  /** Seed, and the processor time at which it began; 0 between two. */
  readonly #shared = new BigInt64Array(new SharedArrayBuffer(16))

  constructor() {
    const workerData = { shared: this.#shared, deadlineMs: directoryMsMax }
    new Worker(guard, { eval: true, workerData }).unref()
  }

  begin(seed: number): void {
    Atomics.store(this.#shared, 0, BigInt(seed))
    Atomics.store(this.#shared, 1, BigInt(Math.max(Math.round(processorMs()), 1)))
  }

  end(): void {
    Atomics.store(this.#shared, 1, 0n)
  }
}

const guard = `
const { workerData } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const { shared, deadlineMs } = workerData
setInterval(() => {
  const began = Number(Atomics.load(shared, 1))
  const { user, system } = process.cpuUsage()
  if (began === 0 || (user + system) / 1000 - began < deadlineMs) return
  const seed = Atomics.load(shared, 0)
  writeSync(1, 'FAIL seed ' + seed + ' does not end: ' + deadlineMs + ' ms of processor time\\n' +
    '  again: npm run fuzz:files -- --dirs 1 --seed ' + seed + '\\n')
  process.kill(process.pid, 'SIGKILL')
}, 500)
`

/** What was asked for since `begin`, by whatever way a buffer is made. */
export class MemoryMeter {
  largestBytes = 0
  largestWhere = ''
  #rssBefore = 0
  #peakBefore = 0

  constructor() {
    const note = (size: unknown) => this.#note(size)
    for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
      const made = Buffer[name]
      Object.defineProperty(Buffer, name, {
        value: (...given: unknown[]) => {
          note(given[0])
          return Reflect.apply(made, Buffer, given)
        },
      })
    }
    for (const name of ['Uint8Array', 'ArrayBuffer'] as const) {
      const counting = new Proxy(globalThis[name], {
        construct(target, given: unknown[], made) {
          note(given[0])
          return Reflect.construct(target, given, made)
        },
      })
      Object.defineProperty(globalThis, name, { value: counting })
    }
  }

  #note(size: unknown): void {
    if (typeof size !== 'number' || size <= this.largestBytes) return
    this.largestBytes = size
    if (size > allocationBytesMax) this.largestWhere = new Error(`${size} bytes`).stack ?? ''
  }

  begin(): void {
    this.largestBytes = 0
    this.largestWhere = ''
    this.#rssBefore = process.memoryUsage.rss()
    this.#peakBefore = process.resourceUsage().maxRSS
  }

  /** Why it is too much; null when it is not. `fileBytes`: of the largest file that is read as a whole, by rule. */
  verdict(fileBytes: number): string | null {
    if (this.largestBytes > Math.max(allocationBytesMax, fileBytes)) {
      return `a buffer of ${this.largestBytes} bytes was asked for: ${this.largestWhere}`
    }
    // The largest that the process ever was says something only if this directory made it so.
    const { maxRSS: peak } = process.resourceUsage()
    const grownBytes = peak * 1024 - this.#rssBefore
    return peak > this.#peakBefore && grownBytes > growthBytesMax + fileBytes
      ? `memory grew by ${grownBytes} bytes`
      : null
  }
}
