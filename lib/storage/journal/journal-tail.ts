/**
 * What the journal holds of one log: ranges of offsets, each beginning where the one before it
 * ended unless the segments were synced in between. Truncations are applied already. journal-replay.ts
 * appends what a log lacks of it.
 *
 *   | a range against the recovered end of the log   | what is done                                 |
 *   |------------------------------------------------|----------------------------------------------|
 *   | ends at or before it                           | skipped: the segment has it, CRC checked     |
 *   | holds it, or begins at it                      | the batches from the end on are appended     |
 *   | begins after it                                | damage: synced records are missing           |
 *   | its bytes are damaged, and it ends after it    | damage                                       |
 */

import type { Offset } from '../../base/types.ts'

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
}
