/**
 * One segment of a log: a `.log` file of whole batches, its two sparse indexes, and how far it is
 * written and synced. Positions are bytes in the `.log` file.
 *
 *   0 <= syncedBytes <= durableBytes <= writtenBytes <= sizeBytes    (sizeBytes: given out, part of it still queued)
 *
 * The file is opened when it is first needed and may be closed between uses (segment-pool.ts);
 * `remove` lets reads under way end first. The indexes of the active segment live in memory and are
 * written when it is rolled, flushed or closed; after a crash they are rebuilt.
 * Source: apache/kafka: storage/.../log/LogSegment.java.
 */

import { assert } from '../base/assert.ts'
import { deferred } from '../base/deferred.ts'
import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import { type Disk, type DiskFile, hasErrorCode, readFile } from '../io/disk.ts'
import { type BatchHeader, lastOffsetOf } from '../record/batch.ts'
import { asError } from './disk-failure.ts'
import { lastEntriesHold, positionHolds, timeHolds } from './index-check.ts'
import { OffsetIndex, offsetEntrySize, readOffsetIndex } from './offset-index.ts'
import { scanBatches, walkHeaders } from './scan.ts'
import { type FileMark, type FileSuffix, fileSuffix, segmentFileName } from './segment-files.ts'
import type { Pooled, SegmentPool } from './segment-pool.ts'
import { readTimeIndex, TimeIndex, type TimestampOffset, timeEntrySize } from './time-index.ts'
import { isNoFile, moveAway } from './unusable.ts'

export interface SegmentOptions {
  readonly disk: Disk
  readonly pool: SegmentPool
  /** The log's directory. */
  readonly directory: string
  readonly baseOffset: Offset
  /** Wall clock: stands for the record time of a segment without any. */
  readonly createdMs: number
  /** Taken off segment.ms, so that segments made together are not all rolled together. */
  readonly rollJitterMs?: number
  /** What hangs behind the names of its files; '' for a segment in use. */
  readonly mark?: FileMark
}

interface Indexes {
  offset: OffsetIndex
  time: TimeIndex
}

const indexBytesMax = 64 * 1024 * 1024
/** A log file of more bytes has index entries, but for one enormous batch. */
const unindexedBytesMax = 1024 * 1024
/** Offsets in an index count from the segment's first. */
export const relativeOffsetMax = 0x7fffffff
/** Read and written at a time by `rewriteFrom`. */
const rewriteBytes = 1024 * 1024

/** Whoever read it meets the segment that took its place, or none, when it looks again. */
export class SegmentRemovedError extends DecodeError {}

export class Segment implements Pooled {
  readonly baseOffset: Offset
  readonly createdMs: number
  readonly rollJitterMs: number
  directory: string
  sizeBytes = 0
  writtenBytes = 0
  syncedBytes = 0
  /** Synced here, or in the journal. */
  durableBytes = 0
  /** maxTimestamp of the first batch: what segment.ms counts from. -1 = unknown. */
  firstTimestamp = -1
  isRemoved = false
  /** `.cleaned` or `.swap` on its way in, `.deleted` on its way out. */
  mark: FileMark
  /** Whether the index files hold what the indexes in memory do. */
  #indexesFlushed = false
  /** Entries are still added: the indexes cannot be dropped. */
  #isActive = true
  #indexes: Indexes | null = null
  #loading: Promise<Indexes> | null = null
  /** The largest maxTimestamp and the last offset of the first batch that has it; null = ask the index. */
  #maxTimestamp: TimestampOffset | null = null
  #bytesSinceIndexEntry = 0
  #countedIndexBytes = 0
  #file: DiskFile | null = null
  #opening: Promise<DiskFile> | null = null
  /** What closing the file said while bytes of it were not synced. */
  #closeFailure: Error | null = null
  #userCount = 0
  #onIdle: (() => void) | null = null
  readonly #disk: Disk
  readonly #pool: SegmentPool

  constructor(options: SegmentOptions) {
    this.#disk = options.disk
    this.#pool = options.pool
    this.directory = options.directory
    this.baseOffset = options.baseOffset
    this.createdMs = options.createdMs
    this.rollJitterMs = options.rollJitterMs ?? 0
    this.mark = options.mark ?? ''
  }

  /** Path of one of the segment's files. */
  path(suffix: FileSuffix): string {
    return `${this.directory}/${segmentFileName(this.baseOffset, suffix)}${this.mark}`
  }

  /** For a segment whose file is there and whole, `sizeBytes` long. `isActive`: batches will follow. */
  adopt(sizeBytes: number, { isActive, isSynced }: { isActive: boolean; isSynced: boolean }): void {
    this.sizeBytes = sizeBytes
    this.writtenBytes = sizeBytes
    this.syncedBytes = isSynced ? sizeBytes : 0
    this.durableBytes = this.syncedBytes
    this.#isActive = isActive
    this.#indexesFlushed = !isActive
  }

  /** Starts with empty indexes in memory. For a new segment, and before they are rebuilt. */
  startIndexes(): void {
    this.#dropIndexes()
    this.#indexes = {
      offset: new OffsetIndex(this.baseOffset),
      time: new TimeIndex(this.baseOffset),
    }
    this.#maxTimestamp = { timestamp: -1, offset: this.baseOffset }
    this.#bytesSinceIndexEntry = 0
    this.firstTimestamp = -1
    this.#indexesFlushed = false
  }

  /** Notes a batch that lies, or will lie, at `position`: index entry if one is due, times. */
  addBatch(header: BatchHeader, position: number, indexIntervalBytes: number): void {
    const indexes = this.#indexes
    assert(indexes !== null, `segment ${this.baseOffset}: a batch without indexes in memory`)
    const lastOffset = lastOffsetOf(header)
    if (position === 0) this.firstTimestamp = header.maxTimestamp
    if (this.#maxTimestamp === null || header.maxTimestamp > this.#maxTimestamp.timestamp) {
      this.#maxTimestamp = { timestamp: header.maxTimestamp, offset: lastOffset }
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      indexes.offset.append(lastOffset, position)
      indexes.time.maybeAppend(this.#maxTimestamp.timestamp, this.#maxTimestamp.offset)
      this.#bytesSinceIndexEntry = 0
      this.#indexesFlushed = false
    }
    this.#bytesSinceIndexEntry += header.sizeBytes
  }

  /** Whether an index has no room for another entry (the time index keeps one for the closing). */
  isIndexFull(segmentIndexBytes: number): boolean {
    const indexes = this.#indexes
    if (indexes === null) return false
    return (
      indexes.offset.entryCount >= Math.floor(segmentIndexBytes / offsetEntrySize) ||
      indexes.time.entryCount >= Math.floor(segmentIndexBytes / timeEntrySize) - 1
    )
  }

  /** No batch will follow: the time index gets its last entry. */
  seal(): void {
    this.#addLastTime()
    this.#isActive = false
  }

  #addLastTime(): void {
    const { timestamp, offset } = this.#maxTimestamp ?? { timestamp: -1, offset: 0 }
    const time = this.#indexes?.time
    if (time === undefined || timestamp <= time.last.timestamp) return
    time.maybeAppend(timestamp, offset)
    this.#indexesFlushed = false
  }

  /** The largest maxTimestamp of a batch here, with the last offset of the first that has it; -1 = none. */
  async maxTimestamp(): Promise<TimestampOffset> {
    this.#maxTimestamp ??= (await this.indexes()).time.last
    return this.#maxTimestamp
  }

  /** Whether index files still have to be written. */
  get needsIndexFlush(): boolean {
    return !this.#indexesFlushed && this.#indexes !== null
  }

  /** Writes both index files; with `isSynced` they are on the medium when it resolves. */
  async flushIndexes({ isSynced }: { isSynced: boolean }): Promise<void> {
    const indexes = this.#indexes
    if (indexes === null || this.#indexesFlushed) return
    if (!this.#isActive) this.#addLastTime()
    const files: [FileSuffix, Uint8Array][] = [
      [fileSuffix.index, indexes.offset.bytes.slice()],
      [fileSuffix.timeIndex, indexes.time.bytes.slice()],
    ]
    const wasActive = this.#isActive
    for (const [suffix, bytes] of files) {
      const file = await this.#openIndex(this.path(suffix))
      try {
        await file.truncate(bytes.length)
        if (bytes.length > 0) await file.writeAt([bytes], 0)
        if (isSynced) await file.sync()
      } finally {
        await file.close()
      }
    }
    if (wasActive) return
    this.#indexesFlushed = true
    this.#countIndexBytes()
  }

  #countIndexBytes(): void {
    const bytes = this.droppableIndexBytes
    this.#pool.indexBytesChanged(bytes - this.#countedIndexBytes)
    this.#countedIndexBytes = bytes
  }

  /** The indexes: from memory, from their files, or rebuilt from the log when the files are no good. */
  indexes(): Promise<Indexes> | Indexes {
    if (this.#indexes !== null) return this.#indexes
    this.#loading ??= this.#loadIndexes().finally(() => {
      this.#loading = null
    })
    return this.#loading
  }

  async #loadIndexes(): Promise<Indexes> {
    // Its names may be another's by now: the read is repeated with what took its place.
    if (this.isRemoved) throw new SegmentRemovedError(`segment ${this.baseOffset} was removed`)
    const offsetBytes = await this.#readIndex(fileSuffix.index)
    const timeBytes = await this.#readIndex(fileSuffix.timeIndex)
    const offset = offsetBytes && readOffsetIndex(this.baseOffset, offsetBytes, this.writtenBytes)
    const time = timeBytes && readTimeIndex(this.baseOffset, timeBytes)
    const isUsable =
      offset !== null &&
      time !== null &&
      !(await this.#lacksEntries(offset, time)) &&
      (await this.use((file) => lastEntriesHold(file, { offset, time }, this.writtenBytes)))
    if (isUsable) {
      this.#indexes = { offset, time }
      this.#indexesFlushed = true
      // A segment is closed with its largest time as the last entry.
      this.#maxTimestamp ??= time.last
    } else await this.rebuildIndexes(4096)
    assert(this.#indexes !== null, `segment ${this.baseOffset}: no indexes after loading them`)
    this.#countIndexBytes()
    this.#pool.touch(this)
    return this.#indexes
  }

  /** Null when there is none, or nothing that can be an index: the log has all that is in one. */
  async #readIndex(suffix: FileSuffix): Promise<Uint8Array | null> {
    const path = this.path(suffix)
    try {
      return await readFile(this.#disk, path, indexBytesMax)
    } catch (error) {
      if (error instanceof DecodeError) return null
      if (!isNoFile(error)) throw error
      await moveAway(this.#disk, path)
      return null
    }
  }

  async #openIndex(path: string): Promise<DiskFile> {
    try {
      return await this.#disk.open(path, 'create')
    } catch (error) {
      if (!isNoFile(error)) throw error
      await moveAway(this.#disk, path)
      return this.#disk.open(path, 'create')
    }
  }

  /** A byte at which a batch begins, at or before the one that holds `offset`. */
  async positionBefore(offset: Offset): Promise<number> {
    const entry = (await this.indexes()).offset.floorEntry(offset)
    if (entry === null) return 0
    if (await this.use((file) => positionHolds(file, entry))) return entry.position
    if (this.#isActive) return 0
    await this.rebuildIndexes(4096)
    return (await this.indexes()).offset.floor(offset)
  }

  /** An offset up to which every record is older than `timestamp`; baseOffset when none is known. */
  async offsetBefore(timestamp: number): Promise<Offset> {
    const entry = (await this.indexes()).time.floorEntry(timestamp)
    if (entry === null) return this.baseOffset
    const range = {
      from: await this.positionBefore(entry.offset),
      to: this.writtenBytes,
      isLast: false,
    }
    if (await this.use((file) => timeHolds(file, entry, range))) return entry.offset
    if (this.#isActive) return this.baseOffset
    await this.rebuildIndexes(4096)
    return (await this.indexes()).time.floor(timestamp)
  }

  /** Whether empty index files are a loss: times are there to be indexed, or much log is. */
  async #lacksEntries(offset: OffsetIndex, time: TimeIndex): Promise<boolean> {
    if (this.writtenBytes > unindexedBytesMax && offset.entryCount === 0) return true
    if (this.writtenBytes === 0 || time.entryCount > 0) return false
    let hasTime = false
    await this.use((file) =>
      walkHeaders(file, { from: 0, to: this.writtenBytes }, (header) => {
        hasTime = header.maxTimestamp >= 0
        return true
      }),
    )
    return hasTime
  }

  /** Makes the indexes anew by walking the batches; for a closed segment also writes their files. */
  async rebuildIndexes(indexIntervalBytes: number): Promise<void> {
    this.startIndexes()
    let nextOffset = this.baseOffset
    await this.use((file) =>
      scanBatches(file, { from: 0, to: this.writtenBytes }, (header, _, position) => {
        const lastOffset = lastOffsetOf(header)
        // Offsets are outside the CRC. Who reads a rotten one is told; an index cannot hold it.
        const isPossible = header.baseOffset >= nextOffset && lastOffset >= header.baseOffset
        if (!isPossible || lastOffset - this.baseOffset > relativeOffsetMax) return undefined
        nextOffset = lastOffset + 1
        this.addBatch(header, position, indexIntervalBytes)
        return undefined
      }),
    )
    if (this.#isActive) return
    this.#addLastTime()
    await this.flushIndexes({ isSynced: true })
  }

  /** Makes the files of a new segment. The directory has to be synced by the caller. */
  async create(): Promise<void> {
    await this.use(async () => {}, 'create')
  }

  /** Writes at `position`, which must be the end of what is written. */
  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    assert(position === this.writtenBytes, `write at ${position} after ${this.writtenBytes} bytes`)
    await this.use((file) => file.writeAt(buffers, position))
  }

  /** Makes durable what is written. */
  async sync(): Promise<void> {
    const bytes = this.writtenBytes
    await this.use((file) => file.sync())
    this.#noteSynced(bytes)
  }

  #noteSynced(bytes: number): void {
    this.syncedBytes = Math.max(this.syncedBytes, bytes)
    this.durableBytes = Math.max(this.durableBytes, bytes)
  }

  /**
   * Makes durable what a process before this one left from `position` on, by writing it once more:
   * after a sync that failed the pages count as clean, and a sync alone would pass over them. What
   * comes before is durable.
   */
  async rewriteFrom(position: number): Promise<void> {
    const end = this.writtenBytes
    if (position >= end) return this.#noteSynced(end)
    const buffer = Buffer.allocUnsafeSlow(Math.min(rewriteBytes, Math.max(end - position, 0)))
    await this.use(async (file) => {
      for (let at = position; at < end; ) {
        const count = await file.readAt(buffer.subarray(0, Math.min(buffer.length, end - at)), at)
        if (count === 0) break
        await file.writeAt([buffer.subarray(0, count)], at)
        at += count
      }
    })
    await this.sync()
  }

  /** Cuts the file at `position`, a batch border, and both indexes with it. */
  async truncate(position: number): Promise<void> {
    const indexes = await this.indexes()
    indexes.offset.truncateToPosition(position)
    await this.use(async (file) => {
      await file.truncate(position)
      await file.sync()
    })
    this.sizeBytes = position
    this.writtenBytes = position
    this.syncedBytes = position
    this.durableBytes = position
    this.#isActive = true
    // The times of what is left are only known from reading it.
    await this.rebuildIndexes(4096)
  }

  /** Calls `fn` with the open file, which stays open until the promise settles. */
  async use<T>(fn: (file: DiskFile) => Promise<T>, mode: 'write' | 'create' = 'write'): Promise<T> {
    this.#userCount++
    try {
      this.#pool.touch(this)
      if (this.#file === null) {
        this.#opening ??= this.#open(mode)
        this.#file = await this.#opening.finally(() => {
          this.#opening = null
        })
      }
      return await fn(this.#file)
    } finally {
      this.#userCount--
      if (this.#userCount === 0) {
        this.#onIdle?.()
        this.#pool.released(this)
      }
    }
  }

  async #open(mode: 'write' | 'create'): Promise<DiskFile> {
    if (this.#closeFailure !== null) throw this.#closeFailure
    const turn = this.#pool.enter()
    if (turn !== null) await turn
    try {
      return await this.#disk.open(this.path(fileSuffix.log), mode)
    } catch (error) {
      this.#pool.leave()
      throw error
    }
  }

  get isOpen(): boolean {
    return this.#file !== null
  }

  /**
   * Also with bytes that are not synced: a sync is of the file, whichever handle asks for it, and one
   * that opens it later is told of a write-back that failed meanwhile (Linux since 4.16).
   */
  get isIdle(): boolean {
    return this.#userCount === 0
  }

  get droppableIndexBytes(): number {
    const indexes = this.#indexes
    if (indexes === null || this.#isActive || !this.#indexesFlushed) return 0
    return indexes.offset.bytes.length + indexes.time.bytes.length
  }

  /** Never rejects. */
  async rest(): Promise<void> {
    if (!this.#isActive && this.#indexesFlushed) this.#dropIndexes()
    try {
      await this.#closeFile()
    } catch (error) {
      // Of what is synced nothing can be lost.
      if (this.syncedBytes < this.writtenBytes) this.#closeFailure = asError(error)
    }
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    if (file === null) return
    this.#file = null
    try {
      await file.close()
    } finally {
      this.#pool.leave()
    }
  }

  #dropIndexes(): void {
    this.#indexes = null
    this.#countIndexBytes()
  }

  /**
   * Renames the files to `.deleted`: gone for a loading, still there for reads under way. A snapshot
   * stays when a segment that takes this one's place has it too.
   */
  async markDeleted({ keepsSnapshot = false } = {}): Promise<void> {
    this.isRemoved = true
    await this.rename('.deleted', { keepsSnapshot })
  }

  /** Renames the files, the log file first, as recovery wants it; one that is not there is left out. */
  async rename(mark: FileMark, { keepsSnapshot = false } = {}): Promise<void> {
    const before = this.mark
    const name = (suffix: FileSuffix, marked: string) =>
      `${this.directory}/${segmentFileName(this.baseOffset, suffix)}${marked}`
    // Whoever opens a file from now on finds the new name or none, never another segment's file.
    this.mark = mark
    for (const suffix of Object.values(fileSuffix)) {
      if (suffix === fileSuffix.snapshot && keepsSnapshot) continue
      try {
        await this.#disk.rename(name(suffix, before), name(suffix, mark))
      } catch (error) {
        if (!hasErrorCode(error, 'ENOENT')) throw error
      }
    }
  }

  /** Removes the files for good, once reads under way have ended. */
  async removeFiles(): Promise<void> {
    this.isRemoved = true
    await this.close()
    for (const suffix of Object.values(fileSuffix)) await this.#disk.remove(this.path(suffix))
  }

  /** No new use from now on; resolves when those under way have ended and the file is closed. */
  async close(): Promise<void> {
    this.#pool.forget(this)
    if (this.#userCount > 0) {
      const idle = deferred()
      this.#onIdle = () => idle.resolve()
      await idle.promise
      this.#onIdle = null
    }
    this.#pool.forget(this)
    await this.#closeFile()
  }
}
