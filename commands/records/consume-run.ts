/**
 * One run of `consume`: batches from a consumer, through a writer, to standard output.
 *
 * Output goes out after each answer to a fetch, and earlier when much has gathered; always cut at
 * the end of a record, so a killed run leaves no half record behind. A slow reader slows the
 * writing, and with it, once the prefetch is full, the fetching.
 */

import type { Consumer } from '../../lib/client/consumer.ts'
import type { FetchedBatch } from '../../lib/client/fetched-batch.ts'
import type { RecordCursor } from '../../lib/record/record.ts'
import type { CommandContext } from '../command.ts'
import { ByteWriter } from './byte-writer.ts'
import type { OutputPlace, OutputRecord } from './output-record.ts'
import type { Printer } from './record-writers.ts'

export interface ConsumeRunOptions {
  readonly printer: Printer
  /** Records in all; Infinity without a limit. */
  readonly countMax: number
  /** Stop after so long without a record, in ms; Infinity = never. */
  readonly idleMs: number
}

/** Written out when so much has gathered, although more of the answer is to come. */
const flushBytes = 256 * 1024
/** Batches up to this size are written in one go. */
const stagedBytesMax = 2 * 1024 * 1024

export class ConsumeRun {
  readonly #context: CommandContext
  readonly #options: ConsumeRunOptions
  readonly #out = new ByteWriter(flushBytes + 64 * 1024)
  readonly #place: OutputPlace = {
    topic: '',
    partition: -1,
    timestampType: 'create',
    leaderEpoch: -1,
    producerId: -1,
    logStart: -1,
    logEnd: -1,
    count: 0,
  }

  constructor(context: CommandContext, options: ConsumeRunOptions) {
    this.#context = context
    this.#options = options
  }

  /** Records written. */
  get count(): number {
    return this.#place.count
  }

  get isOver(): boolean {
    const { signal, out } = this.#context
    return signal.aborted || out.isClosed || this.count >= this.#options.countMax
  }

  /** Writes what the consumer brings until it is finished, or the run is over. */
  async follow(consumer: Consumer): Promise<void> {
    const { clock } = this.#context.env
    const { idleMs } = this.#options
    let lastMs = clock.monotonicMs()
    while (!this.isOver) {
      const leftMs = idleMs - (clock.monotonicMs() - lastMs)
      if (leftMs <= 0) break
      const batches = await this.#next(consumer, leftMs)
      if (batches === null) break
      const before = this.count
      for (const batch of batches) {
        await this.writeBatch(batch)
        if (this.isOver) break
      }
      await this.flush()
      if (this.count > before) lastMs = clock.monotonicMs()
      if (batches.length === 0 && consumer.isFinished) break
    }
  }

  /** null when the run was interrupted. */
  async #next(consumer: Consumer, timeoutMs: number): Promise<FetchedBatch[] | null> {
    const { signal } = this.#context
    try {
      return await consumer.next({ timeoutMs, signal })
    } catch (error) {
      if (signal.aborted) return null
      // What was written before the failure is complete.
      await this.flush()
      throw error
    }
  }

  async writeBatch(batch: FetchedBatch): Promise<void> {
    this.setPlace(batch)
    const { printer, countMax } = this.#options
    const place = this.#place
    const out = this.#out
    const cursor = batch.cursor()
    if (printer.plainDelimiter !== -1 && cursor.bytes.length <= stagedBytesMax) {
      this.#writePlain(cursor, printer.plainDelimiter)
      if (out.size >= flushBytes) await this.flush()
      return
    }
    while (place.count < countMax && cursor.next()) {
      printer.write(out, cursor, place)
      place.count++
      if (out.size >= flushBytes) {
        await this.flush()
        if (this.isOver) return
      }
    }
  }

  /**
   * The hot path of `consume | ...`: values and a delimiter. A record takes at least seven bytes
   * beside its value, so what is written never overtakes what is read. Measured in test/bench/pipes.ts.
   */
  #writePlain(cursor: RecordCursor, delimiter: number): void {
    const out = this.#out
    const { countMax } = this.#options
    let { count } = this.#place
    const base = out.stage(cursor.bytes)
    while (count < countMax && cursor.next()) {
      const start = base + cursor.valuePosition
      out.moveDown(start, start + (cursor.valueSize > 0 ? cursor.valueSize : 0), delimiter)
      count++
    }
    this.#place.count = count
  }

  /** Writes a record that was kept. */
  async writeRecord(record: OutputRecord): Promise<void> {
    this.#options.printer.write(this.#out, record, this.#place)
    this.#place.count++
    if (this.#out.size >= flushBytes) await this.flush()
  }

  setPlace(batch: FetchedBatch): void {
    const place = this.#place
    place.topic = batch.topic
    place.partition = batch.partition
    place.timestampType = batch.timestampType === 'CreateTime' ? 'create' : 'append'
    place.leaderEpoch = batch.leaderEpoch
    place.producerId = batch.producerId
    place.logStart = batch.log.logStartOffset
    place.logEnd = batch.log.highWatermark
  }

  async flush(): Promise<void> {
    if (this.#out.size > 0) await this.#context.out.write([this.#out.take()])
  }
}
