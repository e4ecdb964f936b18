/**
 * The queue between `append` and the disk, for one log. What is queued in a turn of the event loop
 * goes out as one write; while that is under way the next one gathers. A failed write fails all that
 * is queued behind it. Views are dropped as soon as they are written.
 */

import { type Deferred, deferred } from '../base/deferred.ts'
import type { Offset } from '../base/types.ts'
import type { Clock } from '../io/clock.ts'
import type { Segment } from './segment.ts'

/** Appends that go out in one write. */
export interface WriteGroup {
  readonly segment: Segment
  /** Byte in the segment's file. */
  readonly position: number
  readonly buffers: Uint8Array[]
  sizeBytes: number
  recordCount: number
  /** Offset after the last record. */
  endOffset: Offset
  readonly done: Deferred<void>
  /** The segment's file is to be made first. */
  readonly isNewSegment: boolean
}

export interface LogWriterOptions {
  readonly clock: Clock
  /** Writes a group and takes note of it. */
  readonly write: (group: WriteGroup) => Promise<void>
  /** Told once of a failure, before the groups are rejected; gives the error for those who wait. */
  readonly onFailure: (error: Error) => Error
  /** So many bytes were queued, or (negative) have left the queue. */
  readonly onQueued: (change: number) => void
}

export class LogWriter {
  readonly #options: LogWriterOptions
  #queue: WriteGroup[] = []
  #writing: WriteGroup | null = null
  #isScheduled = false
  #waitingBytes = 0
  #onQuiet: (() => void)[] = []

  constructor(options: LogWriterOptions) {
    this.#options = options
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Settles with the last write that is queued; null when none is. */
  get lastWrite(): Promise<void> | null {
    return (this.#queue.at(-1) ?? this.#writing)?.done.promise ?? null
  }

  /** The group that takes bytes for `position` of `segment`; the caller adds them with `add`. */
  group(segment: Segment, position: number, isNewSegment: boolean): WriteGroup {
    const last = this.#queue.at(-1)
    if (last !== undefined && last.segment === segment) return last
    const group: WriteGroup = {
      segment,
      position,
      buffers: [],
      sizeBytes: 0,
      recordCount: 0,
      endOffset: -1,
      done: deferred(),
      isNewSegment,
    }
    // Whoever does not wait still learns of a failure: the log goes offline.
    group.done.promise.catch(() => {})
    this.#queue.push(group)
    this.#schedule()
    return group
  }

  add(
    group: WriteGroup,
    chunks: readonly Uint8Array[],
    counts: { sizeBytes: number; recordCount: number; endOffset: Offset },
  ): void {
    for (const chunk of chunks) group.buffers.push(chunk)
    group.sizeBytes += counts.sizeBytes
    group.recordCount += counts.recordCount
    group.endOffset = counts.endOffset
    this.#count(counts.sizeBytes)
  }

  #count(change: number): void {
    this.#waitingBytes += change
    this.#options.onQueued(change)
  }

  #schedule(): void {
    if (this.#writing !== null || this.#isScheduled) return
    this.#isScheduled = true
    this.#options.clock.endOfTurn(() => {
      this.#isScheduled = false
      void this.#writeQueued()
    })
  }

  /** Writes group after group until nothing is queued. Never rejects. */
  async #writeQueued(): Promise<void> {
    if (this.#writing !== null) return
    for (let group = this.#queue.shift(); group !== undefined; group = this.#queue.shift()) {
      this.#writing = group
      try {
        await this.#options.write(group)
        this.#count(-group.sizeBytes)
        group.buffers.length = 0
        group.done.resolve()
      } catch (error) {
        this.#failAll(group, error instanceof Error ? error : new Error(String(error)))
      }
    }
    this.#writing = null
    for (const resolve of this.#onQuiet.splice(0)) resolve()
  }

  #failAll(group: WriteGroup, cause: Error): void {
    const failed = [group, ...this.#queue.splice(0)]
    const error = this.#options.onFailure(cause)
    for (const { done, buffers, sizeBytes } of failed) {
      this.#count(-sizeBytes)
      buffers.length = 0
      done.reject(error)
    }
  }

  /** Resolves when nothing is queued and no write is under way. */
  async quiet(): Promise<void> {
    while (this.#writing !== null || this.#queue.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onQuiet.push(resolve)
        void this.#writeQueued()
      })
    }
  }
}
