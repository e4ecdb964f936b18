/**
 * Requests that wait for something to happen to a partition: a parked Fetch for visible bytes, a
 * Produce with acks=all for the high watermark. Each wait has a deadline, watches one or more keys,
 * and is asked again whenever one of them is woken.
 *
 * Bounded: above `waitsMax` the oldest wait expires early, as if its deadline had come.
 * Source: apache/kafka: .../server/DelayedOperationPurgatory.scala.
 */

import { type Deferred, deferred } from '../base/deferred.ts'
import type { Clock, Timer } from '../io/clock.ts'

export type WaitEnd = 'done' | 'expired' | 'cancelled'

export interface WaitOptions<Key> {
  readonly keys: readonly Key[]
  /** Whether the wait is over, given that something happened to `key`. Asked for each key at once, too. */
  readonly isDone: (key: Key) => boolean
  readonly timeoutMs: number
}

export interface Waiting {
  readonly ended: Promise<WaitEnd>
  /** Nobody waits for the answer any more. */
  cancel(): void
}

interface Wait<Key> {
  readonly options: WaitOptions<Key>
  readonly end: Deferred<WaitEnd>
  timer: Timer | null
}

/** The longest that a timer can be set for. */
const timeoutMsMax = 0x7fffffff

export class Purgatory<Key extends object> {
  readonly #clock: Clock
  readonly #waitsMax: number
  readonly #byKey = new Map<Key, Set<Wait<Key>>>()
  /** In the order of their coming. */
  readonly #waits = new Set<Wait<Key>>()
  #isClosed = false

  constructor(clock: Clock, { waitsMax = 100_000 } = {}) {
    this.#clock = clock
    this.#waitsMax = waitsMax
  }

  get size(): number {
    return this.#waits.size
  }

  /** Resolves when done, at the deadline, or when the purgatory closes ('cancelled'). */
  wait(options: WaitOptions<Key>): Waiting {
    const { keys, isDone, timeoutMs } = options
    if (keys.some((key) => isDone(key))) return ended('done')
    if (this.#isClosed) return ended('cancelled')
    if (timeoutMs <= 0) return ended('expired')
    if (this.#waits.size >= this.#waitsMax) {
      const [oldest] = this.#waits
      if (oldest !== undefined) this.#finish(oldest, 'expired')
    }
    const wait: Wait<Key> = { options, end: deferred<WaitEnd>(), timer: null }
    const onDeadline = () => this.#finish(wait, 'expired')
    wait.timer = this.#clock.timer(Math.min(timeoutMs, timeoutMsMax), onDeadline, { unref: true })
    this.#waits.add(wait)
    for (const key of keys) {
      const watching = this.#byKey.get(key)
      if (watching) watching.add(wait)
      else this.#byKey.set(key, new Set([wait]))
    }
    return { ended: wait.end.promise, cancel: () => this.#finish(wait, 'cancelled') }
  }

  /** Something happened to `key`: ends the waits on it that are done now. */
  wake(key: Key): void {
    const watching = this.#byKey.get(key)
    if (watching === undefined) return
    for (const wait of watching) {
      if (wait.options.isDone(key)) this.#finish(wait, 'done')
    }
  }

  /** Ends every wait, and each later one at once. */
  close(): void {
    this.#isClosed = true
    for (const wait of this.#waits) this.#finish(wait, 'cancelled')
  }

  #finish(wait: Wait<Key>, how: WaitEnd): void {
    if (!this.#waits.delete(wait)) return
    wait.timer?.cancel()
    for (const key of wait.options.keys) {
      const watching = this.#byKey.get(key)
      watching?.delete(wait)
      if (watching?.size === 0) this.#byKey.delete(key)
    }
    wait.end.resolve(how)
  }
}

function ended(how: WaitEnd): Waiting {
  return { ended: Promise.resolve(how), cancel() {} }
}
