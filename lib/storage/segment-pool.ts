/**
 * Bounds what segments hold open: file handles, and indexes in memory. The least recently used
 * segment that nobody reads or writes gives both back; it opens them again when it is asked.
 *
 * Never more than `openMax` files are open: whoever needs one while all are busy waits in line, and the
 * first that is done gives its own back. A use within the use of another segment is fine as long as
 * fewer than `openMax` do so at a time.
 */

/** What the pool needs of a segment. */
export interface Pooled {
  /** Nobody reads or writes it. */
  readonly isIdle: boolean
  readonly isOpen: boolean
  /** Bytes of indexes that could be dropped. */
  readonly droppableIndexBytes: number
  /** Closes the file and drops the indexes it can read again. Never rejects. */
  rest(): Promise<void>
}

/** Busy segments passed over in one search. */
const looksMax = 16

export class SegmentPool {
  readonly #openMax: number
  readonly #indexBytesMax: number
  /** In order of last use. */
  readonly #awake = new Set<Pooled>()
  #indexBytes = 0
  /** Files that are open, or on their way to be. */
  #openFiles = 0
  /** Those who wait for a file of others to be closed. */
  readonly #line: (() => void)[] = []

  constructor({ openMax = 500, indexBytesMax = 64 * 1024 * 1024 } = {}) {
    this.#openMax = openMax
    this.#indexBytesMax = indexBytesMax
  }

  /** Segments that hold a file or indexes. */
  get awakeCount(): number {
    return this.#awake.size
  }

  get openFiles(): number {
    return this.#openFiles
  }

  /** The segment is in use now. */
  touch(segment: Pooled): void {
    this.#awake.delete(segment)
    this.#awake.add(segment)
    if (this.#awake.size > this.#openMax) this.#restOne()
  }

  /** A file is to be opened; null = now. What was entered must be left. */
  enter(): Promise<void> | null {
    if (this.#openFiles < this.#openMax) {
      this.#openFiles++
      return null
    }
    for (const segment of this.#awake) {
      if (!segment.isIdle || !segment.isOpen) continue
      this.#awake.delete(segment)
      void segment.rest()
      break
    }
    return new Promise((resolve) => this.#line.push(resolve))
  }

  /** A file was closed, or could not be opened: its place goes to the next in line. */
  leave(): void {
    const next = this.#line.shift()
    if (next === undefined) this.#openFiles--
    else next()
  }

  /** Nobody uses the segment at the moment. */
  released(segment: Pooled): void {
    if (this.#line.length === 0) return
    this.#awake.delete(segment)
    void segment.rest()
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
        void segment.rest()
        return
      }
      // Busy: to the end of the line, so that it is not looked at first the next time.
      this.#awake.add(segment)
      if (++looked === looksMax) return
    }
  }
}
