/** A log that is compacted, on the memory disk: the model of what must be left of its records. */

import { joinChunks } from '../../../lib/base/bytes.ts'
import type { MemoryEnv } from '../../../lib/io/memory/env.ts'
import { MemoryThreads } from '../../../lib/io/memory/threads.ts'
import {
  type BatchHeader,
  batchAt,
  type RecordBatch,
  splitBatches,
} from '../../../lib/record/batch.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import type { Codec } from '../../../lib/record/compression.ts'
import { readRecords } from '../../../lib/record/record.ts'
import { cleanForOthers } from '../../../lib/storage/cleaner/cleaner-thread.ts'
import { type CleanerConfig, LogCleaner } from '../../../lib/storage/cleaner/log-cleaner.ts'
import type { LogConfig } from '../../../lib/storage/log-config.ts'
import { Scenario } from './scenario.ts'

export const cleanerConfig: CleanerConfig = {
  'log.cleaner.enable': true,
  'log.cleaner.threads': 0,
  'log.cleaner.backoff.ms': 15_000,
  'log.cleaner.dedupe.buffer.size': 1024 * 1024,
  'log.cleaner.io.buffer.load.factor': 0.9,
  'log.cleaner.io.buffer.size': 64 * 1024,
  'log.cleaner.io.max.bytes.per.second': Number.MAX_VALUE,
}

/** A record as it was appended, or read back. */
export interface Row {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
}

export interface RowsToAppend {
  readonly rows: readonly [key: string | null, value: string | null][]
  readonly codec?: Codec
  readonly producerId?: number
  readonly baseSequence?: number
  readonly timestamp?: number
}

export class CleaningScenario extends Scenario {
  readonly appended: Row[] = []
  cleanerConfig: CleanerConfig = cleanerConfig
  #cleaner: LogCleaner | null = null
  /** When a cleaning first covered the tombstone at an offset. */
  readonly #tombstoneSeenMs = new Map<number, number>()

  /** `isThreaded`: the cleaner works as in a thread of its own. */
  constructor(config: Partial<LogConfig> = {}, env?: MemoryEnv, { isThreaded = false } = {}) {
    super(
      {
        'cleanup.policy': ['compact'],
        'internal.segment.bytes': 1000,
        'min.cleanable.dirty.ratio': 0,
        ...config,
      },
      env,
    )
    const tasks = { 'clean-log': cleanForOthers }
    if (isThreaded) this.env.disk.threads = new MemoryThreads(() => this.env, tasks)
  }

  get cleaner(): LogCleaner {
    if (this.#cleaner === null) throw new Error('the cleaner is not started')
    return this.#cleaner
  }

  override async open(): Promise<this> {
    await super.open()
    this.#cleaner = await LogCleaner.start(this.dir, this.cleanerConfig)
    return this
  }

  override async close(): Promise<void> {
    await this.#cleaner?.close()
    await super.close()
  }

  /** Appends one batch. */
  async put({ rows, codec = 'none', timestamp, ...producer }: RowsToAppend): Promise<void> {
    const builder = new BatchBuilder({ codec })
    const at = timestamp ?? this.env.clock.nowMs()
    for (const [key, value] of rows) {
      builder.append(
        at,
        key === null ? null : Buffer.from(key),
        value === null ? null : Buffer.from(value),
      )
    }
    const fields =
      producer.producerId === undefined
        ? {}
        : {
            producerId: producer.producerId,
            producerEpoch: 0,
            baseSequence: producer.baseSequence ?? 0,
          }
    const info = this.log.append(batchAt(builder.build(fields)), { leaderEpoch: 0 })
    for (const [index, [key, value]] of rows.entries()) {
      this.appended.push({ offset: info.baseOffset + index, key, value, timestamp: at })
    }
    await info.written
    await this.log.sync()
  }

  /** Cleans until nothing is due. Gives the number of cleanings. */
  async clean(): Promise<number> {
    let count = 0
    while (await this.cleaner.cleanDirtiest()) count++
    const { cleanedOffset } = this
    const nowMs = this.env.clock.nowMs()
    for (const { offset, value } of this.appended) {
      if (value !== null || offset >= cleanedOffset) continue
      if (!this.#tombstoneSeenMs.has(offset)) this.#tombstoneSeenMs.set(offset, nowMs)
    }
    return count
  }

  get cleanedOffset(): number {
    return this.cleaner.cleanedOffsetOf(this.log) ?? 0
  }

  async batches(): Promise<BatchHeader[]> {
    const headers: BatchHeader[] = []
    for await (const { header } of this.#stored()) headers.push(header)
    return headers
  }

  async rows(): Promise<Row[]> {
    const rows: Row[] = []
    for await (const batch of this.#stored()) {
      for (const record of readRecords(batch, { maxBytes: 10_000_000 })) {
        rows.push({
          offset: record.offset,
          key: record.key && Buffer.from(record.key).toString(),
          value: record.value && Buffer.from(record.value).toString(),
          timestamp: Number(record.timestamp),
        })
      }
    }
    return rows
  }

  /** The batches of the log, as a reader gets them. */
  async *#stored(): AsyncGenerator<RecordBatch> {
    for (let offset = this.log.logStartOffset; offset < this.log.writtenEndOffset; ) {
      const read = await this.log.read(offset, {
        maxBytes: 1_000_000,
        minOneBatch: true,
        endOffset: this.log.writtenEndOffset,
      })
      const found = splitBatches([Buffer.from(joinChunks(read.records))])
      read.release()
      const last = found.at(-1)
      if (last === undefined) break
      yield* found
      offset = last.header.baseOffset + last.header.lastOffsetDelta + 1
    }
  }

  /**
   * Throws unless what is in the log may be left of what was appended. `isUnderWay`: a cleaning has
   * begun and not ended well, so that more may be clean than is noted.
   */
  async check({ isUnderWay = false } = {}): Promise<void> {
    const { cleanedOffset } = this
    const cleanMax = isUnderWay ? Number.POSITIVE_INFINITY : cleanedOffset
    const appended = [...this.appended]
    const rows = (await this.rows()).filter(
      ({ offset }) => offset <= (appended.at(-1)?.offset ?? -1),
    )
    const byOffset = new Map(appended.map((row) => [row.offset, row]))
    const left = new Set<number>()
    let before = -1
    for (const row of rows) {
      if (row.offset <= before) throw new Error(`offset ${row.offset} after ${before}`)
      before = row.offset
      left.add(row.offset)
      const original = byOffset.get(row.offset)
      if (JSON.stringify(original) !== JSON.stringify(row)) {
        throw new Error(`appended ${JSON.stringify(original)}, read ${JSON.stringify(row)}`)
      }
    }
    const lastOf = new Map<string | null, Row>()
    const lastClean = new Map<string | null, Row>()
    for (const row of appended) {
      lastOf.set(row.key, row)
      if (row.offset < cleanedOffset) lastClean.set(row.key, row)
      else if (row.offset < cleanMax) continue
      else if (!left.has(row.offset)) throw new Error(`offset ${row.offset} is lost, not yet clean`)
    }
    this.#checkKeys(rows, { lastOf, left })
    for (const { offset, key } of rows) {
      const newest = lastClean.get(key)?.offset ?? -1
      if (offset < newest) throw new Error(`offset ${offset} of key ${key}: ${newest} is newer`)
    }
  }

  #checkKeys(
    rows: readonly Row[],
    { lastOf, left }: { lastOf: Map<string | null, Row>; left: Set<number> },
  ): void {
    for (const [key, last] of lastOf) {
      if (left.has(last.offset)) continue
      if (last.value !== null) throw new Error(`the last value of ${key} is lost`)
      if (rows.some((row) => row.key === key)) throw new Error(`${key} came back from the dead`)
      const seenMs = this.#tombstoneSeenMs.get(last.offset) ?? Number.POSITIVE_INFINITY
      if (this.env.clock.nowMs() < seenMs + this.config['delete.retention.ms']) {
        throw new Error(`the tombstone of ${key} at ${last.offset} went too early`)
      }
    }
  }
}
