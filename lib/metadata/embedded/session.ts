/**
 * A session of the embedded store. Its holder renews it from the main event loop, every third of
 * its time-to-live; it ends when a renewal is overdue. A process that stood still renews first when
 * it wakes, since that timer is the older one: a pause that hit everyone alike costs nobody a session.
 */

import type { Clock, Timer } from '../../io/clock.ts'
import type { Session } from '../store.ts'

export class EmbeddedSession implements Session {
  readonly id: string
  readonly ttlMs: number
  readonly #clock: Clock
  readonly #onEnd: () => Promise<void>
  readonly #callbacks: (() => void)[] = []
  #renewal: Timer | null = null
  #expiry: Timer | null = null
  #isAlive = true

  constructor(options: { id: string; ttlMs: number; clock: Clock; onEnd: () => Promise<void> }) {
    this.id = options.id
    this.ttlMs = options.ttlMs
    this.#clock = options.clock
    this.#onEnd = options.onEnd
    this.#renew()
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  onLost(callback: () => void): void {
    if (this.#isAlive) this.#callbacks.push(callback)
    else callback()
  }

  #renew(): void {
    this.#expiry?.cancel()
    this.#renewal = this.#clock.timer(this.ttlMs / 3, () => this.#renew(), { unref: true })
    this.#expiry = this.#clock.timer(this.ttlMs, () => this.lose(), { unref: true })
  }

  /** As if its holder had stopped running: it ends when its time is up. */
  stopRenewing(): void {
    this.#renewal?.cancel()
  }

  /** Ends it, and tells its holder. */
  lose(): void {
    if (!this.#isAlive) return
    void this.#finish()
    for (const callback of this.#callbacks) callback()
  }

  async end(): Promise<void> {
    if (this.#isAlive) await this.#finish()
  }

  #finish(): Promise<void> {
    this.#isAlive = false
    this.#renewal?.cancel()
    this.#expiry?.cancel()
    return this.#onEnd()
  }
}
