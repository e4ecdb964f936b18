/**
 * A client of one cluster: connections to its brokers, what is known of its topics and leaders, and
 * requests that survive a lost connection. Producer, Consumer and Admin are built on one of these
 * and share its connections.
 *
 * Invariants: every call ends within its deadline; addresses that refuse are tried in two rounds,
 * then the call fails, unless `retryForMs` says how long to go on. Source: KIP-526 (metadata on
 * demand), KIP-951 (hints to new leaders).
 */

import { setMaxListeners } from 'node:events'
import { KafkaError } from '../base/errors.ts'
import type { BrokerId, TopicPartition } from '../base/types.ts'
import { sleep } from '../io/clock.ts'
import type { Env } from '../io/env.ts'
import { type Address, addressText } from '../io/network.ts'
import { nodeEnv } from '../io/node/env.ts'
import { Metadata } from '../protocol/apis/metadata.ts'
import type { Encodable, RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { AnyApi, Connection, Transport } from '../wire/connection.ts'
import { ConnectionError } from '../wire/connection-error.ts'
import { parseBrokerAddress } from './addresses.ts'
import { backoffMs, reconnectBackoff, retryBackoff } from './backoff.ts'
import { ConnectionPool, type Lane } from './connection-pool.ts'
import { asUnavailable, cannotReach, UnavailableError } from './errors.ts'
import {
  type BrokerMetadata,
  type ClusterMetadata,
  type LeaderHint,
  MetadataCache,
  type PartitionMetadata,
  type TopicMetadata,
} from './metadata-cache.ts'

export interface ClientOptions {
  /** Where to begin: `host:port` each (9092 when there is no port). One that answers is enough. */
  readonly brokers: readonly string[]
  /** The machine by default; another one for tests. */
  readonly env?: Env
  /** What brokers call this client in their logs, metrics and quotas (default `ottla`). */
  readonly clientId?: string
  /** For any one request with connecting and retries, in ms (default 5000). */
  readonly timeoutMs?: number
  /** How long to go on when no broker can be reached, in ms (default 0: two rounds). */
  readonly retryForMs?: number
  /** Metadata older than this is fetched again before it is used, in ms (default 300000). */
  readonly metadataMaxAgeMs?: number
  /** How long a topic that no broker knows is asked for again, in ms (default 1000). */
  readonly unknownTopicWaitMs?: number
  /** Whether asking for an unknown topic may create it, where the brokers do so (default false). */
  readonly allowAutoTopicCreation?: boolean
  /** Opens the byte streams: TCP by default. */
  readonly transport?: Transport
  /** Runs on each new connection before its first request. */
  readonly authenticate?: (connection: Connection) => Promise<void>
}

export interface ClientRequestOptions {
  /** A broker's id, the controller, or any broker (the default). */
  readonly to?: BrokerId | 'controller' | 'any'
  readonly timeoutMs?: number
  /** false: never sent a second time when the first may have taken effect (default true). */
  readonly isRepeatable?: boolean
}

/** Times that a request is sent again after a lost connection. */
const resendsMax = 3

export class Client {
  readonly env: Env
  readonly timeoutMs: number
  /** What is known of the cluster; filled by `metadata` and `topic`. */
  readonly cache = new MetadataCache()
  readonly #options: ClientOptions
  readonly #bootstrap: readonly Address[]
  readonly #pool: ConnectionPool
  readonly #closing = new AbortController()
  #firstAddress = 0
  #pendingRefresh: { topics: Set<string>; done: Promise<unknown> } | null = null
  #nextLane = 0

  /** Throws Error for an address that is none. Connects at the first request. */
  constructor(options: ClientOptions) {
    if (options.brokers.length === 0) throw new Error('no broker address given')
    this.#options = options
    this.env = options.env ?? nodeEnv()
    this.timeoutMs = options.timeoutMs ?? 5000
    this.#bootstrap = options.brokers.map(parseBrokerAddress)
    // Any number of producers, consumers and waits hang on it: that is no leak.
    setMaxListeners(0, this.#closing.signal)
    const { transport, authenticate, clientId = 'ottla' } = options
    this.#pool = new ConnectionPool({
      env: this.env,
      clientId,
      ...(transport === undefined ? {} : { transport }),
      ...(authenticate === undefined ? {} : { authenticate }),
    })
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Closes every connection; waiting calls are rejected. */
  close(): void {
    this.#closing.abort(new Error('the client is closed'))
    this.#pool.close()
  }

  /** Aborted when the client is closed: ends the waits of whatever is built on it. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** A lane that nobody else has. */
  newFetchLane(): Lane {
    return `fetch-${this.#nextLane++}`
  }

  /** Monotonic time in ms at which `timeoutMs` from now ends. */
  deadline(timeoutMs = this.timeoutMs): number {
    return this.env.clock.monotonicMs() + timeoutMs
  }

  /** Waits `ms`; rejects when the client is closed meanwhile. */
  pause(ms: number): Promise<void> {
    return sleep(this.env.clock, ms, this.#closing.signal)
  }

  /**
   * The cluster and its topics: those named, all (null, the default), or none ([]). What went wrong
   * with one topic stands in its `error`. Rejects with UnavailableError.
   */
  async metadata({
    topics = null,
    timeoutMs = this.timeoutMs,
  }: {
    topics?: readonly string[] | null
    timeoutMs?: number
  } = {}): Promise<ClusterMetadata> {
    const { allowAutoTopicCreation = false } = this.#options
    const response = await this.request(
      Metadata,
      (connection) => {
        const version = connection.versionOf(Metadata, { floor: 1 })
        const wanted = topics?.map((name) => ({ name })) ?? null
        return version >= 4 ? { topics: wanted, allowAutoTopicCreation } : { topics: wanted }
      },
      { timeoutMs },
    )
    if (response.errorCode !== 0) throw new KafkaError(response.errorCode)
    return this.cache.apply(response, this.env.clock.monotonicMs())
  }

  /** Fetches these topics anew; who asks in the same turn shares one request. */
  refresh(topics: readonly string[]): Promise<unknown> {
    if (this.#pendingRefresh === null) {
      const wanted = new Set<string>()
      const done = Promise.resolve().then(() => {
        this.#pendingRefresh = null
        return this.metadata({ topics: [...wanted] })
      })
      this.#pendingRefresh = { topics: wanted, done }
    }
    for (const topic of topics) this.#pendingRefresh.topics.add(topic)
    return this.#pendingRefresh.done
  }

  /**
   * What is known of a topic, fetched when it is not known, old or in doubt. Asks again for
   * `waitMs` while brokers do not know it: they may hear of a new topic a moment later.
   * Rejects with KafkaError UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED or
   * INVALID_TOPIC_EXCEPTION, or UnavailableError. Single partitions may still lack a leader.
   */
  async topic(
    name: string,
    { waitMs = this.#options.unknownTopicWaitMs ?? 1000 } = {},
  ): Promise<TopicMetadata> {
    const untilMs = this.deadline(waitMs)
    for (let attempt = 1; ; attempt++) {
      if (!this.isFresh(name)) await this.refresh([name])
      const topic = this.cache.topic(name)
      if (topic !== undefined && topic.error === null) return topic
      const error = topic?.error ?? new KafkaError('UNKNOWN_TOPIC_OR_PARTITION')
      if (!error.isRetriable || this.env.clock.monotonicMs() >= untilMs) throw error
      await this.pause(backoffMs(this.env.random, retryBackoff, attempt))
    }
  }

  /** Whether what is known of the topic is complete, young enough, and not in doubt. */
  isFresh(topic: string): boolean {
    const { metadataMaxAgeMs = 300_000 } = this.#options
    return this.cache.isFresh(topic, this.env.clock.monotonicMs(), metadataMaxAgeMs)
  }

  /** What the cache knows of a partition; throws KafkaError UNKNOWN_TOPIC_OR_PARTITION otherwise. */
  partition({ topic, partition }: TopicPartition): PartitionMetadata {
    const known = this.cache.partition(topic, partition)
    if (known !== undefined) return known
    const count = this.cache.topic(topic)?.partitions.length ?? 0
    const range = count === 1 ? 'partition 0' : `partitions 0-${count - 1}`
    const what = count === 0 ? `no such topic "${topic}"` : `topic "${topic}" has ${range}`
    throw new KafkaError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      count === 0 ? what : `${what}, not ${partition}`,
    )
  }

  /** A broker said who leads now; returns whether that was news. */
  applyLeaderHint(hint: LeaderHint, endpoint?: BrokerMetadata): boolean {
    return this.cache.applyHint(hint, endpoint)
  }

  /**
   * Sends a request and resolves with its reply, over another connection when one is lost.
   * `bodyFor` is asked with the connection, whose versions may decide what can be said.
   * Rejects with UnavailableError, or KafkaError UNSUPPORTED_VERSION.
   */
  async request<A extends AnyApi>(
    api: A,
    bodyFor: (connection: Connection) => Encodable<RequestOf<A>>,
    options: ClientRequestOptions = {},
  ): Promise<ResponseOf<A>> {
    const { timeoutMs = this.timeoutMs, isRepeatable = true } = options
    const deadlineMs = this.deadline(timeoutMs)
    for (let sends = 1; ; sends++) {
      const connection = await this.#connectionFor(options.to ?? 'any', deadlineMs)
      // Connecting may have used most of the time: the reply is still given a moment.
      const remainingMs = Math.max(deadlineMs - this.env.clock.monotonicMs(), 250)
      try {
        return await connection.request(api, bodyFor(connection), { timeoutMs: remainingMs })
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error
        if (error.wasSent && !isRepeatable) {
          const address = addressText(error.address)
          throw new UnavailableError(
            `lost ${address} after ${api.name} was sent: ${error.reason}; whether it took effect is not known`,
            { addresses: [address], reason: error.reason, cause: error },
          )
        }
        const isOver = this.env.clock.monotonicMs() >= deadlineMs
        if (this.isClosed || isOver || sends > resendsMax) throw asUnavailable(error)
        await this.pause(backoffMs(this.env.random, retryBackoff, sends))
      }
    }
  }

  /**
   * A connection to one broker. Rejects with ConnectionError, at once when its address is unknown.
   */
  async connectionTo(id: BrokerId, lane: Lane, timeoutMs = this.timeoutMs): Promise<Connection> {
    const broker = this.cache.broker(id)
    if (broker === undefined) {
      throw new ConnectionError({ host: `broker ${id}`, port: 0 }, 'unreachable', {
        reason: 'its address is not known',
      })
    }
    try {
      return await this.#pool.get(broker, lane, timeoutMs)
    } catch (error) {
      throw this.#withOrigin(broker, error)
    }
  }

  /** Says of an address that nobody gave us where it comes from: a wrong one is a common mistake. */
  #withOrigin(broker: BrokerMetadata, error: unknown): unknown {
    if (!(error instanceof ConnectionError)) return error
    const text = addressText(broker)
    const isGiven = this.#bootstrap.some((address) => addressText(address) === text)
    const isMissing = error.failure === 'refused' || error.failure === 'unreachable'
    if (isGiven || !isMissing) return error
    const reason = `${error.reason} (it is the address that the cluster gives for broker ${broker.id})`
    return new ConnectionError(broker, error.failure, { reason, cause: error })
  }

  /** The open connection to a broker, if there is one. */
  openConnectionTo(id: BrokerId, lane: Lane): Connection | undefined {
    const broker = this.cache.broker(id)
    return broker === undefined ? undefined : this.#pool.existing(broker, lane)
  }

  async #connectionFor(to: BrokerId | 'controller' | 'any', deadlineMs: number) {
    if (to === 'any') return await this.#anyBroker(deadlineMs)
    if (to === 'controller') {
      if (this.cache.controllerId < 0) await this.metadata({ topics: [] })
      if (this.cache.controllerId < 0) return await this.#anyBroker(deadlineMs)
    } else if (this.cache.broker(to) === undefined) {
      await this.metadata({ topics: [] })
      if (this.cache.broker(to) === undefined) {
        throw new KafkaError('BROKER_NOT_AVAILABLE', `no broker with id ${to}`)
      }
    }
    const id = to === 'controller' ? this.cache.controllerId : to
    try {
      return await this.connectionTo(id, 'main', this.#remainingMs(deadlineMs))
    } catch (error) {
      // A controller that is gone is replaced: whoever answers knows the new one, or forwards.
      if (to === 'controller' && error instanceof ConnectionError) this.cache.controllerId = -1
      throw asUnavailable(error)
    }
  }

  /** A connection to whoever answers: an open one, else the known addresses in rounds. */
  async #anyBroker(deadlineMs: number): Promise<Connection> {
    const addresses = this.#addresses()
    for (const address of addresses) {
      const open = this.#pool.existing(address, 'main')
      if (open !== undefined) return open
    }
    const startedMs = this.env.clock.monotonicMs()
    const untilMs = startedMs + (this.#options.retryForMs ?? 0)
    const failures = new Map<string, ConnectionError>()
    for (let round = 1; ; round++) {
      for (const [index, address] of addresses.entries()) {
        const leftMs = Math.max(deadlineMs, untilMs) - this.env.clock.monotonicMs()
        if (leftMs <= 0) throw cannotReach(failures, round)
        const shareMs = Math.max(leftMs / (addresses.length - index), Math.min(1000, leftMs))
        try {
          const connection = await this.#pool.get(
            address,
            'main',
            Math.min(shareMs, this.timeoutMs),
          )
          this.#firstAddress = this.#bootstrap.indexOf(address)
          return connection
        } catch (error) {
          if (!(error instanceof ConnectionError) || this.isClosed) throw asUnavailable(error)
          failures.set(addressText(address), error)
        }
      }
      const nowMs = this.env.clock.monotonicMs()
      if (nowMs >= untilMs && (round >= 2 || nowMs >= deadlineMs))
        throw cannotReach(failures, round)
      await this.pause(backoffMs(this.env.random, reconnectBackoff, round))
    }
  }

  /** Brokers we know of first, then where we began; the one that answered last comes first. */
  #addresses(): Address[] {
    const from = Math.max(this.#firstAddress, 0)
    const bootstrap = [...this.#bootstrap.slice(from), ...this.#bootstrap.slice(0, from)]
    const seen = new Set(bootstrap.map(addressText))
    const others = this.cache.brokers().filter((broker) => !seen.has(addressText(broker)))
    return [...bootstrap, ...others]
  }

  #remainingMs(deadlineMs: number): number {
    return Math.max(deadlineMs - this.env.clock.monotonicMs(), 1)
  }
}
