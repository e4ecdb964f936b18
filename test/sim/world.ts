/**
 * The world of a simulation: one line of time for all machines. What is to happen lies in a heap of
 * (time, sequence); events run one after another, and between two of them all work that is ready is
 * done (each runs in a `setImmediate` of its own, which drains promises). Nothing else moves time.
 *
 * Everything that machines do is mixed into `hash` in the order of its doing: the same seed gives the
 * same hash, or something reached around Env.
 */

import { seededRandom } from '../../lib/io/memory/random.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'

interface Event {
  readonly atMs: number
  readonly sequence: number
  fn: (() => void) | null
}

export interface Scheduled {
  cancel(): void
}

/** Events queued for the event loop at a time: a turn of it costs more than an event. */
const immediatesAtOnce = 200

export class World {
  readonly seed: number
  /** Called between events, when all that is ready was done. */
  afterEvent: () => void = () => {}
  /** Gets a line per thing that happens; null = nobody listens. */
  onTrace: ((line: string) => void) | null = null
  nowMs = 0
  eventCount = 0
  #hash = 0x811c9dc5
  #sequence = 0
  #heap: Event[] = []
  #stopReason: Error | null = null

  constructor(seed: number) {
    this.seed = seed
  }

  /** A stream of chance of its own, so that drawing more from one does not shift the others. */
  random(name: string): Random {
    let mixed = this.seed | 0
    for (let index = 0; index < name.length; index++) {
      mixed = Math.imul(mixed ^ name.charCodeAt(index), 0x01000193)
    }
    return seededRandom(mixed)
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  at(ms: number, fn: () => void): Scheduled {
    const event: Event = { atMs: Math.max(ms, this.nowMs), sequence: this.#sequence++, fn }
    this.#push(event)
    return {
      cancel: () => {
        event.fn = null
      },
    }
  }

  after(ms: number, fn: () => void): Scheduled {
    return this.at(this.nowMs + Math.max(ms, 0), fn)
  }

  /** Something happened: part of the trace hash, and a line of the trace. */
  note(what: string, number = 0, text = ''): void {
    let hash = this.#hash
    hash = Math.imul(hash ^ (this.nowMs * 1000), 0x01000193)
    for (let index = 0; index < what.length; index++) {
      hash = Math.imul(hash ^ what.charCodeAt(index), 0x01000193)
    }
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    }
    this.#hash = Math.imul(hash ^ number, 0x01000193)
    this.onTrace?.(
      `${this.nowMs.toFixed(3).padStart(12)} ${String(this.eventCount).padStart(8)} ${what} ${text} ${number}`,
    )
  }

  /** Ends `run` with this error, after the event that is under way. */
  fail(error: Error): void {
    this.#stopReason ??= error
  }

  get failure(): Error | null {
    return this.#stopReason
  }

  /** Lets everything happen up to `untilMs`, or until `isDone` says so. Rejects with what `fail` was given. */
  run(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const finish = () => {
        isOver = true
        if (this.#stopReason === null) resolve()
        else reject(this.#stopReason)
      }
      const step = () => {
        if (isOver) return
        try {
          this.afterEvent()
          if (this.#stopReason !== null || isDone() || !this.#runNext(untilMs)) finish()
        } catch (error) {
          this.fail(error instanceof Error ? error : new Error(String(error)))
          finish()
        }
      }
      const pump = () => {
        if (isOver) return
        for (let count = 0; count < immediatesAtOnce; count++) setImmediate(step)
        setImmediate(pump)
      }
      pump()
    })
  }

  #runNext(untilMs: number): boolean {
    let next = this.#heap[0]
    while (next !== undefined && next.fn === null) {
      this.#pop()
      next = this.#heap[0]
    }
    if (next === undefined || next.atMs > untilMs) {
      this.nowMs = untilMs
      return false
    }
    this.#pop()
    this.nowMs = next.atMs
    this.eventCount++
    next.fn?.()
    return true
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || isBefore(above, event)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      let smaller = left
      if (right !== undefined && isBefore(right, left)) {
        child++
        smaller = right
      }
      if (isBefore(last, smaller)) break
      heap[at] = smaller
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}

/** Uniform in [min, max). */
export function between(random: Random, min: number, max: number): number {
  return min + (random.u32() / 0x1_0000_0000) * (max - min)
}

export function chance(random: Random, probability: number): boolean {
  return random.u32() / 0x1_0000_0000 < probability
}

/** One of them; throws when there is none. */
export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[randomBelow(random, items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}
