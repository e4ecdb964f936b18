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
      this.#ranges.push({ ...last, endOffset: offset })
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
      assert(range.baseOffset <= target.endOffset && !range.isDamaged, 'a replay beyond a loss')
      const bytes = await readRange(target.disk, range)
      count += await appendRange(target, range, bytes)
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
  let at = 0
  let count = 0
  while (at < bytes.length) {
    const batch = batchAt(bytes, at)
    const { header } = batch
    if (lastOffsetOf(header) >= range.endOffset) break
    if (header.baseOffset >= target.endOffset) {
      if (batchCrc(batch) !== header.crc) throw new DecodeError(`bad CRC at ${header.baseOffset}`)
      if (from === -1) from = at
      target.note(header, segment, segment.writtenBytes + at - from)
      target.endOffset = lastOffsetOf(header) + 1
      count++
    }
    at += header.sizeBytes
  }
  if (from === -1) return 0
  await segment.write([bytes.subarray(from, at)], segment.writtenBytes)
  segment.writtenBytes += at - from
  segment.sizeBytes = segment.writtenBytes
  return count
}
