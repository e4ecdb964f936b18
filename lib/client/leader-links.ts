/** A producer's ways to the leaders: one connection each, opened when something waits for it, tried again after a pause. */

import type { BrokerId } from '../base/types.ts'
import { backoffMs, reconnectBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import { asUnavailable } from './errors.ts'

/** What is known of one leader's connection. */
export interface Link {
  readonly id: BrokerId
  /** Requests that wait for an answer. */
  inFlight: number
  isConnecting: boolean
  /** In a row. */
  failures: number
  /** Monotonic; not connected to before. */
  retryAtMs: number
}

export interface LinkEvents {
  /** An attempt is over. */
  readonly onChange: () => void
  readonly onFailed: (link: Link, error: Error) => void
}

export class LeaderLinks {
  readonly #client: Client
  readonly #maxInFlight: number
  readonly #events: LinkEvents
  readonly #links = new Map<BrokerId, Link>()

  constructor(client: Client, { maxInFlight, ...events }: LinkEvents & { maxInFlight: number }) {
    this.#client = client
    this.#maxInFlight = maxInFlight
    this.#events = events
  }

  to(id: BrokerId): Link {
    const existing = this.#links.get(id)
    if (existing !== undefined) return existing
    const link = { id, inFlight: 0, isConnecting: false, failures: 0, retryAtMs: 0 }
    this.#links.set(id, link)
    return link
  }

  /** When a request could go out: now, at a known time, or (infinity) after something happens. */
  readyAt(link: Link, nowMs: number): number {
    if (link.inFlight >= this.#maxInFlight) return Number.POSITIVE_INFINITY
    const connection = this.#client.openConnectionTo(link.id, 'produce')
    if (connection !== undefined) return Math.max(connection.throttledUntilMs, nowMs)
    if (link.isConnecting) return Number.POSITIVE_INFINITY
    if (link.retryAtMs > nowMs) return link.retryAtMs
    void this.#connect(link)
    return Number.POSITIVE_INFINITY
  }

  async #connect(link: Link): Promise<void> {
    const { clock, random } = this.#client.env
    link.isConnecting = true
    let failure: unknown = null
    try {
      await this.#client.connectionTo(link.id, 'produce')
      link.failures = 0
    } catch (error) {
      failure = asUnavailable(error)
    }
    link.isConnecting = false
    if (failure instanceof Error) {
      link.failures++
      link.retryAtMs = clock.monotonicMs() + backoffMs(random, reconnectBackoff, link.failures)
      this.#events.onFailed(link, failure)
    }
    this.#events.onChange()
  }
}
