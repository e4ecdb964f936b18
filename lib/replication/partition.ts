/**
 * One partition on this broker: a Log with a leader, an in-sync set and a high watermark.
 *
 * - Only the leader appends and answers clients; requests carry the epoch they believe in and are
 *   fenced by it (KIP-320).
 * - The high watermark is the least durable end over the in-sync set, never moves back while the
 *   leader stays, and is what consumers see. Our own durable end is the synced one with
 *   ottla.durability=fsync, and the written one with `replicated` (Kafka's page-cache rule).
 * - Offsets are given out before anything is written: whoever waits looks at `highWatermark` again.
 * Source: apache/kafka: core/.../cluster/Partition.scala.
 */

import { assert } from '../base/assert.ts'
import { type ErrorName, KafkaError } from '../base/errors.ts'
import { planted } from '../base/planted.ts'
import {
  type BrokerId,
  type LeaderEpoch,
  type Offset,
  type TopicId,
  type TopicPartition,
  topicPartitionName,
} from '../base/types.ts'
import { isTransactional, type RecordBatch } from '../record/batch.ts'
import type { AppendInfo, Log, LogPosition, LogRead } from '../storage/log.ts'

/** What the metadata says about a partition, as far as it matters here. */
export interface PartitionState {
  readonly leader: BrokerId
  readonly leaderEpoch: LeaderEpoch
  readonly isr: readonly BrokerId[]
  readonly replicas: readonly BrokerId[]
  /** In-sync replicas that acks=all needs, never more than there are replicas. */
  readonly minIsr: number
}

/** The settings of its topic that a partition itself looks at. */
export interface PartitionConfig {
  readonly 'cleanup.policy': readonly string[]
  readonly 'ottla.durability': string
}

export interface FoundOffset {
  readonly offset: Offset
  readonly timestamp: number
  readonly leaderEpoch: LeaderEpoch
}

export interface PartitionOptions {
  readonly log: Log
  readonly topicId: TopicId
  readonly brokerId: BrokerId
  readonly config: PartitionConfig
  /** As last checkpointed. */
  readonly highWatermark: Offset
  /** The high watermark moved, or leadership changed: whoever waits is to look again. */
  readonly onChange: (partition: Partition) => void
}

const noState: PartitionState = {
  leader: -1,
  leaderEpoch: -1,
  isr: [],
  replicas: [],
  minIsr: 1,
}

export class Partition {
  readonly topicPartition: TopicPartition
  readonly topicId: TopicId
  readonly log: Log
  config: PartitionConfig
  readonly #brokerId: BrokerId
  readonly #onChange: (partition: Partition) => void
  #state = noState
  #highWatermark: Offset
  /** Where the log ended when this leader began: until the high watermark is there, "latest" is unknown (KIP-207). */
  #epochStartOffset: Offset = 0
  #failure: Error | null = null
  #isRemoved = false

  constructor(options: PartitionOptions) {
    const { log, highWatermark } = options
    this.log = log
    this.topicPartition = log.topicPartition
    this.topicId = options.topicId
    this.config = options.config
    this.#brokerId = options.brokerId
    this.#onChange = options.onChange
    this.#highWatermark = clamp(highWatermark, log.logStartOffset, log.logEndOffset)
    log.onProgress = () => this.#advanceHighWatermark()
  }

  get name(): string {
    return topicPartitionName(this.topicPartition)
  }

  get state(): PartitionState {
    return this.#state
  }

  get leaderEpoch(): LeaderEpoch {
    return this.#state.leaderEpoch
  }

  get isLeader(): boolean {
    return !this.#isRemoved && this.#state.leader === this.#brokerId
  }

  /** Whether it leads and its disk works: otherwise nobody need wait for it. */
  get isServing(): boolean {
    return this.isLeader && this.#failure === null && this.log.failure === null
  }

  /** The end of what consumers see. */
  get highWatermark(): Offset {
    return this.#highWatermark
  }

  /** The end of what read_committed consumers see; without transactions the same. */
  get lastStableOffset(): Offset {
    return this.#highWatermark
  }

  /** Follows the metadata. A new epoch that we lead begins at the end of our log. */
  apply(state: PartitionState): void {
    const previous = this.#state
    if (state.leaderEpoch < previous.leaderEpoch) return
    this.#state = state
    const begins = state.leaderEpoch !== previous.leaderEpoch || state.leader !== previous.leader
    if (begins && this.isLeader) {
      this.#epochStartOffset = this.log.logEndOffset
      this.log.leaderEpochs.assign(state.leaderEpoch, this.log.logEndOffset)
    }
    this.#advanceHighWatermark()
    if (begins) this.#onChange(this)
  }

  /** The topic or this replica is gone; every further call is refused. */
  markRemoved(): void {
    this.#isRemoved = true
    this.#onChange(this)
  }

  /** The disk under the log failed: it takes no more, and answers KAFKA_STORAGE_ERROR. */
  markFailed(error: Error): void {
    this.#failure ??= error
    this.#onChange(this)
  }

  /**
   * Refuses what this broker may not answer: KAFKA_STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER, and, when
   * the client names an epoch (not -1), FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
   */
  checkLeader(currentLeaderEpoch: LeaderEpoch = -1): void {
    const failure = this.#failure ?? this.log.failure
    if (failure !== null) {
      throw new KafkaError('KAFKA_STORAGE_ERROR', `${this.name}: ${failure.message}`)
    }
    const { leaderEpoch } = this.#state
    if (this.#isRemoved) this.#refuse('NOT_LEADER_OR_FOLLOWER', 'is not on this broker any more')
    if (currentLeaderEpoch >= 0 && currentLeaderEpoch < leaderEpoch) {
      this.#refuse('FENCED_LEADER_EPOCH', `is at epoch ${leaderEpoch}, not ${currentLeaderEpoch}`)
    }
    if (currentLeaderEpoch > leaderEpoch) {
      this.#refuse('UNKNOWN_LEADER_EPOCH', `is at epoch ${leaderEpoch}, not ${currentLeaderEpoch}`)
    }
    if (!this.isLeader) {
      this.#refuse('NOT_LEADER_OR_FOLLOWER', `is led by broker ${this.#state.leader}`)
    }
  }

  /**
   * Appends one batch; offsets are assigned when it returns. Throws what checkLeader and Log.append
   * throw, NOT_ENOUGH_REPLICAS with acks=-1, INVALID_TXN_STATE for a transactional batch.
   */
  appendAsLeader(batch: RecordBatch, { acks }: { acks: number }): AppendInfo {
    this.checkLeader()
    const { isr, minIsr, leaderEpoch } = this.#state
    if (acks === -1 && isr.length < minIsr) {
      this.#refuse('NOT_ENOUGH_REPLICAS', `has ${isr.length} in-sync replicas, ${minIsr} needed`)
    }
    if (isTransactional(batch.header.attributes)) {
      this.#refuse('INVALID_TXN_STATE', 'takes no transactional records on this broker')
    }
    return this.log.append(batch, { leaderEpoch })
  }

  /** INVALID_RECORD when the topic's schemas refuse one of them. */
  checkRecords(batches: readonly RecordBatch[]): void {
    for (const batch of batches) this.log.recordCheck?.(batch, this.name)
  }

  /** Where a reader's visible records end. */
  visibleEnd(isReadCommitted: boolean): Offset {
    if (planted.readBeyondHighWatermark) return this.log.logEndOffset
    return isReadCommitted ? this.lastStableOffset : this.#highWatermark
  }

  /** Throws OFFSET_OUT_OF_RANGE unless the log reaches from below or at `offset` to it. */
  checkOffset(offset: Offset): void {
    const { logStartOffset, logEndOffset } = this.log
    if (offset >= logStartOffset && offset <= logEndOffset) return
    this.#refuse(
      'OFFSET_OUT_OF_RANGE',
      `reaches from ${logStartOffset} to ${logEndOffset}; ${offset} was asked for`,
    )
  }

  /** Whole batches from `offset` on, up to what the reader may see. */
  read(
    offset: Offset,
    {
      maxBytes,
      minOneBatch,
      endOffset,
    }: { maxBytes: number; minOneBatch: boolean; endOffset: Offset },
  ): Promise<LogRead> {
    return this.log.read(offset, { maxBytes, minOneBatch, endOffset })
  }

  /** Visible bytes after `position`; Infinity when it lies on an older segment. */
  bytesAfter(position: LogPosition): number {
    const followsSync = this.config['ottla.durability'] === 'fsync'
    return this.log.bytesAfter(position, followsSync ? 'synced' : 'written')
  }

  /**
   * The largest epoch not above `epoch` and where it ends; null when that is unknown: a newer epoch,
   * or one from before the log.
   */
  endOfEpoch(epoch: LeaderEpoch): { leaderEpoch: LeaderEpoch; endOffset: Offset } | null {
    if (epoch === this.#state.leaderEpoch) {
      return { leaderEpoch: epoch, endOffset: this.log.logEndOffset }
    }
    const found = this.log.endOffsetForEpoch(epoch)
    return found.leaderEpoch === -1 || found.endOffset === -1 ? null : found
  }

  /**
   * The newest offset a consumer may be told. OFFSET_NOT_AVAILABLE while a new leader's high
   * watermark is behind its epoch's start, so that "latest" never goes back (KIP-207).
   */
  latestOffset(isReadCommitted: boolean): Offset {
    if (this.#highWatermark < this.#epochStartOffset) {
      this.#refuse('OFFSET_NOT_AVAILABLE', 'has a new leader that is not caught up')
    }
    return this.visibleEnd(isReadCommitted)
  }

  /** Epoch of the first record; -1 when unknown. */
  get earliestEpoch(): LeaderEpoch {
    const [first] = this.log.leaderEpochs.entries
    if (first === undefined || first.startOffset > this.log.logStartOffset) return -1
    return first.epoch
  }

  /**
   * Forgets the records before `offset` (-1: all that consumers see); resolves with the new start.
   * OFFSET_OUT_OF_RANGE beyond the high watermark, POLICY_VIOLATION for a topic that is not deleted from.
   */
  async deleteRecords(offset: Offset): Promise<Offset> {
    this.checkLeader()
    if (!this.config['cleanup.policy'].includes('delete')) {
      this.#refuse(
        'POLICY_VIOLATION',
        `has cleanup.policy=${this.config['cleanup.policy'].join(',')}`,
      )
    }
    const start = offset === -1 ? this.#highWatermark : offset
    if (start < 0 || start > this.#highWatermark) {
      this.#refuse('OFFSET_OUT_OF_RANGE', `ends at ${this.#highWatermark}; ${offset} was asked for`)
    }
    const before = this.log.logStartOffset
    await this.log.advanceLogStart(start)
    if (start > before) this.#onChange(this)
    return this.log.logStartOffset
  }

  #advanceHighWatermark(): void {
    const { log } = this
    const { isr } = this.#state
    if (!this.isLeader || isr.some((id) => id !== this.#brokerId)) return
    const followsSync = this.config['ottla.durability'] === 'fsync'
    const end = followsSync ? log.syncedEndOffset : log.writtenEndOffset
    assert(end <= log.logEndOffset, `${this.name}: durable end ${end} beyond ${log.logEndOffset}`)
    if (end <= this.#highWatermark) return
    this.#highWatermark = end
    this.#onChange(this)
  }

  #refuse(name: ErrorName, what: string): never {
    throw new KafkaError(name, `${this.name} ${what}`)
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max)
}
