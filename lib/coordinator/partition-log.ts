/** The log under a shard: a partition that this broker leads. */

import { KafkaError } from '../base/errors.ts'
import type { LeaderEpoch, Offset } from '../base/types.ts'
import { batchAt, splitBatches } from '../record/batch.ts'
import type { Partition } from '../replication/partition.ts'
import type { ShardLog, ShardLogRead } from '../shard/shard.ts'
import { segmentBytesOf } from '../storage/log-config.ts'

interface CommitWait {
  readonly endOffset: Offset
  resolve(): void
  reject(error: KafkaError): void
}

export class PartitionLog implements ShardLog {
  readonly #partition: Partition
  readonly leaderEpoch: LeaderEpoch
  /** By ascending offset. */
  #waits: CommitWait[] = []

  constructor(partition: Partition) {
    this.#partition = partition
    this.leaderEpoch = partition.leaderEpoch
  }

  get batchBytesMax(): number {
    const { config } = this.#partition.log
    return Math.min(config['max.message.bytes'], segmentBytesOf(config))
  }

  get startOffset(): Offset {
    return this.#partition.log.logStartOffset
  }

  get endOffset(): Offset {
    return this.#partition.log.logEndOffset
  }

  append(batch: Uint8Array): Offset {
    const { written, lastOffset } = this.#partition.appendAsLeader(batchAt(batch), { acks: -1 })
    // The commit tells of a failed write, too.
    written.catch(() => this.update())
    return lastOffset + 1
  }

  async whenCommitted(endOffset: Offset): Promise<void> {
    if (this.#partition.highWatermark >= endOffset) return
    await new Promise<void>((resolve, reject) => {
      this.#waits.push({ endOffset, resolve, reject })
      this.update()
    })
  }

  async read(offset: Offset, { maxBytes }: { readonly maxBytes: number }): Promise<ShardLogRead> {
    const { records, release } = await this.#partition.read(offset, {
      maxBytes,
      minOneBatch: true,
      endOffset: this.endOffset,
    })
    return { batches: splitBatches(records), release }
  }

  /** The partition changed: answers those whose records are committed, or never will be. */
  update(): void {
    const { highWatermark, isServing, leaderEpoch, name, log } = this.#partition
    const isOver = !isServing || leaderEpoch !== this.leaderEpoch
    // What a full disk did not take is cut away before it takes more.
    const lostFrom = isOver ? 0 : log.isFull ? log.writtenEndOffset : Number.POSITIVE_INFINITY
    const waits = this.#waits
    const done = waits.filter(({ endOffset }) => endOffset <= highWatermark)
    const lost = waits.slice(done.length).filter(({ endOffset }) => endOffset > lostFrom)
    this.#waits = waits.slice(done.length, waits.length - lost.length)
    for (const { resolve } of done) resolve()
    if (lost.length === 0) return
    const error = isOver
      ? new KafkaError('NOT_LEADER_OR_FOLLOWER', `${name} is not led or not written any more`)
      : new KafkaError('KAFKA_STORAGE_ERROR', `${name}: the disk did not take it`)
    for (const { reject } of lost) reject(error)
  }
}
