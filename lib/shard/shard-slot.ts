/**
 * One shard in the hands of the runtime: read in, at work, thrown away, read in again (runtime.ts).
 * The log of the partition stays the same; the shard over it is made anew for each try.
 */

import { AssertionError, assert } from '../base/assert.ts'
import { KafkaError } from '../base/errors.ts'
import { planted } from '../base/planted.ts'
import type { LeaderEpoch, Offset } from '../base/types.ts'
import type { Timer } from '../io/clock.ts'
import type { Env } from '../io/env.ts'
import type { ClusterImage } from '../metadata/image.ts'
import { coordinatorError } from './coordinator-error.ts'
import { loadShard } from './load.ts'
import { type BatchOfRecords, batchesOf } from './record-batches.ts'
import type { Shard, ShardContext, ShardLog, ShardResult } from './shard.ts'
import { untilDeadline } from './until-deadline.ts'

export interface ShardSlotOptions<S extends Shard> {
  readonly env: Env
  /** Of the partition, for errors and the log. */
  readonly name: string
  readonly partition: number
  readonly leaderEpoch: LeaderEpoch
  readonly log: ShardLog
  readonly makeShard: (context: ShardContext) => S
  readonly loadBytes: () => number
  readonly timeoutMs: () => number
  readonly image: () => ClusterImage
  /** Resolves when it is this shard's turn to load; `loaded` ends the turn. */
  readonly whenMayLoad: () => Promise<void>
  readonly loaded: () => void
  /** A mistake of ours, in an operation that nobody asked for. */
  readonly onFatal: (error: Error) => void
}

/** Callers of a shard that wait for a commit. */
const waitingMax = 20_000
const retryMsMin = 100
const retryMsMax = 30_000

export class ShardSlot<S extends Shard> {
  readonly name: string
  readonly leaderEpoch: LeaderEpoch
  readonly #options: ShardSlotOptions<S>
  /** null while it is read in, or cannot be. */
  #shard: S | null = null
  #failure: KafkaError | null = null
  #isClosed = false
  #retryMs = retryMsMin
  #retry: Timer | null = null
  /** Changes with each shard, so that what began under an earlier one ends without an effect. */
  #generation = 0
  #waiting = 0
  /** An operation runs, or its records are replayed. */
  #isBusy = false
  /** The commit of everything appended so far; null when all is committed. */
  #commit: Promise<void> | null = null

  constructor(options: ShardSlotOptions<S>) {
    this.name = options.name
    this.leaderEpoch = options.leaderEpoch
    this.#options = options
  }

  get shard(): S | null {
    return this.#shard
  }

  /** Why there is no shard at the moment: it is being read in, or cannot be. */
  get unavailable(): KafkaError | null {
    return this.#shard === null ? this.#unavailable() : null
  }

  /** Reads the shard in; runs until it is active, or has failed. */
  start(): void {
    const generation = ++this.#generation
    this.#load(generation).catch((error) => {
      if (generation === this.#generation) this.#onLoadFailed(error)
    })
  }

  close(error: KafkaError): void {
    this.#isClosed = true
    this.#generation++
    this.#retry?.cancel()
    this.#drop(error)
  }

  onImage(image: ClusterImage): void {
    this.#shard?.onImage(image)
  }

  async write<R>(operation: (shard: S) => ShardResult<R>): Promise<R> {
    const { shard, name } = this
    if (shard === null) throw this.#unavailable()
    if (this.#waiting >= waitingMax) {
      throw new KafkaError(
        'COORDINATOR_NOT_AVAILABLE',
        `${name}: ${waitingMax} requests wait for its log`,
      )
    }
    const result = this.#alone(() => operation(shard))
    // It may be rejected before it is awaited: by the shard's end, while the commit is under way.
    if (result.response instanceof Promise) result.response.catch(() => {})
    const commit = this.#append(shard, result)
    if (commit !== null && !planted.commitAnsweredEarly) await this.#untilDeadline(commit)
    return result.response
  }

  /** Operations and replay run one after the other, never one within another. */
  #alone<T>(run: () => T): T {
    assert(!this.#isBusy, `${this.name}: an operation within another`)
    this.#isBusy = true
    try {
      return run()
    } finally {
      this.#isBusy = false
    }
  }

  /** Appends and replays the records; the commit of all that the operation could see, or null. */
  #append<R>(shard: S, result: ShardResult<R>): Promise<void> | null {
    const { records, onCommitted } = result
    if (records.length === 0) return this.#seen(onCommitted)
    const { log, env } = this.#options
    const nowMs = env.clock.nowMs()
    const startOffset = log.endOffset
    try {
      for (const batch of batchesOf(result, { nowMs, batchBytesMax: log.batchBytesMax })) {
        const baseOffset = log.endOffset
        log.append(batch.bytes)
        this.#alone(() => replayBatch(shard, batch, { baseOffset, nowMs }))
      }
    } catch (error) {
      throw this.#onRefused(result, { error, isPartial: log.endOffset > startOffset })
    }
    return this.#follow(log.whenCommitted(log.endOffset), onCommitted)
  }

  /** The operation wrote nothing: what it saw has still to be committed. */
  #seen(onCommitted: (() => void) | undefined): Promise<void> | null {
    const commit = this.#commit
    if (onCommitted === undefined) return commit
    if (commit !== null) return this.#follow(commit, onCommitted)
    onCommitted()
    return null
  }

  /** Keeps the newest commit; what fails to be committed throws the shard away. */
  #follow(commit: Promise<void>, onCommitted: (() => void) | undefined): Promise<void> {
    const generation = this.#generation
    const followed: Promise<void> = commit.then(
      () => {
        if (this.#commit === followed) this.#commit = null
        // A shard that was given up meanwhile has told those who were parked in it.
        if (generation === this.#generation) onCommitted?.()
      },
      (error) => {
        if (generation === this.#generation) this.#onWriteFailed(error)
        throw coordinatorError(error)
      },
    )
    this.#commit = followed
    // Nobody need be waiting for it.
    followed.catch(() => {})
    return followed
  }

  async #untilDeadline(commit: Promise<void>): Promise<void> {
    const { env, timeoutMs } = this.#options
    this.#waiting++
    try {
      await untilDeadline(env.clock, commit, { timeoutMs: timeoutMs(), what: this.name })
    } finally {
      this.#waiting--
    }
  }

  /** The log took none, or only the first, of the batches. Returns what the caller is told. */
  #onRefused<R>(
    { onRefused }: ShardResult<R>,
    { error, isPartial }: { error: unknown; isPartial: boolean },
  ): unknown {
    if (!(error instanceof KafkaError)) {
      this.#onWriteFailed(error)
      return error
    }
    const told = coordinatorError(error)
    if (onRefused === undefined || isPartial) this.#onWriteFailed(error)
    else onRefused(told)
    return told
  }

  #onWriteFailed(error: unknown): void {
    const { env } = this.#options
    const reason = error instanceof Error ? error.message : String(error)
    env.log.warn('shard thrown away', { partition: this.name, reason })
    this.#drop(coordinatorError(error))
    this.#startLater(null)
  }

  #onLoadFailed(error: unknown): void {
    const { env } = this.#options
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    env.log.error('shard not loaded', { partition: this.name, reason, retryMs: this.#retryMs })
    this.#drop(coordinatorError(error))
    const why = error instanceof Error ? error.message : String(error)
    this.#startLater(
      new KafkaError('COORDINATOR_NOT_AVAILABLE', `${this.name} cannot be read: ${why}`),
    )
  }

  #startLater(failure: KafkaError | null): void {
    const { env } = this.#options
    this.#failure = failure
    this.#retry?.cancel()
    this.#retry = env.clock.timer(
      this.#retryMs,
      () => {
        this.#failure = null
        this.start()
      },
      { unref: true },
    )
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax)
  }

  #drop(error: KafkaError): void {
    const shard = this.#shard
    this.#shard = null
    this.#generation++
    this.#commit = null
    shard?.close(error)
  }

  async #load(generation: number): Promise<void> {
    const { env, log, makeShard, loadBytes, whenMayLoad, loaded } = this.#options
    const isCurrent = () => generation === this.#generation
    await whenMayLoad()
    try {
      if (!isCurrent()) return
      const startedMs = env.clock.monotonicMs()
      const shard = makeShard(this.#context(generation))
      const records = await loadShard({ shard, log, maxBytes: loadBytes(), isCurrent })
      if (!isCurrent()) return
      this.#shard = shard
      this.#commit = null
      if (log.endOffset > log.startOffset)
        void this.#follow(log.whenCommitted(log.endOffset), undefined)
      shard.onLoaded()
      this.#retryMs = retryMsMin
      const tookMs = Math.round(env.clock.monotonicMs() - startedMs)
      env.log.debug('shard loaded', { partition: this.name, records, tookMs })
    } finally {
      loaded()
    }
  }

  #context(generation: number): ShardContext {
    const { env, partition, image } = this.#options
    return {
      env,
      partition,
      get image() {
        return image()
      },
      write: (operation) => {
        if (generation !== this.#generation) return
        this.write(operation).catch((error) => this.#onOwnWriteFailed(error))
      },
    }
  }

  /** Of a write that nobody asked for. */
  #onOwnWriteFailed(error: unknown): void {
    const { env, onFatal } = this.#options
    const partition = this.name
    if (error instanceof KafkaError) {
      return env.log.warn('shard write failed', { partition, reason: error.message })
    }
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    env.log.error('shard write failed', { partition, reason })
    if (error instanceof AssertionError) onFatal(error)
  }

  #unavailable(): KafkaError {
    if (this.#isClosed) {
      return new KafkaError('NOT_COORDINATOR', `${this.name} is not led by this broker any more`)
    }
    if (this.#failure !== null) return this.#failure
    return new KafkaError('COORDINATOR_LOAD_IN_PROGRESS', `${this.name} is being read`)
  }
}

function replayBatch(
  shard: Shard,
  { records }: BatchOfRecords,
  { baseOffset, nowMs }: { baseOffset: Offset; nowMs: number },
): void {
  for (const [index, record] of records.entries()) {
    shard.replay(record, { offset: baseOffset + index, timestampMs: nowMs, producerId: -1 })
  }
}
