/** Builders for storage tests: batches, and a log dir on the memory disk that can crash and reopen. */

import { joinChunks } from '../../../lib/base/bytes.ts'
import { randomUuid } from '../../../lib/base/uuid.ts'
import type { MemoryEnv } from '../../../lib/io/memory/env.ts'
import { memoryEnv } from '../../../lib/io/memory/env.ts'
import { batchAt, type RecordBatch, splitBatches } from '../../../lib/record/batch.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import type { Codec } from '../../../lib/record/compression.ts'
import { type Record, readRecords } from '../../../lib/record/record.ts'
import type { Log } from '../../../lib/storage/log.ts'
import { type LogConfig, logConfigWith } from '../../../lib/storage/log-config.ts'
import { LogDir } from '../../../lib/storage/log-dir.ts'

export interface BatchOptions {
  /** Texts of the values; their number is the number of records. */
  values?: string[]
  keys?: (string | null)[]
  codec?: Codec
  timestamp?: number
  timestamps?: number[]
  producerId?: number
  producerEpoch?: number
  baseSequence?: number
}

/** A batch as a client sends it. */
export function batchOf(options: BatchOptions = {}): RecordBatch {
  const { values = ['v'], codec = 'none', timestamp = -1, timestamps, keys } = options
  const builder = new BatchBuilder({ codec })
  values.forEach((value, index) => {
    const key = keys?.[index] ?? null
    builder.append(
      timestamps?.[index] ?? timestamp,
      key === null ? null : Buffer.from(key),
      Buffer.from(value),
    )
  })
  const { producerId, producerEpoch = 0, baseSequence = 0 } = options
  return batchAt(
    builder.build(producerId === undefined ? {} : { producerId, producerEpoch, baseSequence }),
  )
}

export const topicPartition = { topic: 'events', partition: 0 }

/** A log dir with one log, on a memory disk that tracks what is durable. */
export class Scenario {
  readonly env: MemoryEnv
  config: LogConfig
  path = '/data'
  highWatermark: number | null = null
  #dir: LogDir | null = null
  #log: Log | null = null

  constructor(config: Partial<LogConfig> = {}, env: MemoryEnv = memoryEnv()) {
    this.env = env
    this.config = logConfigWith(config)
  }

  get dir(): LogDir {
    if (this.#dir === null) throw new Error('the log dir is not open')
    return this.#dir
  }

  get log(): Log {
    if (this.#log === null) throw new Error('the log is not open')
    return this.#log
  }

  /** Opens the log dir, loading its log or making it. */
  async open(): Promise<this> {
    this.#dir = await LogDir.open({
      env: this.env,
      path: this.path,
      nodeId: 1,
      config: {
        'log.retention.check.interval.ms': 300_000,
        'ottla.disk.floor.bytes': 0,
        'producer.id.expiration.ms': 86_400_000,
      },
    })
    this.#dir.highWatermarks = () => [
      [topicPartition, this.highWatermark ?? this.log.writtenEndOffset],
    ]
    await this.#dir.loadLogs(() => this.config)
    const id = randomUuid((count) => this.env.random.bytes(count))
    this.#log =
      this.#dir.logOf(topicPartition) ?? (await this.#dir.create(topicPartition, id, this.config))
    return this
  }

  async close(): Promise<void> {
    await this.dir.close()
    this.#dir = null
    this.#log = null
  }

  async reopen(): Promise<this> {
    await this.close()
    return this.open()
  }

  /** Power cut, then start. */
  async crash(keep?: Parameters<MemoryEnv['disk']['crash']>[0]): Promise<this> {
    this.env.disk.crash(keep)
    return this.open()
  }

  /** Appends and waits until it is written and, with durability fsync, synced. */
  async append(options: BatchOptions = {}, leaderEpoch = 0) {
    const info = this.log.append(batchOf(options), { leaderEpoch })
    await info.written
    if (this.config['ottla.durability'] === 'fsync') await this.log.sync()
    return info
  }

  /** Every record from `from` on, read batch by batch as a consumer would. */
  async readAll(from = this.log.logStartOffset, maxBytes = 1_000_000): Promise<Record[]> {
    const records: Record[] = []
    let offset = from
    while (offset < this.log.writtenEndOffset) {
      const read = await this.log.read(offset, {
        maxBytes,
        minOneBatch: true,
        endOffset: this.log.writtenEndOffset,
      })
      const found = splitBatches([Buffer.from(joinChunks(read.records))]).flatMap((batch) =>
        readRecords(batch, { maxBytes: 10_000_000 }),
      )
      read.release()
      const last = found.at(-1)
      if (last === undefined || last.offset < offset) break
      records.push(...found.filter((record) => record.offset >= offset))
      offset = last.offset + 1
    }
    return records
  }

  /** `offset:value` of every record. */
  async texts(from?: number): Promise<string[]> {
    return (await this.readAll(from)).map(
      ({ offset, value }) => `${offset}:${value === null ? '' : Buffer.from(value).toString()}`,
    )
  }
}
