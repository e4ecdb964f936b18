/**
 * One run of `consume`: batches from a consumer, through a writer, to standard output.
 *
 * Output goes out after each answer to a fetch, and earlier when much has gathered; always cut at
 * the end of a record, so a killed run leaves no half record behind. A slow reader slows the
 * writing, and with it, once the prefetch is full, the fetching. How far each partition was taken by
 * standard output is told to the source: a group commits no more than that.
 */

import { DecodeError } from '../../lib/base/errors.ts'
import type { Offset } from '../../lib/base/types.ts'
import type { FetchedBatch } from '../../lib/client/fetched-batch.ts'
import type { RecordCursor } from '../../lib/record/record.ts'
import { type CommandContext, CommandError, exitCodes } from '../command.ts'
import { ByteWriter } from './byte-writer.ts'
import type { OutputPlace, OutputRecord } from './output-record.ts'
import type { Printer } from './record-writers.ts'

/** Where batches come from: a Consumer or a GroupConsumer. */
export interface RecordSource {
  readonly isFinished: boolean
  /** Whether `idleMs` counts by now; a source without it has always begun. */
  readonly wasAssigned?: boolean
  next(options: { timeoutMs: number; signal: AbortSignal }): Promise<FetchedBatch[]>
  /** Of what `next` gave last only so much was written. */
  processedOnly?(offsets: readonly WrittenOffset[]): void
}

/** All records of the partition before this offset, of those that were handed out. */
export interface WrittenOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: Offset
}

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

  /** Of this round: what is in `out` or further, and what standard output has taken. */
  readonly #written = new Map<string, WrittenOffset>()
  #accepted: readonly WrittenOffset[] = []

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

  /** Writes what the source brings until it is finished, or the run is over. */
  async follow(source: RecordSource): Promise<void> {
    const { clock } = this.#context.env
    const { idleMs } = this.#options
    let lastMs = clock.monotonicMs()
    while (!this.isOver) {
      if (source.wasAssigned === false) lastMs = clock.monotonicMs()
      const leftMs = idleMs - (clock.monotonicMs() - lastMs)
      if (leftMs <= 0) break
      const batches = await this.#next(source, leftMs)
      if (batches === null) break
      const before = this.count
      await this.#writeRound(source, batches)
      if (this.count > before) lastMs = clock.monotonicMs()
      if (batches.length === 0 && source.isFinished) break
    }
  }

  /** Writes what one call of `next` gave, or as much as goes. */
  async #writeRound(source: RecordSource, batches: readonly FetchedBatch[]): Promise<void> {
    let isComplete = false
    this.#written.clear()
    this.#accepted = []
    try {
      let left = batches.length
      for (const batch of batches) {
        const isWhole = await this.#readable(batch)
        if (isWhole) left--
        if (this.isOver) break
      }
      await this.flush()
      isComplete = left === 0 && !this.#context.out.isClosed
    } finally {
      if (!isComplete) source.processedOnly?.(this.#accepted)
    }
  }

  /** A batch whose records are bad inside: any producer may store one. What came before it is written. */
  async #readable(batch: FetchedBatch): Promise<boolean> {
    try {
      return await this.writeBatch(batch)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      await this.flush()
      const { topic, partition, firstOffset, nextOffset } = batch
      throw new CommandError(
        exitCodes.invalidData,
        `${topic}-${partition}: the batch at offset ${firstOffset} cannot be read: ${error.message}`,
        `go on behind it: -p ${partition} -o ${nextOffset}`,
        { cause: error },
      )
    }
  }

  /** null when the run was interrupted. */
  async #next(source: RecordSource, timeoutMs: number): Promise<FetchedBatch[] | null> {
    const { signal } = this.#context
    try {
      return await source.next({ timeoutMs, signal })
    } catch (error) {
      if (signal.aborted) return null
      // What was written before the failure is complete.
      await this.flush()
      throw error
    }
  }

  /** Whether it was written to its end. */
  async writeBatch(batch: FetchedBatch): Promise<boolean> {
    this.setPlace(batch)
    const { printer, countMax } = this.#options
    const place = this.#place
    const out = this.#out
    const cursor = batch.cursor()
    if (printer.plainDelimiter !== -1 && cursor.bytes.length <= stagedBytesMax) {
      const isWhole = this.#writePlain(cursor, printer.plainDelimiter)
      this.#note(batch, isWhole ? batch.nextOffset : cursor.offset + 1)
      if (out.size >= flushBytes) await this.flush()
      return isWhole
    }
    while (place.count < countMax) {
      if (!cursor.next()) {
        this.#note(batch, batch.nextOffset)
        return true
      }
      printer.write(out, cursor, place)
      place.count++
      if (out.size >= flushBytes) {
        this.#note(batch, cursor.offset + 1)
        await this.flush()
        if (this.isOver) return false
      }
    }
    this.#note(batch, cursor.offset + 1)
    return false
  }

  #note({ topic, partition }: FetchedBatch, offset: Offset): void {
    this.#written.set(`${topic}-${partition}`, { topic, partition, offset })
  }

  /**
   * The hot path of `consume | ...`: values and a delimiter. A record takes at least seven bytes
   * beside its value, so what is written never overtakes what is read. Measured in test/bench/pipes.ts.
   */
  #writePlain(cursor: RecordCursor, delimiter: number): boolean {
    const out = this.#out
    const { countMax } = this.#options
    let { count } = this.#place
    let isWhole = false
    const base = out.stage(cursor.bytes)
    while (count < countMax) {
      if (!cursor.next()) {
        isWhole = true
        break
      }
      const start = base + cursor.valuePosition
      out.moveDown(start, start + (cursor.valueSize > 0 ? cursor.valueSize : 0), delimiter)
      count++
    }
    this.#place.count = count
    return isWhole
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
    const { out } = this.#context
    const written = [...this.#written.values()]
    if (this.#out.size > 0) await out.write([this.#out.take()])
    if (!out.isClosed) this.#accepted = written
  }
}
