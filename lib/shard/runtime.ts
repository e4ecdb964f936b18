/**
 * ShardRuntime: the shards of one coordinator on this broker. It reads them in from their logs, runs
 * operations on them, and gives them up.
 *
 * - An operation is synchronous; its records are appended in the same turn, and replayed as soon as
 *   the log has given them offsets. So operations of a shard happen one after the other.
 * - Whoever asked is answered when all that the operation could see is committed, reads included:
 *   nothing is told that a crash could take back. Each caller has a deadline; a write that misses it
 *   may still be committed.
 * - A shard is loading, active or failed. A failed write throws it away, and it is read again, after
 *   growing pauses, for as long as this broker leads its partition.
 * Source: apache/kafka: coordinator-common/.../runtime/CoordinatorRuntime.java.
 */

import { KafkaError } from '../base/errors.ts'
import type { LeaderEpoch } from '../base/types.ts'
import type { Env } from '../io/env.ts'
import type { ClusterImage } from '../metadata/image.ts'
import type { Shard, ShardContext, ShardLog, ShardResult } from './shard.ts'
import { ShardSlot } from './shard-slot.ts'

export interface ShardRuntimeOptions<S extends Shard> {
  readonly env: Env
  /** Of the coordinator's topic, for errors and the log. */
  readonly name: string
  readonly image: ClusterImage
  readonly makeShard: (context: ShardContext) => S
  /** How much of a log is read at a time. */
  readonly loadBytes: () => number
  /** How long a caller waits until what it was told is committed. */
  readonly timeoutMs: () => number
  /** A mistake of ours, in an operation that nobody asked for. */
  readonly onFatal: (error: Error) => void
}

/** Shards that are read in at the same time. */
const loadsAtOnce = 4

export class ShardRuntime<S extends Shard> {
  readonly #options: ShardRuntimeOptions<S>
  readonly #slots = new Map<number, ShardSlot<S>>()
  #image: ClusterImage
  #loads = 0
  readonly #waitingLoads: (() => void)[] = []

  constructor(options: ShardRuntimeOptions<S>) {
    this.#options = options
    this.#image = options.image
  }

  /** The newest picture of the cluster. */
  get image(): ClusterImage {
    return this.#image
  }

  /** This broker leads the partition in that epoch: its shard is read in. */
  lead(partition: number, leaderEpoch: LeaderEpoch, log: ShardLog): void {
    const known = this.#slots.get(partition)
    if (known !== undefined && known.leaderEpoch >= leaderEpoch) return
    this.resign(partition)
    const slot = new ShardSlot<S>({
      ...this.#options,
      name: `${this.#options.name}-${partition}`,
      partition,
      leaderEpoch,
      log,
      image: () => this.#image,
      whenMayLoad: () => this.#whenMayLoad(),
      loaded: () => this.#loaded(),
    })
    this.#slots.set(partition, slot)
    slot.start()
  }

  /** This broker does not lead the partition any more, or it is gone. */
  resign(partition: number): void {
    const slot = this.#slots.get(partition)
    this.#slots.delete(partition)
    slot?.close(
      new KafkaError('NOT_COORDINATOR', `${slot.name} is not led by this broker any more`),
    )
  }

  /** The partitions that this broker leads, as `lead` was told. */
  partitions(): number[] {
    return [...this.#slots.keys()]
  }

  /** The shards that are read in. */
  *shards(): Iterable<S> {
    for (const { shard } of this.#slots.values()) if (shard !== null) yield shard
  }

  /** Throws why `shards` are not all: one is being read in (COORDINATOR_LOAD_IN_PROGRESS), or cannot be. */
  checkComplete(): void {
    for (const { unavailable } of this.#slots.values()) if (unavailable !== null) throw unavailable
  }

  /**
   * Runs `operation`, appends its records, and answers with its response when they are committed.
   * NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE.
   */
  write<R>(partition: number, operation: (shard: S) => ShardResult<R>): Promise<R> {
    return this.#slot(partition).write(operation)
  }

  /** Runs `operation`, which changes nothing, and answers when what it saw is committed. */
  read<R>(partition: number, operation: (shard: S) => R): Promise<R> {
    return this.#slot(partition).write((shard) => ({ records: [], response: operation(shard) }))
  }

  onImage(image: ClusterImage): void {
    this.#image = image
    for (const slot of this.#slots.values()) slot.onImage(image)
  }

  /** Gives all shards up: whoever is parked gets NOT_COORDINATOR. */
  close(): void {
    for (const partition of this.partitions()) this.resign(partition)
  }

  #slot(partition: number): ShardSlot<S> {
    const slot = this.#slots.get(partition)
    if (slot !== undefined) return slot
    const { name } = this.#options
    throw new KafkaError('NOT_COORDINATOR', `${name}-${partition} is not led by this broker`)
  }

  /** Resolves when it is this shard's turn to load; `#loaded` ends the turn. */
  async #whenMayLoad(): Promise<void> {
    if (this.#loads < loadsAtOnce) {
      this.#loads++
      return
    }
    await new Promise<void>((resolve) => this.#waitingLoads.push(resolve))
  }

  #loaded(): void {
    const next = this.#waitingLoads.shift()
    if (next === undefined) this.#loads--
    else next()
  }
}
