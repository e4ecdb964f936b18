/**
 * A member's way to its coordinator: finds it, asks it, notices when it is lost or is another one.
 * Requests that a coordinator holds back (JoinGroup, SyncGroup) go over a connection of their own,
 * because a broker answers one request of a connection after the other: heartbeats would wait.
 */

import { type Deferred, deferred } from '../base/deferred.ts'
import { KafkaError } from '../base/errors.ts'
import type { Encodable, RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { AnyApi, Connection } from '../wire/connection.ts'
import { ConnectionError } from '../wire/connection-error.ts'
import { backoffMs, reconnectBackoff, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import type { Lane } from './connection-pool.ts'
import { Coordinators } from './coordinators.ts'
import { asUnavailable, UnavailableError } from './errors.ts'

export interface LinkOptions {
  readonly groupId: string
  /** Once per outage. */
  readonly onOffline: (error: Error) => void
  readonly onOnline: () => void
}

export interface LinkRequest {
  readonly timeoutMs?: number
  /** Over the connection for requests that are held back. */
  readonly isHeld?: boolean
  /** The highest version to use. */
  readonly limit?: number
}

export class MemberLink {
  readonly #client: Client
  readonly #options: LinkOptions
  readonly #coordinators: Coordinators
  readonly #heldLane: Lane
  #failures = 0
  #outage: { readonly sinceMs: number; readonly error: Error } | null = null

  constructor(client: Client, options: LinkOptions) {
    this.#client = client
    this.#options = options
    this.#coordinators = new Coordinators(client)
    this.#heldLane = client.newFetchLane()
  }

  /** Since when, and why, no coordinator is reached; null while one is. */
  get outage(): { readonly sinceMs: number; readonly error: Error } | null {
    return this.#outage
  }

  /** Asks the coordinator once. Rejects with UnavailableError, or KafkaError where there is none. */
  async request<A extends AnyApi>(
    api: A,
    bodyFor: (connection: Connection, version: number) => Encodable<RequestOf<A>>,
    { timeoutMs = this.#client.timeoutMs, isHeld = false, limit }: LinkRequest = {},
  ): Promise<ResponseOf<A>> {
    const lane = isHeld ? this.#heldLane : 'main'
    try {
      const connection = await this.#connect(lane, Math.min(timeoutMs, this.#client.timeoutMs))
      const version = connection.versionOf(api, limit === undefined ? {} : { limit })
      const body = bodyFor(connection, version)
      const response = await connection.request(api, body, { timeoutMs, version })
      this.#onAnswered()
      return response
    } catch (thrown) {
      const error = asUnavailable(thrown)
      if (error instanceof UnavailableError) this.#onLost(error)
      throw error
    }
  }

  /** A group that gets no coordinator is an outage, too: its brokers may never make one. */
  async #connect(lane: Lane, timeoutMs: number): Promise<Connection> {
    const { groupId } = this.#options
    try {
      return await this.#coordinators.connectionFor(groupId, { lane, timeoutMs })
    } catch (thrown) {
      if (!(thrown instanceof KafkaError)) throw thrown
      const text = `no coordinator for group "${groupId}": ${thrown.message}`
      const error = new KafkaError(thrown.code, text, { cause: thrown })
      if (error.isRetriable) this.#onLost(error)
      throw error
    }
  }

  /** After an error of a request: whether another try may help; the coordinator is then looked up. */
  shouldRetry(error: unknown): boolean {
    if (error instanceof UnavailableError) return true
    if (!(error instanceof KafkaError)) return false
    if (error.code === 15 || error.code === 16) this.#coordinators.forget(this.#options.groupId)
    return error.isRetriable
  }

  /** How long to wait after the `failures`th failure in a row. */
  pauseMs(error: unknown, failures: number): number {
    const range = error instanceof UnavailableError ? reconnectBackoff : retryBackoff
    return backoffMs(this.#client.env.random, range, failures)
  }

  #onAnswered(): void {
    this.#failures = 0
    if (this.#outage === null) return
    this.#outage = null
    this.#options.onOnline()
  }

  #onLost(error: UnavailableError | KafkaError): void {
    this.#coordinators.forget(this.#options.groupId)
    if (this.#client.isClosed) return
    this.#failures++
    // A connection that was merely closed is no outage yet: the next one may be there at once.
    const { cause } = error
    const isClosed = cause instanceof ConnectionError && cause.failure === 'closed'
    if (this.#outage !== null || (isClosed && this.#failures === 1)) return
    this.#outage = { sinceMs: this.#client.env.clock.monotonicMs(), error }
    this.#options.onOffline(error)
  }
}

/** A flag that can be waited for: `raise` ends every wait there is, and the next one at once. */
export class Signal {
  #isRaised = false
  #waiting: Deferred<void> | null = null

  raise(): void {
    this.#isRaised = true
    this.#waiting?.resolve()
    this.#waiting = null
  }

  /** Resolves when raised, and lowers it. */
  async wait(): Promise<void> {
    if (!this.#isRaised) {
      this.#waiting ??= deferred()
      await this.#waiting.promise
    }
    this.#isRaised = false
  }
}
