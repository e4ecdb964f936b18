/**
 * What the journal holds of one log: ranges of offsets, each beginning where the one before it
 * ended unless the segments were synced in between. Truncations are applied already.
 *
 *   | a range against the recovered end of the log   | what is done                                 |
 *   |------------------------------------------------|----------------------------------------------|
 *   | ends at or before it                           | skipped: the segment has it, CRC checked     |
 *   | holds it, or begins at it                      | the batches from the end on are appended     |
 *   | begins after it                                | damage: synced records are missing           |
 *   | its bytes are damaged, and it ends after it    | damage                                       |
 */

import { assert } from '../../base/assert.ts'
import { DecodeError } from '../../base/errors.ts'
import type { Offset } from '../../base/types.ts'
import type { Disk } from '../../io/disk.ts'
import { type BatchHeader, batchAt, batchCrc, lastOffsetOf } from '../../record/batch.ts'
import type { Segment } from '../segment.ts'

export interface JournalRange {
  readonly baseOffset: Offset
  /** After the last record that counts. */
  readonly endOffset: Offset
  readonly segmentBaseOffset: Offset
  /** Where the batches lie. */
  readonly path: string
  readonly position: number
  readonly sizeBytes: number
  /** The bytes are not what was written. */
  readonly isDamaged: boolean
  /** A cut took its end, maybe in the middle of a batch, which is then gone as a whole. */
  readonly isCut?: boolean
}

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

export class JournalTail {
  #ranges: JournalRange[] = []

  get ranges(): readonly JournalRange[] {
    return this.#ranges
  }

  /** Where the log ended, as far as the journal knows. */
  get endOffset(): Offset {
    return this.#ranges.at(-1)?.endOffset ?? 0
  }

  add(range: JournalRange): void {
    this.truncate(range.baseOffset)
    this.#ranges.push(range)
  }

  /** What lies at `offset` or beyond is void. */
  truncate(offset: Offset): void {
    while (this.endOffset > offset) {
      const last = this.#ranges.pop()
      if (last === undefined || last.baseOffset >= offset) continue
      this.#ranges.push({ ...last, endOffset: offset, isCut: true })
    }
  }

  /** Why a log that ends at `endOffset` lacks records that were synced; null when it does not. */
  lossAfter(endOffset: Offset): string | null {
    let at = endOffset
    for (const range of this.#ranges) {
      if (range.endOffset <= at) continue
      if (range.baseOffset > at) {
        return `the records end at ${at}, and the journal goes on at ${range.baseOffset}`
      }
      if (range.isDamaged) {
        return `the records end at ${at}, and the journal is damaged where it had those up to ${range.endOffset} (${range.path} at byte ${range.position})`
      }
      at = range.endOffset
    }
    return null
  }

  /** Appends what the segments lack; gives the number of batches. The segments are synced by the caller. */
  async replay(target: ReplayTarget): Promise<number> {
    let count = 0
    for (const range of this.#ranges) {
      if (range.endOffset <= target.endOffset) continue
      assert(!range.isDamaged, 'a replay beyond a loss')
      if (range.baseOffset > target.endOffset) {
        throw new DecodeError(
          `it goes on at ${range.baseOffset}, the records end at ${target.endOffset}`,
        )
      }
      const bytes = await readRange(target.disk, range)
      count += await appendRange(target, range, bytes)
      if (target.endOffset < range.endOffset && range.isCut !== true) {
        throw new DecodeError(
          `its batches for offsets up to ${range.endOffset} end at ${target.endOffset}`,
        )
      }
    }
    return count
  }
}

export async function readRange(
  disk: Disk,
  { path, position, sizeBytes }: JournalRange,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes)
  const file = await disk.open(path, 'read')
  try {
    const count = await file.readAt(bytes, position)
    if (count < sizeBytes) throw new DecodeError(`${path} ends at byte ${position + count}`)
  } finally {
    await file.close()
  }
  return bytes
}

/** The batches of the range that begin at the end of the log, in one write. */
async function appendRange(
  target: ReplayTarget,
  range: JournalRange,
  bytes: Buffer,
): Promise<number> {
  const last = target.segments.at(-1)
  assert(last !== undefined, 'a replay into a log without segments')
  const isRolled = range.segmentBaseOffset > last.baseOffset
  if (isRolled && range.segmentBaseOffset === target.endOffset) await target.roll(target.endOffset)
  const segment = target.segments.at(-1) ?? last
  let from = -1
  let end = 0
  let count = 0
  for (const { header, at } of batchesBeyond(target.endOffset, range, bytes)) {
    if (from === -1) from = at
    target.note(header, segment, segment.writtenBytes + at - from)
    target.endOffset = lastOffsetOf(header) + 1
    end = at + header.sizeBytes
    count++
  }
  if (from === -1) return 0
  await segment.write([bytes.subarray(from, end)], segment.writtenBytes)
  segment.writtenBytes += end - from
  segment.sizeBytes = segment.writtenBytes
  return count
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
  for (const range of tail.ranges) {
    if (range.endOffset <= found.endOffset || range.isDamaged) continue
    const bytes = await readRange(disk, range)
    for (const { header } of batchesBeyond(found.endOffset, range, bytes)) {
      found.batchCount++
      found.recordCount += Math.max(header.recordCount, 0)
      found.endOffset = lastOffsetOf(header) + 1
    }
  }
  return found
}
