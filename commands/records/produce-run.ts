/**
 * One run of `produce`: reads sources, cuts them into pieces, gives records to the producer, and
 * keeps count of what became of them.
 *
 * Invariants: what a read returned is given to the producer at once; a full buffer stops the
 * reading; nothing is read after the first failure, and the run ends when everything in flight is
 * settled. The tag of a record is its place in the whole input; `#starts` turns it into the name of
 * a source and a line.
 */

import type { DeliveryReport } from '../../lib/client/produce-batch.ts'
import type { Producer } from '../../lib/client/producer.ts'
import { sleep } from '../../lib/io/clock.ts'
import type { CommandContext } from '../command.ts'
import { ByteWriter } from './byte-writer.ts'
import type { ReportWriter } from './delivery-report.ts'
import { readWhole, type Source } from './input.ts'
import { InvalidRecordError, type NewRecord, type RecordParser } from './line-record.ts'
import { PieceSplitter, PieceTooLargeError } from './splitter.ts'

export interface ProduceRunOptions {
  readonly parserFor: (source: Source) => RecordParser
  /** null: a source is one record. */
  readonly delimiter: Uint8Array | null
  readonly keepEmpty: boolean
  /** Called with each record before it is sent; resolves when its topic and partition are known. */
  readonly check: (record: NewRecord) => Promise<void> | null
  readonly maxPieceBytes: number
  /** Records in all; Infinity without a limit. */
  readonly countMax: number
  /** Records per second; 0 = as fast as it goes. */
  readonly rate: number
  readonly repeat: boolean
  readonly tee: boolean
  readonly report: ReportWriter | null
}

/** Why a run failed, and where. */
export interface Failure {
  /** `stdin line 17`. */
  readonly place: string
  readonly error: Error
  readonly message: string
}

export interface ProduceCounts {
  /** Acknowledged. */
  delivered: number
  failed: number
  /** Not sent because they are no records. */
  rejected: number
  skippedEmpty: number
  /** Keys and values of the records read. */
  bytes: number
  readonly topics: Set<string>
}

const outputBytes = 64 * 1024
const lineFeed = Buffer.from('\n')

export class ProduceRun {
  readonly counts: ProduceCounts = {
    delivered: 0,
    failed: 0,
    rejected: 0,
    skippedEmpty: 0,
    bytes: 0,
    topics: new Set(),
  }
  /** The bad line that ended the reading. */
  invalid: Failure | null = null
  readonly #context: CommandContext
  readonly #producer: Producer
  readonly #options: ProduceRunOptions
  readonly #output = new ByteWriter()
  /** Where in the input each source began. */
  readonly #starts: { place: number; name: string }[] = []
  #firstFailedTag = Number.POSITIVE_INFINITY
  #firstError: { error: Error; message: string } | null = null
  /** Place of the current piece in the whole input, from 1, and within its source. */
  #place = 0
  #sentCount = 0
  #lastTopic = ''
  #startedMs = 0
  #isInterrupted: boolean
  /** Everything given to standard output so far. */
  #writing: Promise<void> = Promise.resolve()
  #isWriteDue = false
  /** Ends the wait that is on, when there is no more to be read. */
  #stopWaiting: () => void = () => {}

  constructor(context: CommandContext, producer: Producer, options: ProduceRunOptions) {
    this.#context = context
    this.#producer = producer
    this.#options = options
    producer.onDelivery = (report) => this.#onDelivery(report)
    this.#isInterrupted = context.signal.aborted
    const onAbort = () => {
      this.#isInterrupted = true
      this.#stopWaiting()
    }
    context.signal.addEventListener('abort', onAbort, { once: true })
  }

  /** The record that failed and stands first in the input. */
  get firstFailure(): Failure | null {
    if (this.#firstError === null) return null
    return { place: this.#placeName(this.#firstFailedTag), ...this.#firstError }
  }

  /** Records given to the producer that are not settled. */
  get inFlight(): number {
    return this.#sentCount - this.counts.delivered - this.counts.failed
  }

  /** Reads and sends everything, then waits until all of it is settled. */
  async run(sources: readonly Source[]): Promise<void> {
    this.#startedMs = this.#context.env.clock.monotonicMs()
    try {
      do {
        const before = this.#sentCount
        for (const source of sources) await this.#readSource(source)
        // An input without records would repeat for ever.
        if (this.#sentCount === before) break
      } while (this.#options.repeat && !this.#isOver)
    } finally {
      await this.#producer.flush()
      await this.#writeOutput(0)
    }
  }

  get #isOver(): boolean {
    return (
      this.#isInterrupted ||
      this.invalid !== null ||
      this.#firstError !== null ||
      this.#sentCount >= this.#options.countMax
    )
  }

  async #readSource(source: Source): Promise<void> {
    if (this.#isOver) return
    this.#starts.push({ place: this.#place, name: source.name })
    const parser = this.#options.parserFor(source)
    if (this.#options.delimiter === null) {
      const whole = await readWhole(source, this.#options.maxPieceBytes)
      await this.#takePiece(whole, parser)
      return
    }
    const splitter = new PieceSplitter(this.#options.delimiter, this.#options.maxPieceBytes)
    const chunks = source.open()[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await this.#orStop(chunks.next())
        if (next === null || next.done === true) break
        splitter.push(next.value)
        await this.#takePieces(splitter, parser)
        await this.#writeOutput(this.#options.tee ? 0 : outputBytes)
        if (this.#isOver) break
      }
      const rest = this.#isOver ? null : splitter.finish()
      if (rest !== null) await this.#takePiece(rest, parser)
    } catch (error) {
      if (!(error instanceof PieceTooLargeError)) throw error
      this.#place++
      this.#reject(new InvalidRecordError(`${error.message} (--buffer)`))
    } finally {
      // Not awaited: a source that waits for its next bytes would hold up the end of the run.
      void chunks.return?.()
    }
  }

  /** What `promise` gives, or null as soon as nothing more is to be read. */
  #orStop<T>(promise: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      this.#stopWaiting = () => resolve(null)
      if (this.#isOver) resolve(null)
      promise.then(resolve, reject)
    })
  }

  /** Takes the whole pieces of a chunk. Waits only where it must: this is the hot path. */
  async #takePieces(splitter: PieceSplitter, parser: RecordParser): Promise<void> {
    for (let piece = splitter.next(); piece !== null; piece = splitter.next()) {
      const wait = this.#take(piece, parser)
      if (wait !== null) await wait
      if (this.#isOver) return
    }
  }

  async #takePiece(piece: Uint8Array, parser: RecordParser): Promise<void> {
    const wait = this.#take(piece, parser)
    if (wait !== null) await wait
  }

  /** Sends one piece; a promise when there is something to wait for before the next. */
  #take(piece: Uint8Array, parser: RecordParser): Promise<void> | null {
    this.#place++
    if (piece.length === 0 && !this.#options.keepEmpty) {
      this.counts.skippedEmpty++
      return null
    }
    let record: NewRecord
    try {
      record = parser(piece)
    } catch (error) {
      if (!(error instanceof InvalidRecordError)) throw error
      this.#reject(error)
      return null
    }
    if (this.#options.tee) this.#teePiece(piece)
    const check = this.#options.check(record)
    if (check !== null || this.#options.rate > 0) return this.#sendLater(record, check)
    return this.#send(record) ? null : this.#drained()
  }

  async #sendLater(record: NewRecord, check: Promise<void> | null): Promise<void> {
    try {
      await check
    } catch (error) {
      if (!(error instanceof InvalidRecordError)) throw error
      this.#reject(error)
      return
    }
    await this.#waitForTurn()
    if (this.#isInterrupted) return
    if (!this.#send(record)) await this.#drained()
  }

  /** False when the buffer is full. */
  #send(record: NewRecord): boolean {
    const { counts } = this
    const { key, value, topic } = record
    counts.bytes += (key === null ? 0 : key.length) + (value === null ? 0 : value.length)
    if (topic !== this.#lastTopic) {
      counts.topics.add(topic)
      this.#lastTopic = topic
    }
    this.#sentCount++
    try {
      return this.#producer.append(record, this.#place)
    } catch (error) {
      if (!(error instanceof Error) || error.name === 'AssertionError') throw error
      this.counts.failed++
      this.#noteFailure(this.#place, error, error.message)
      return true
    }
  }

  /** With --rate: until the clock has caught up with the number of records. */
  async #waitForTurn(): Promise<void> {
    const { rate } = this.#options
    if (rate === 0) return
    const { clock } = this.#context.env
    const dueMs = this.#startedMs + (this.#sentCount * 1000) / rate
    const waitMs = dueMs - clock.monotonicMs()
    if (waitMs <= 1) return
    await this.#orStop(sleep(clock, waitMs))
  }

  async #drained(): Promise<void> {
    await this.#writeOutput(outputBytes)
    await this.#orStop(this.#producer.drained())
  }

  #reject(error: InvalidRecordError): void {
    this.counts.rejected++
    const { message } = error
    this.invalid ??= { place: this.#placeName(this.#place), error, message }
  }

  #onDelivery(report: DeliveryReport): void {
    const { counts } = this
    if (this.#options.report !== null) {
      this.#options.report(this.#output, report)
      this.#writeSoon()
    }
    if (report.error === null) {
      counts.delivered += report.count
      return
    }
    counts.failed += report.count
    const [named] = report.recordErrors
    const tag = report.tags[named?.index ?? 0] ?? Number.POSITIVE_INFINITY
    this.#noteFailure(tag, report.error, named?.message ?? report.error.message)
  }

  #noteFailure(tag: number, error: Error, message: string): void {
    if (tag >= this.#firstFailedTag && this.#firstError !== null) return
    this.#firstFailedTag = tag
    this.#firstError = { error, message }
    this.#stopWaiting()
  }

  #teePiece(piece: Uint8Array): void {
    this.#output.bytes(piece)
    this.#output.bytes(this.#options.delimiter ?? lineFeed)
  }

  /** Writes what reports and -T gathered, once it is more than `aboveBytes`, after what went before. */
  async #writeOutput(aboveBytes: number): Promise<void> {
    if (this.#output.size > aboveBytes) {
      const bytes = this.#output.take()
      this.#writing = this.#writing.then(() => this.#context.out.write([bytes]))
    }
    await this.#writing
  }

  /** Reports go out when they come, also while the input is silent. */
  #writeSoon(): void {
    if (this.#isWriteDue) return
    this.#isWriteDue = true
    this.#context.env.clock.endOfTurn(() => {
      this.#isWriteDue = false
      this.#writeOutput(0).catch(() => {
        // The run ends, and what it awaits last throws the error.
        this.#isInterrupted = true
        this.#stopWaiting()
      })
    })
  }

  /** `stdin line 17` for a place in the whole input. */
  #placeName(place: number): string {
    const start = this.#starts.findLast((each) => each.place < place)
    if (this.#options.delimiter === null) return start?.name ?? 'stdin'
    return `${start?.name ?? 'stdin'} line ${place - (start?.place ?? 0)}`
  }
}
