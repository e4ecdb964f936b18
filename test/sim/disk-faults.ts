/**
 * What a disk does wrong, and how long it takes. Each operation takes a moment, so that a crash may
 * come between any two; some fail, some take very long. The power cut is decided here, too.
 */

import type { PageFate } from '../../lib/io/memory/cached-file.ts'
import { type DiskOperation, nativeError, type PowerCut } from '../../lib/io/memory/disk.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'
import type { Machine } from './machine.ts'
import { between, chance } from './world.ts'

/** What becomes of un-synced data at a power cut. */
export type CutMode = 'lost' | 'kept' | 'partly'

const sectorBytes = 512

/** How long an operation takes in ms, before any slowness. */
const latencies: Readonly<Record<DiskOperation, number>> = {
  open: 0.02,
  rename: 0.03,
  remove: 0.03,
  list: 0.03,
  mkdir: 0.03,
  syncDir: 0.8,
  read: 0.03,
  write: 0.1,
  truncate: 0.05,
  sync: 1,
}

interface Failing {
  readonly operations: readonly DiskOperation[]
  readonly where: string
  left: number
}

export class DiskFaults {
  /** Everything takes so many times as long. */
  slowness = 1
  /** Operations left that fail with EIO, of these kinds. */
  #failing: Failing | null = null
  #trap: { readonly operation: DiskOperation; left: number; readonly spring: () => void } | null =
    null
  /** How many operations failed. */
  failureCount = 0
  readonly #machine: Machine
  readonly #random: Random

  constructor(machine: Machine) {
    this.#machine = machine
    this.#random = machine.world.random(`disk ${machine.name}`)
  }

  /** The next operations of these kinds fail with EIO, on paths that hold `where`. */
  failNext(
    operations: readonly DiskOperation[],
    { count, where }: { count: number; where: string },
  ): void {
    this.#failing = { operations, where, left: count }
  }

  /** Calls `spring` when so many operations of this kind have been done: right after the last of them. */
  setTrap(operation: DiskOperation, count: number, spring: () => void): void {
    this.#trap = { operation, left: count, spring }
  }

  heal(): void {
    this.slowness = 1
    this.#failing = null
    this.#trap = null
  }

  #step(operation: DiskOperation): void {
    const trap = this.#trap
    if (trap?.operation !== operation || --trap.left > 0) return
    this.#trap = null
    this.#machine.world.after(0, trap.spring)
  }

  before(operation: DiskOperation, path: string): Promise<void> {
    const { world, name, process } = this.#machine
    const failing = this.#failing
    const isFailing =
      failing?.operations.includes(operation) === true && path.includes(failing.where)
    if (isFailing && failing !== null) {
      failing.left--
      this.failureCount++
      if (failing.left <= 0) this.#failing = null
    }
    const ms = latencies[operation] * between(this.#random, 0.5, 3) * this.slowness
    return new Promise((resolve, reject) => {
      world.after(ms, () => {
        if (process?.isAlive !== true) return
        world.note(operation, isFailing ? 1 : 0, `${name}:${path}`)
        if (isFailing) reject(nativeError('EIO', operation, path))
        else resolve()
        this.#step(operation)
      })
    })
  }

  /** The power goes: decides page by page and directory by directory what stays. */
  powerCut(mode: CutMode): PowerCut {
    const random = this.#random
    const { world, name } = this.#machine
    const page = (path: string, index: number): PageFate => {
      if (mode !== 'partly') return mode
      const dice = randomBelow(random, 5)
      const tornAt = sectorBytes * (1 + randomBelow(random, 7))
      world.note('page', dice, `${name}:${path} ${index}`)
      if (dice === 0) return { tornAt }
      return dice < 3 ? 'kept' : 'lost'
    }
    // Half of those that keep some keep them out of order.
    const isScattered = mode === 'partly' && chance(random, 0.5)
    return {
      file: (path) => ({
        page: (index) => page(path, index),
        keepsSize: mode === 'kept' || (mode === 'partly' && chance(random, 0.3)),
      }),
      changesKept: (_, count) => {
        if (mode === 'kept') return count
        return mode === 'lost' ? 0 : randomBelow(random, count + 1)
      },
      ...(isScattered && { keepsChange: () => chance(random, 0.5) }),
    }
  }
}
