/** A ShardLog in memory, whose commits and failures a test decides over. */

import { KafkaError } from '../../../lib/base/errors.ts'
import {
  batchAt,
  lastOffsetOf,
  patchOffsetAndEpoch,
  type RecordBatch,
} from '../../../lib/record/batch.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import type { ShardLog, ShardLogRead, ShardRecord } from '../../../lib/shard/shard.ts'

interface CommitWait {
  readonly endOffset: number
  resolve(): void
  reject(error: KafkaError): void
}

export class MemoryLog implements ShardLog {
  batchBytesMax = 1_000_000
  startOffset = 0
  endOffset = 0
  /** Commits at once what is appended. */
  commitsAtOnce = true
  /** What `append` throws. */
  refusal: KafkaError | null = null
  /** What `read` throws. */
  readFailure: Error | null = null
  /** When set, `read` waits for it. */
  gate: Promise<void> | null = null
  reads = 0
  /** Only what is committed can be read, as when the rest is on its way to the disk. */
  hidesUncommitted = false
  readonly batches: RecordBatch[] = []
  #highWatermark = 0
  #waits: CommitWait[] = []

  append(bytes: Uint8Array): number {
    if (this.refusal !== null) throw this.refusal
    const batch = batchAt(bytes)
    patchOffsetAndEpoch(batch, this.endOffset, 0)
    const kept = batchAt(Uint8Array.from(bytes))
    this.batches.push(kept)
    this.endOffset = lastOffsetOf(kept.header) + 1
    if (this.commitsAtOnce) this.commit()
    return this.endOffset
  }

  /** Appends a batch that no operation wrote. */
  put(records: readonly ShardRecord[], fields: Parameters<BatchBuilder['build']>[0] = {}): void {
    const builder = new BatchBuilder()
    for (const { key, value } of records) builder.append(1, key, value)
    this.append(builder.build(fields))
  }

  whenCommitted(endOffset: number): Promise<void> {
    if (this.#highWatermark >= endOffset) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waits.push({ endOffset, resolve, reject })
    })
  }

  /** Everything before `endOffset` is committed. */
  commit(endOffset = this.endOffset): void {
    this.#highWatermark = Math.max(endOffset, this.#highWatermark)
    const waits = this.#waits
    this.#waits = waits.filter((wait) => wait.endOffset > this.#highWatermark)
    for (const wait of waits) if (wait.endOffset <= this.#highWatermark) wait.resolve()
  }

  /** What is not committed is lost, and whoever waits for it is told. */
  crash(error = new KafkaError('KAFKA_STORAGE_ERROR', 'the disk failed')): void {
    while ((this.batches.at(-1)?.header.baseOffset ?? -1) >= this.#highWatermark) this.batches.pop()
    this.endOffset = this.#highWatermark
    for (const { reject } of this.#waits.splice(0)) reject(error)
  }

  async read(offset: number): Promise<ShardLogRead> {
    this.reads++
    await this.gate
    if (this.readFailure !== null) throw this.readFailure
    const isThere = !this.hidesUncommitted || offset < this.#highWatermark
    const batch = this.batches.find(({ header }) => isThere && lastOffsetOf(header) >= offset)
    const bytes = Uint8Array.from(batch?.chunks[0] ?? [])
    return {
      batches: batch === undefined ? [] : [batchAt(bytes)],
      // A reader that keeps what it was lent sees zeros.
      release: () => void bytes.fill(0),
    }
  }
}
