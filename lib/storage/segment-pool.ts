/**
 * Bounds what segments hold open: file handles, and indexes in memory. The least recently used
 * segment that nobody reads or writes gives both back; it opens them again when it is asked.
 */

/** What the pool needs of a segment. */
export interface Pooled {
  readonly isIdle: boolean
  /** Bytes of indexes that could be dropped. */
  readonly droppableIndexBytes: number
  /** Closes the file and drops the indexes it can read again. */
  rest(): void
}

/** Busy segments passed over in one search. */
const looksMax = 16

export class SegmentPool {
  readonly #openMax: number
  readonly #indexBytesMax: number
  /** In order of last use. */
  readonly #awake = new Set<Pooled>()
  #indexBytes = 0

  constructor({ openMax = 500, indexBytesMax = 64 * 1024 * 1024 } = {}) {
    this.#openMax = openMax
    this.#indexBytesMax = indexBytesMax
  }

  get openCount(): number {
    return this.#awake.size
  }

  /** The segment is in use now. */
  touch(segment: Pooled): void {
    this.#awake.delete(segment)
    this.#awake.add(segment)
    if (this.#awake.size > this.#openMax) this.#restOne()
  }

  /** What a segment could drop has grown or shrunk by so many bytes. */
  indexBytesChanged(bytes: number): void {
    this.#indexBytes += bytes
    if (bytes > 0 && this.#indexBytes > this.#indexBytesMax) this.#restOne()
  }

  /** The segment is gone. */
  forget(segment: Pooled): void {
    this.#awake.delete(segment)
  }

  #restOne(): void {
    let looked = 0
    for (const segment of this.#awake) {
      this.#awake.delete(segment)
      if (segment.isIdle) {
        segment.rest()
        return
      }
      // Busy: to the end of the line, so that it is not looked at first the next time.
      this.#awake.add(segment)
      if (++looked === looksMax) return
    }
  }
}
