/**
 * Appends to a log that is being loaded what it lacks and the journal has (journal-tail.ts). The batches
 * of many ranges go to a segment in one write, and a file of the journal stays open while its ranges are
 * read: a full journal is back within a second or two (test/bench/replay.ts).
 */

import { assert } from '../../base/assert.ts'
import { DecodeError } from '../../base/errors.ts'
import type { Offset } from '../../base/types.ts'
import type { Disk, DiskFile } from '../../io/disk.ts'
import { type BatchHeader, batchAt, batchCrc, lastOffsetOf } from '../../record/batch.ts'
import type { Segment } from '../segment.ts'
import type { JournalRange, JournalTail } from './journal-tail.ts'

/** A log that is being loaded, as far as a replay changes it. */
export interface ReplayTarget {
  readonly disk: Disk
  /** Oldest first, at least one; the last takes the batches. */
  readonly segments: Segment[]
  endOffset: Offset
  /** Closes the last segment and begins another at the end. */
  roll(baseOffset: Offset): Promise<void>
  /** A batch that will lie at `position` of `segment`. */
  note(header: BatchHeader, segment: Segment, position: number): void
}

/** Gathered before it is written. */
const writeBytesMin = 1024 * 1024

/**
 * Appends what the segments lack; gives the number of batches. The segments are synced by the caller.
 * DecodeError when the journal does not fit the log; native errors.
 */
export async function replayTail(tail: JournalTail, target: ReplayTarget): Promise<number> {
  const ranges = new RangeReader(target.disk)
  const writer = new ReplayWriter(target)
  try {
    for (const range of tail.ranges) {
      if (range.endOffset <= target.endOffset) continue
      assert(!range.isDamaged, 'a replay beyond a loss')
      if (range.baseOffset > target.endOffset) {
        throw new DecodeError(
          `it goes on at ${range.baseOffset}, the records end at ${target.endOffset}`,
        )
      }
      await writer.append(range, await ranges.read(range))
      if (target.endOffset < range.endOffset && range.isCut !== true) {
        throw new DecodeError(
          `its batches for offsets up to ${range.endOffset} end at ${target.endOffset}`,
        )
      }
    }
    await writer.flush()
  } finally {
    await ranges.close()
  }
  return writer.batchCount
}

class ReplayWriter {
  readonly #target: ReplayTarget
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  batchCount = 0

  constructor(target: ReplayTarget) {
    this.#target = target
  }

  get #segment(): Segment {
    const last = this.#target.segments.at(-1)
    assert(last !== undefined, 'a replay into a log without segments')
    return last
  }

  /** The batches of the range that begin at the end of the log. */
  async append(range: JournalRange, bytes: Buffer): Promise<void> {
    const target = this.#target
    const isRolled = range.segmentBaseOffset > this.#segment.baseOffset
    if (isRolled && range.segmentBaseOffset === target.endOffset) {
      await this.flush()
      await target.roll(target.endOffset)
    }
    const segment = this.#segment
    for (const { header, at } of batchesBeyond(target.endOffset, range, bytes)) {
      target.note(header, segment, segment.writtenBytes + this.#pendingBytes)
      target.endOffset = lastOffsetOf(header) + 1
      this.#pending.push(bytes.subarray(at, at + header.sizeBytes))
      this.#pendingBytes += header.sizeBytes
      this.batchCount++
    }
    if (this.#pendingBytes >= writeBytesMin) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#pendingBytes === 0) return
    const segment = this.#segment
    await segment.write(this.#pending, segment.writtenBytes)
    segment.writtenBytes += this.#pendingBytes
    segment.sizeBytes = segment.writtenBytes
    this.#pending = []
    this.#pendingBytes = 0
  }
}

/** Reads ranges, and keeps the file of the last one open. */
export class RangeReader {
  readonly #disk: Disk
  #file: DiskFile | null = null
  #path = ''

  constructor(disk: Disk) {
    this.#disk = disk
  }

  async read({ path, position, sizeBytes }: JournalRange): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(sizeBytes)
    const file = await this.#open(path)
    const count = await file.readAt(bytes, position)
    if (count < sizeBytes) throw new DecodeError(`${path} ends at byte ${position + count}`)
    return bytes
  }

  async #open(path: string): Promise<DiskFile> {
    if (this.#file !== null && this.#path === path) return this.#file
    await this.close()
    const file = await this.#disk.open(path, 'read')
    this.#file = file
    this.#path = path
    return file
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }
}

/** The batches in `bytes` that a log lacks which ends at `endOffset`: one directly behind the other. DecodeError. */
function* batchesBeyond(
  endOffset: Offset,
  range: JournalRange,
  bytes: Buffer,
): Generator<{ header: BatchHeader; at: number }> {
  let end = endOffset
  for (let at = 0; at < bytes.length; ) {
    const batch = batchAt(bytes, at)
    const { header } = batch
    if (lastOffsetOf(header) >= range.endOffset) return
    if (header.baseOffset >= end) {
      if (batchCrc(batch) !== header.crc) throw new DecodeError(`bad CRC at ${header.baseOffset}`)
      yield { header, at }
      end = lastOffsetOf(header) + 1
    } else if (end > endOffset || lastOffsetOf(header) >= end) {
      throw new DecodeError(`a batch at ${header.baseOffset}, expected ${end} or more`)
    }
    at += header.sizeBytes
  }
}

/** How many batches and records a replay would append to a log that ends at `endOffset`. DecodeError. */
export async function countBeyond(
  disk: Disk,
  tail: JournalTail,
  endOffset: Offset,
): Promise<{ batchCount: number; recordCount: number; endOffset: Offset }> {
  const found = { batchCount: 0, recordCount: 0, endOffset }
  const ranges = new RangeReader(disk)
  try {
    for (const range of tail.ranges) {
      if (range.endOffset <= found.endOffset || range.isDamaged) continue
      const bytes = await ranges.read(range)
      for (const { header } of batchesBeyond(found.endOffset, range, bytes)) {
        found.batchCount++
        found.recordCount += Math.max(header.recordCount, 0)
        found.endOffset = lastOffsetOf(header) + 1
      }
    }
  } finally {
    await ranges.close()
  }
  return found
}
