/**
 * Reading a log: whole batches from an offset on, and records by time. Nothing is cached but where
 * recent reads ended, so a consumer that goes on where it stopped costs one positional read.
 *
 * A read never goes beyond what is written, and never cuts a batch. While segments are dropped or
 * truncated a read under way is repeated: `generation` tells.
 */

import { DecodeError, KafkaError } from '../base/errors.ts'
import type { LeaderEpoch, Offset } from '../base/types.ts'
import {
  type BatchHeader,
  batchCrc,
  headerSize,
  lastOffsetOf,
  type RecordBatch,
  readBatchHeader,
} from '../record/batch.ts'
import { RecordCursor } from '../record/record.ts'
import { decompressedBytesMax } from './batch-validation.ts'
import type { BufferPool } from './buffer-pool.ts'
import { largeBatchBytes, whyNoBatch } from './large-batch.ts'
import { scanBatches, walkHeaders } from './scan.ts'
import type { Segment } from './segment.ts'

export interface LogPosition {
  readonly segmentBaseOffset: Offset
  /** Byte in the segment's file. */
  readonly position: number
}

export interface LogRead {
  /** Whole batches, mostly as views over pooled buffers. */
  readonly records: Uint8Array[]
  readonly sizeBytes: number
  /** Where the next read would start. */
  readonly next: LogPosition
  /** Gives the pooled buffers back: to be called once, after the bytes were sent. */
  release(): void
}

export interface ReadOptions {
  readonly maxBytes: number
  /** The first batch is given whole even if it is larger than maxBytes. */
  readonly minOneBatch: boolean
  /** Exclusive: the high watermark. */
  readonly endOffset: Offset
}

export interface TimestampedOffset {
  readonly offset: Offset
  readonly timestamp: number
  readonly leaderEpoch: LeaderEpoch
}

/** What is read from: the log's own state, as it is at each moment. The list of segments is never changed, only replaced. */
export interface ReadSource {
  readonly segments: readonly Segment[]
  readonly logStartOffset: Offset
  readonly writtenEndOffset: Offset
  /** Changes when bytes that were written are no more what they were. */
  readonly generation: number
}

/** Where a read got to, and what it collected. */
interface Collected {
  readonly records: Uint8Array[]
  readonly buffers: Buffer[]
  sizeBytes: number
  position: number
  /** Offset after the last batch kept. */
  nextOffset: Offset
  /** Of the last batch met, kept or not. */
  lastOffset: Offset
  /** The last batch that ended before what is wanted. */
  skipped: RecordBatch | null
  /** A limit ended it; else the segment's end did. */
  isLimited: boolean
}

const readBytesMax = 2 * 1024 * 1024
/** Read on top when the start lies a few batches before what is wanted. */
const slackBytes = 8 * 1024
const enoughLeftBytes = 64 * 1024
const hintsMax = 64
const attemptsMax = 5

export class LogReader {
  readonly #source: ReadSource
  readonly #buffers: BufferPool
  /** Where the batch with this offset begins, for ends of recent reads and syncs. */
  readonly #hints = new Map<Offset, { segment: Segment; position: number }>()

  constructor(source: ReadSource, buffers: BufferPool) {
    this.#source = source
    this.#buffers = buffers
  }

  /** Remembers that the batch at `offset` begins, or will begin, at `position`. */
  addHint(offset: Offset, segment: Segment, position: number): void {
    this.#hints.delete(offset)
    this.#hints.set(offset, { segment, position })
    if (this.#hints.size <= hintsMax) return
    for (const oldest of this.#hints.keys()) {
      this.#hints.delete(oldest)
      break
    }
  }

  clearHints(): void {
    this.#hints.clear()
  }

  #hintFor(offset: Offset, segment: Segment): number | null {
    const hint = this.#hints.get(offset)
    if (hint === undefined || hint.segment !== segment || segment.isRemoved) return null
    return hint.position <= segment.writtenBytes ? hint.position : null
  }

  /** The segment that `offset` falls in; the first one for an offset before it. */
  segmentIndexFor(offset: Offset): number {
    const { segments } = this.#source
    let low = 0
    let high = segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const segment = segments[middle]
      if (segment !== undefined && segment.baseOffset <= offset) low = middle + 1
      else high = middle
    }
    return Math.max(low - 1, 0)
  }

  /** Runs `fn` again when segments were cut or dropped under it. */
  async #consistently<T>(fn: () => Promise<T>, discard?: (result: T) => void): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const { generation } = this.#source
      let result: T
      try {
        result = await fn()
      } catch (error) {
        if (generation === this.#source.generation || attempt >= attemptsMax) throw error
        continue
      }
      if (generation === this.#source.generation || attempt >= attemptsMax) return result
      discard?.(result)
    }
  }

  /** Whole batches from the one that holds `startOffset` on. OFFSET_OUT_OF_RANGE before the log start. */
  read(startOffset: Offset, options: ReadOptions): Promise<LogRead> {
    return this.#consistently(
      () => this.#read(startOffset, options),
      (read) => read.release(),
    )
  }

  async #read(startOffset: Offset, options: ReadOptions): Promise<LogRead> {
    const source = this.#source
    if (startOffset < source.logStartOffset) {
      throw new KafkaError(
        'OFFSET_OUT_OF_RANGE',
        `offset ${startOffset} is before the log start offset ${source.logStartOffset}`,
      )
    }
    const endOffset = Math.min(options.endOffset, source.writtenEndOffset)
    if (startOffset >= endOffset) return this.#emptyAt(startOffset)
    const { segments } = source
    let index = this.segmentIndexFor(startOffset)
    for (let segment = segments[index]; segment !== undefined; segment = segments[++index]) {
      const found = await this.#readSegment(segment, startOffset, { ...options, endOffset })
      const isEnd = found.isLimited || found.sizeBytes > 0
      const nextOffset = segments[index + 1]?.baseOffset ?? endOffset
      if (!isEnd && startOffset < nextOffset) checkSkipped(found)
      // Compaction may have taken all that followed in this segment: then on with the next one.
      if (isEnd || segment === segments.at(-1)) return this.#finish(found, segment, startOffset)
      index = segments.indexOf(segment)
    }
    return this.#emptyAt(startOffset)
  }

  #finish(found: Collected, segment: Segment, startOffset: Offset): LogRead {
    const isEnd = !found.isLimited && found.position >= segment.writtenBytes
    const following = isEnd ? this.#segmentAfter(segment) : undefined
    const next = following
      ? { segmentBaseOffset: following.baseOffset, position: 0 }
      : { segmentBaseOffset: segment.baseOffset, position: found.position }
    if (!following) {
      this.addHint(found.sizeBytes > 0 ? found.nextOffset : startOffset, segment, found.position)
    }
    const buffers = this.#buffers
    this.#slim(found)
    return {
      records: found.records,
      sizeBytes: found.sizeBytes,
      next,
      release: () => {
        for (const buffer of found.buffers) buffers.give(buffer)
        found.buffers.length = 0
      },
    }
  }

  /**
   * Few bytes in large buffers are copied out, so that a read holds at most half as much again as it
   * gives: replies that a slow reader does not take are counted by their own bytes.
   */
  #slim(found: Collected): void {
    let heldBytes = 0
    for (const buffer of found.buffers) heldBytes += buffer.length
    if (heldBytes <= 1.5 * found.sizeBytes) return
    const copy = Buffer.concat(found.records)
    found.records.splice(0, found.records.length, ...(copy.length > 0 ? [copy] : []))
    for (const buffer of found.buffers.splice(0)) this.#buffers.give(buffer)
  }

  #segmentAfter(segment: Segment): Segment | undefined {
    const { segments } = this.#source
    const index = segments.indexOf(segment)
    return index === -1 ? undefined : segments[index + 1]
  }

  async #emptyAt(offset: Offset): Promise<LogRead> {
    const next = await this.#positionOf(offset)
    return { records: [], sizeBytes: 0, next, release() {} }
  }

  /** Where a batch with `offset` begins, or would begin. */
  async #positionOf(offset: Offset): Promise<LogPosition> {
    const { segments, writtenEndOffset } = this.#source
    const written = segments.findLast((segment) => segment.baseOffset <= writtenEndOffset)
    if (offset >= writtenEndOffset && written !== undefined) {
      return { segmentBaseOffset: written.baseOffset, position: written.writtenBytes }
    }
    const segment = segments[this.segmentIndexFor(offset)]
    if (segment === undefined) return { segmentBaseOffset: 0, position: 0 }
    const position = this.#hintFor(offset, segment) ?? (await this.positionIn(segment, offset))
    return { segmentBaseOffset: segment.baseOffset, position }
  }

  /** Position in `segment` of the first batch whose last offset is not before `offset`. */
  async positionIn(segment: Segment, offset: Offset): Promise<number> {
    const from = await segment.positionBefore(offset)
    const { position } = await segment.use((file) =>
      walkHeaders(
        file,
        { from, to: segment.writtenBytes },
        (header) => lastOffsetOf(header) >= offset,
      ),
    )
    return position
  }

  async #readSegment(
    segment: Segment,
    startOffset: Offset,
    options: ReadOptions,
  ): Promise<Collected> {
    const limitBytes = segment.writtenBytes
    const hint = this.#hintFor(startOffset, segment)
    const found: Collected = {
      records: [],
      buffers: [],
      sizeBytes: 0,
      position: hint ?? (await segment.positionBefore(startOffset)),
      nextOffset: startOffset,
      lastOffset: -1,
      skipped: null,
      isLimited: false,
    }
    let wantBytes = Math.min(options.maxBytes + (hint === null ? slackBytes : 0), readBytesMax)
    try {
      while (found.position < limitBytes && !found.isLimited) {
        const size = Math.min(Math.max(wantBytes, headerSize), limitBytes - found.position)
        const buffer = this.#buffers.take(size)
        found.buffers.push(buffer)
        const view = buffer.subarray(0, size)
        const count = await segment.use((file) => file.readAt(view, found.position))
        const before = found.position
        const logEndOffset = this.#source.writtenEndOffset
        const limits = { startOffset, logEndOffset, ...options }
        const missing = collect(found, view.subarray(0, count), limits)
        const isStuck = found.position === before && missing === 0 && !found.isLimited
        if (missing > limitBytes - found.position || count < size || isStuck) {
          throw new DecodeError(
            `segment ${segment.baseOffset}: no whole batch at byte ${found.position}`,
          )
        }
        const why =
          missing > largeBatchBytes ? await this.#whyNoBatch(segment, found.position) : null
        if (why !== null) {
          throw new DecodeError(`segment ${segment.baseOffset} at byte ${found.position}: ${why}`)
        }
        const leftBytes = options.maxBytes - found.sizeBytes
        // Another read for the little that is missing would cost more than it gives.
        if (found.sizeBytes > 0 && leftBytes < enoughLeftBytes && found.position < limitBytes) {
          found.isLimited = true
        }
        wantBytes = Math.max(missing, Math.min(leftBytes, readBytesMax))
      }
    } catch (error) {
      for (const buffer of found.buffers) this.#buffers.give(buffer)
      throw error
    }
    return found
  }

  /** Why what begins at `position`, larger than what a read takes at a time, is no batch. */
  #whyNoBatch(segment: Segment, position: number): Promise<string | null> {
    return segment.use(async (file) => {
      const head = Buffer.alloc(headerSize)
      await file.readAt(head, position)
      return whyNoBatch(file, position, readBatchHeader(head))
    })
  }

  /** The first record whose timestamp is not below `timestampMs`, before `endOffset`; null without one. */
  offsetForTimestamp(timestampMs: number, endOffset: Offset): Promise<TimestampedOffset | null> {
    return this.#consistently(async () => {
      for (const segment of this.#source.segments) {
        const { timestamp } = await segment.maxTimestamp()
        if (timestamp < timestampMs) continue
        const from = await segment.offsetBefore(timestampMs)
        const found = await this.#findRecord(
          segment,
          Math.max(from, this.#source.logStartOffset),
          (recordMs) => recordMs >= timestampMs,
          (header) => header.maxTimestamp >= timestampMs,
        )
        if (found !== null) return found.offset < endOffset ? found : null
      }
      return null
    })
  }

  /** The record with the largest timestamp, if it lies before `endOffset`; null without one. */
  maxTimestampOffset(endOffset: Offset): Promise<TimestampedOffset | null> {
    return this.#consistently(async () => {
      let best: { segment: Segment; timestamp: number; offset: Offset } | null = null
      for (const segment of this.#source.segments) {
        const { timestamp, offset } = await segment.maxTimestamp()
        if (timestamp >= 0 && (best === null || timestamp > best.timestamp)) {
          best = { segment, timestamp, offset }
        }
      }
      if (best === null) return null
      const { timestamp } = best
      const found = await this.#findRecord(
        best.segment,
        Math.max(best.offset, this.#source.logStartOffset),
        (recordMs) => recordMs === timestamp,
        (header) => header.maxTimestamp === timestamp,
      )
      return found !== null && found.offset < endOffset ? found : null
    })
  }

  async #findRecord(
    segment: Segment,
    fromOffset: Offset,
    isWanted: (timestampMs: number) => boolean,
    mayHold: (header: BatchHeader) => boolean,
  ): Promise<TimestampedOffset | null> {
    const from = await segment.positionBefore(fromOffset)
    const { logStartOffset } = this.#source
    let found: TimestampedOffset | null = null
    const end = await segment.use((file) =>
      scanBatches(file, { from, to: segment.writtenBytes }, (header, bytes) => {
        if (lastOffsetOf(header) < logStartOffset || !mayHold(header)) return undefined
        const cursor = new RecordCursor(bytes, { maxBytes: decompressedBytesMax })
        while (cursor.next()) {
          const timestamp = Number(cursor.timestamp)
          if (cursor.offset < logStartOffset || !isWanted(timestamp)) continue
          const { offset } = cursor
          found = { offset, timestamp, leaderEpoch: header.partitionLeaderEpoch }
          return 'stop'
        }
        return undefined
      }),
    )
    if (end.kind === 'bad') {
      throw new DecodeError(`segment ${segment.baseOffset} at byte ${end.position}: ${end.why}`)
    }
    return found
  }
}

/**
 * Adds the wanted batches in `view`, which was read at `found.position`. Returns the size of the
 * batch that did not lie whole in it (0 = none, or not known from so few bytes: ask for more).
 */
function collect(
  found: Collected,
  view: Buffer,
  options: ReadOptions & { startOffset: Offset; logEndOffset: Offset },
): number {
  let at = 0
  let keepFrom = -1
  let missing = 0
  while (view.length - at >= headerSize) {
    let header: BatchHeader
    try {
      header = readBatchHeader(view, at)
    } catch (error) {
      // What comes before the damage is good; the next read meets it first.
      if (found.sizeBytes === 0) throw error
      found.isLimited = true
      break
    }
    const lastOffset = lastOffsetOf(header)
    // Offsets are not covered by the CRC: a reader that followed a bad one would miss what it skips.
    const isRising = header.baseOffset > found.lastOffset && lastOffset >= header.baseOffset
    if (!isRising || lastOffset >= options.logEndOffset) {
      throw new DecodeError(
        `a batch from ${header.baseOffset} to ${lastOffset} after ${found.lastOffset}, in a log that ends at ${options.logEndOffset}`,
      )
    }
    const isWanted = lastOffset >= options.startOffset
    if (isWanted) {
      const isFirst = found.sizeBytes === 0
      if (isFirst && header.baseOffset > options.startOffset) checkSkipped(found)
      const isTooMuch = found.sizeBytes + header.sizeBytes > options.maxBytes
      if (lastOffset >= options.endOffset || (isTooMuch && !(isFirst && options.minOneBatch))) {
        found.isLimited = true
        break
      }
    }
    if (header.sizeBytes > view.length - at) {
      missing = header.sizeBytes
      break
    }
    if (isWanted) {
      if (keepFrom === -1) keepFrom = at
      found.sizeBytes += header.sizeBytes
      found.nextOffset = lastOffset + 1
    } else {
      found.skipped = { header, chunks: [view.subarray(at, at + header.sizeBytes)] }
    }
    found.lastOffset = lastOffset
    at += header.sizeBytes
  }
  if (keepFrom !== -1) found.records.push(view.subarray(keepFrom, at))
  found.position += at
  return found.isLimited ? 0 : missing
}

/**
 * No batch has the offset that was asked for: compaction took it, or the batch before says that it ends
 * where it does not, and a reader would miss the rest of it.
 */
function checkSkipped({ skipped }: Collected): void {
  if (skipped === null || batchCrc(skipped) === skipped.header.crc) return
  const { baseOffset, crc } = skipped.header
  throw new DecodeError(`the batch at offset ${baseOffset} has another CRC than ${crc}`)
}
