/**
 * Memory for the records of replies, over all connections: readers that do not take their replies
 * hold on to it, and must not take the broker with them. Each read may use a quarter of what is
 * left, so many slow readers share what one fast reader would use alone; the first batch is always
 * read, however little is left.
 */

import { assert } from '../base/assert.ts'

const bytesMaxDefault = 80 * 1024 * 1024

export class FetchMemory {
  readonly #bytesMax: number
  #heldBytes = 0

  constructor(bytesMax = bytesMaxDefault) {
    this.#bytesMax = bytesMax
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Reserves at most `wantedBytes` for a read; gives what was granted. */
  take(wantedBytes: number): number {
    const leftBytes = Math.max(this.#bytesMax - this.#heldBytes, 0)
    const grantedBytes = Math.min(wantedBytes, Math.floor(leftBytes / 4))
    this.#heldBytes += grantedBytes
    return grantedBytes
  }

  /** The read is done: it uses `usedBytes` of what it was granted, or more for a large first batch. */
  settle(grantedBytes: number, usedBytes: number): void {
    this.#heldBytes += usedBytes - grantedBytes
  }

  /** The records were sent. */
  give(usedBytes: number): void {
    this.#heldBytes -= usedBytes
    assert(this.#heldBytes >= 0, `${this.#heldBytes} bytes of reply memory held`)
  }
}
