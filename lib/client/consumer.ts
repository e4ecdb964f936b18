/**
 * Reads partitions from given offsets, to given offsets or following their ends. Fetches ahead, up
 * to `prefetchBytes`; what comes are whole batches, decoded when looked at (FetchedBatch).
 *
 * One fetch at a time is on its way to each leader, on a connection of its own. A leader that moves
 * or is lost is followed; what no try can mend (a deleted topic, no permission, an offset out of
 * range) is thrown by `next`, after everything before it was handed out.
 * Sources: KIP-320 (truncation), KIP-392 is not used, KIP-951 (hints to new leaders).
 */

import { type Deferred, deferred } from '../base/deferred.ts'
import type { Offset, TopicPartition } from '../base/types.ts'
import type { Timer } from '../io/clock.ts'
import type { Client } from './client.ts'
import { UnavailableError } from './errors.ts'
import { FetchPartition } from './fetch-partition.ts'
import type { FetchedBatch, LogRange } from './fetched-batch.ts'
import { Fetcher, type OutOfRange } from './fetcher.ts'
import type { Isolation } from './offsets.ts'
import { keyOf } from './per-leader.ts'

export type { OutOfRange } from './fetcher.ts'

export interface ConsumerOptions {
  /** How long a broker may hold a fetch back until `minBytes` are there, in ms (default 500). */
  readonly maxWaitMs?: number
  readonly minBytes?: number
  /** Of one fetch, as far as the broker can keep to it (default 16 MiB). */
  readonly maxBytes?: number
  /** Of one partition in a fetch, likewise (default 4 MiB). */
  readonly partitionMaxBytes?: number
  /** Fetched and not handed out yet; no more is asked for above it (default 32 MiB). */
  readonly prefetchBytes?: number
  /** Of one batch, uncompressed (default 256 MiB): a larger one is refused, not expanded. */
  readonly batchMaxBytes?: number
  /** Default `uncommitted`. */
  readonly isolation?: Isolation
  readonly checkCrcs?: boolean
  /** What to do when an offset is no longer, or not yet, in the log (default `fail`). */
  readonly onOutOfRange?: 'fail' | 'earliest' | 'latest' | ((range: OutOfRange) => Offset)
  /** Once per outage: a broker was lost and is being tried again, every 0.25 to 5 s. */
  readonly onOffline?: (error: Error) => void
  /** After an outage: a broker answered. */
  readonly onOnline?: () => void
  /** `next` rejects with UnavailableError after an outage of so many ms (default: never). */
  readonly maxOfflineMs?: number
}

/** A partition to read. */
export interface Assignment extends TopicPartition {
  readonly from: Offset
  /** Exclusive; without it the end is followed. */
  readonly to?: Offset
}

/** What one fetch brought of one partition, on its way to the reader. */
interface Delivery {
  readonly state: FetchPartition
  readonly batches: FetchedBatch[]
  readonly sizeBytes: number
  /** Where the partition stands after it, markers and holes counted. */
  readonly position: Offset
}

const defaults = {
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 16 * 1024 * 1024,
  partitionMaxBytes: 4 * 1024 * 1024,
  prefetchBytes: 32 * 1024 * 1024,
  batchMaxBytes: 256 * 1024 * 1024,
  isolation: 'uncommitted',
  checkCrcs: true,
  onOutOfRange: 'fail',
  onOffline: () => {},
  onOnline: () => {},
  maxOfflineMs: Number.POSITIVE_INFINITY,
} as const

export class Consumer {
  readonly #client: Client
  readonly #prefetchBytes: number
  readonly #maxOfflineMs: number
  readonly #fetcher: Fetcher
  #partitions: FetchPartition[] = []
  #byKey = new Map<string, FetchPartition>()
  #deliveries: Delivery[] = []
  #bufferedBytes = 0
  #failure: Error | null = null
  #wakeUp: Deferred<void> | null = null
  #isClosed = false

  constructor(client: Client, options: ConsumerOptions = {}) {
    const settings = { ...defaults, ...options }
    this.#client = client
    this.#prefetchBytes = settings.prefetchBytes
    this.#maxOfflineMs = settings.maxOfflineMs
    this.#fetcher = new Fetcher(client, {
      ...settings,
      lane: client.newFetchLane(),
      hasRoom: () => this.#bufferedBytes < this.#prefetchBytes,
      onBatches: (state, batches, position) => this.#deliver(state, batches, position),
      onChange: () => this.#wake(),
    })
  }

  /** Replaces what is read; what was fetched before and not handed out is dropped. */
  assign(assignments: readonly Assignment[]): void {
    this.#deliveries = []
    this.#bufferedBytes = 0
    this.#failure = null
    this.#partitions = assignments.map(
      ({ topic, partition, from, to = Number.POSITIVE_INFINITY }) =>
        new FetchPartition({ topic, partition, from, to }),
    )
    this.#byKey = new Map(
      this.#partitions.map((state) => [keyOf(state.topic, state.partition), state]),
    )
    this.#fetcher.assign(this.#partitions)
  }

  /** Reads these, too; one that is read already begins anew. */
  add(assignments: readonly Assignment[]): void {
    this.remove(assignments)
    for (const { topic, partition, from, to = Number.POSITIVE_INFINITY } of assignments) {
      const state = new FetchPartition({ topic, partition, from, to })
      this.#partitions.push(state)
      this.#byKey.set(keyOf(topic, partition), state)
    }
    this.#fetcher.assign(this.#partitions)
    this.#wake()
  }

  /** Reads these no more; of them nothing is handed out from now on. The others go on as they are. */
  remove(partitions: readonly TopicPartition[]): void {
    const gone = new Set(partitions.map(({ topic, partition }) => keyOf(topic, partition)))
    for (const key of gone) this.#byKey.delete(key)
    const isKept = (state: FetchPartition) => !gone.has(keyOf(state.topic, state.partition))
    this.#partitions = this.#partitions.filter(isKept)
    this.#deliveries = this.#deliveries.filter(({ state }) => isKept(state))
    this.#bufferedBytes = this.#deliveries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    if (this.#partitions.every(({ failure }) => failure !== this.#failure)) this.#failure = null
    this.#fetcher.assign(this.#partitions)
    this.#wake()
  }

  /** Whether every partition with an end was handed out up to it. Never while one is followed. */
  get isFinished(): boolean {
    return this.#partitions.every(({ isFinished }) => isFinished)
  }

  /** The next offset that `next` has not handed out: it also passes markers and compacted ranges. */
  position({ topic, partition }: TopicPartition): Offset {
    return this.#byKey.get(keyOf(topic, partition))?.position ?? -1
  }

  /** What the last fetch said of the partition's log; null before the first. */
  log({ topic, partition }: TopicPartition): LogRange | null {
    const state = this.#byKey.get(keyOf(topic, partition))
    return state === undefined || state.highWatermark < 0 ? null : state
  }

  /**
   * Whatever has been fetched, in order within each partition; waits for the first when nothing
   * has. Empty when all is finished, when only positions moved, after `timeoutMs`, or when closed.
   * Rejects with KafkaError, UnavailableError, or the signal's reason.
   */
  async next({
    timeoutMs = Number.POSITIVE_INFINITY,
    signal,
  }: {
    timeoutMs?: number
    signal?: AbortSignal
  } = {}): Promise<FetchedBatch[]> {
    const deadlineMs = this.#client.deadline(timeoutMs)
    for (;;) {
      signal?.throwIfAborted()
      if (this.#deliveries.length > 0) return this.#handOut()
      if (this.#failure !== null) throw this.#failure
      if (this.isFinished || this.#isClosed) return []
      const nowMs = this.#client.env.clock.monotonicMs()
      this.#checkOffline(nowMs)
      if (nowMs >= deadlineMs) return []
      await this.#wait(Math.min(deadlineMs - nowMs, this.#offlineLeftMs(nowMs)), signal)
    }
  }

  /** Batch after batch until all is finished. Throws as `next`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<FetchedBatch, void> {
    while (!this.#isClosed) {
      const batches = await this.next()
      yield* batches
      if (batches.length === 0 && this.isFinished && this.#deliveries.length === 0) return
    }
  }

  /** Stops fetching; a waiting `next` resolves with nothing. */
  close(): void {
    this.#isClosed = true
    this.#fetcher.close()
    this.#deliveries = []
    this.#wake()
  }

  #deliver(state: FetchPartition, batches: readonly FetchedBatch[], position: Offset): void {
    if (this.#byKey.get(keyOf(state.topic, state.partition)) !== state) return
    let sizeBytes = 0
    for (const batch of batches) sizeBytes += batch.sizeBytes
    this.#bufferedBytes += sizeBytes
    this.#deliveries.push({ state, batches: [...batches], sizeBytes, position })
  }

  #handOut(): FetchedBatch[] {
    const deliveries = this.#deliveries
    this.#deliveries = []
    this.#bufferedBytes = 0
    const batches: FetchedBatch[] = []
    for (const delivery of deliveries) {
      delivery.state.position = delivery.position
      for (const batch of delivery.batches) batches.push(batch)
    }
    this.#fetcher.pump()
    return batches
  }

  #checkOffline(nowMs: number): void {
    const failed = this.#partitions.find(({ failure }) => failure !== null)
    if (failed?.failure) {
      this.#failure = failed.failure
      throw failed.failure
    }
    const { outage } = this.#fetcher
    if (outage === null || nowMs - outage.sinceMs < this.#maxOfflineMs) return
    const seconds = Math.round((nowMs - outage.sinceMs) / 100) / 10
    this.#failure = new UnavailableError(`offline for ${seconds} s: ${outage.error.message}`, {
      cause: outage.error,
    })
    throw this.#failure
  }

  #offlineLeftMs(nowMs: number): number {
    const { outage } = this.#fetcher
    return outage === null
      ? Number.POSITIVE_INFINITY
      : Math.max(outage.sinceMs + this.#maxOfflineMs - nowMs, 1)
  }

  #wake(): void {
    this.#wakeUp?.resolve()
    this.#wakeUp = null
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const wakeUp = (this.#wakeUp ??= deferred())
    const onAbort = () => this.#wake()
    let timer: Timer | null = null
    if (ms < Number.POSITIVE_INFINITY) {
      timer = this.#client.env.clock.timer(Math.max(Math.ceil(ms), 1), () => this.#wake())
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await wakeUp.promise
    } finally {
      timer?.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }
}
