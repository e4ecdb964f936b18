/**
 * Which brokers a consumer cannot reach, since when, and who has been told. An outage begins with
 * the first broker that is lost and ends when none is: it is told once, and its end once. A
 * connection that was merely closed is no outage yet: the next one may be there at once.
 */

import type { BrokerId } from '../base/types.ts'
import { ConnectionError } from '../wire/connection-error.ts'

/** Stands for "no broker could be asked for metadata". */
export const anyBroker = -1

interface Outage {
  readonly sinceMs: number
  error: Error
  /** Attempts that failed in a row. */
  failures: number
}

export class Outages {
  readonly #onOffline: (error: Error) => void
  readonly #onOnline: () => void
  readonly #lost = new Map<BrokerId, Outage>()
  #isTold = false

  constructor(onOffline: (error: Error) => void, onOnline: () => void) {
    this.#onOffline = onOffline
    this.#onOnline = onOnline
  }

  /** The one that lasts longest; null when all is well. */
  get current(): { readonly sinceMs: number; readonly error: Error } | null {
    const [first] = this.#lost.values()
    return first ?? null
  }

  /** An attempt failed; returns how many did so in a row. */
  onLost(broker: BrokerId, error: Error, nowMs: number): number {
    const outage = this.#lost.get(broker) ?? { sinceMs: nowMs, error, failures: 0 }
    this.#lost.set(broker, outage)
    outage.error = error
    outage.failures++
    const { cause } = error
    const isClosed = cause instanceof ConnectionError && cause.failure === 'closed'
    if (!this.#isTold && (!isClosed || outage.failures > 1)) {
      this.#isTold = true
      this.#onOffline(error)
    }
    return outage.failures
  }

  /** The broker answered. */
  onAnswered(broker: BrokerId): void {
    if (this.#lost.size === 0) return
    this.#lost.delete(broker)
    this.#lost.delete(anyBroker)
    this.#checkEnd()
  }

  /** Only these brokers are needed now. */
  keep(brokers: ReadonlySet<BrokerId>): void {
    if (this.#lost.size === 0) return
    for (const broker of this.#lost.keys()) {
      if (broker !== anyBroker && !brokers.has(broker)) this.#lost.delete(broker)
    }
    this.#checkEnd()
  }

  #checkEnd(): void {
    if (this.#lost.size > 0 || !this.#isTold) return
    this.#isTold = false
    this.#onOnline()
  }
}
