/**
 * A log: one partition's record batches, in segments. The hot path of the broker.
 *
 *   logStartOffset <= syncedEndOffset <= writtenEndOffset <= logEndOffset
 *
 * `append` is synchronous: it validates, gives out offsets, patches the batch in place and queues
 * the views. All that is queued in a turn of the event loop goes out as one write; while a write is
 * under way the next one gathers. Views are dropped when they are written, with `fsync` when they
 * are synced. A failed write
 * fails everything queued after it, because offsets were given out already, and is never retried.
 * With durability `fsync` each write asks the commit of the log dir for a sync (log-durability.ts).
 *
 * Source: apache/kafka: storage/.../log/UnifiedLog.java, LocalLog.java; KIP-98.
 */

import { assert } from '../base/assert.ts'
import { DecodeError, KafkaError } from '../base/errors.ts'
import { planted } from '../base/planted.ts'
import {
  type LeaderEpoch,
  type Offset,
  type TopicId,
  type TopicPartition,
  topicPartitionName,
} from '../base/types.ts'
import {
  lastOffsetOf,
  patchCreateTime,
  patchLogAppendTime,
  patchOffsetAndEpoch,
  type RecordBatch,
} from '../record/batch.ts'
import type { AppendInfo } from './append-info.ts'
import { checkSize, claimsAppendTime, validateBatch, withWantedCodec } from './batch-validation.ts'
import { asError, isDiskFailure, isShortage } from './disk-failure.ts'
import { EpochFile } from './epoch-file.ts'
import { GatheringTask } from './gathering-task.ts'
import { journalKeyOf } from './journal/journal-block.ts'
import type { EpochEndOffset, LeaderEpochCache } from './leader-epochs.ts'
import type { LogConfig } from './log-config.ts'
import { LogDurability } from './log-durability.ts'
import type { LogHost } from './log-host.ts'
import {
  type LogPosition,
  type LogRead,
  LogReader,
  type ReadOptions,
  type TimestampedOffset,
} from './log-reader.ts'
import type { LogState } from './log-state.ts'
import { LogWriter, type WriteGroup } from './log-writer.ts'
import { rebuildProducers } from './producer-recovery.ts'
import { encodeProducerSnapshot, saveProducerSnapshot } from './producer-snapshot.ts'
import type { ProducerBatch, ProducerStates } from './producer-state.ts'
import { ReadFailures } from './read-failures.ts'
import type { RecordCheck } from './record-check.ts'
import { isRollDue, newSegment } from './roll.ts'
import type { Segment } from './segment.ts'
import { removeLater, runStart } from './segment-runs.ts'

export type { AppendInfo } from './append-info.ts'
export type { LogConfig } from './log-config.ts'
export type { LogPosition, LogRead, ReadOptions, TimestampedOffset } from './log-reader.ts'

export class Log {
  readonly topicPartition: TopicPartition
  readonly topicId: TopicId | null
  readonly leaderEpochs: LeaderEpochCache
  readonly epochFile: EpochFile
  readonly name: string
  /** Written or synced end has moved. */
  onProgress: () => void = () => {}
  /** What the topic asks of each record; null when nothing, which costs nothing. */
  recordCheck: RecordCheck | null = null
  readonly #host: LogHost
  readonly #producers: ProducerStates
  readonly #reader: LogReader
  readonly #writer: LogWriter
  readonly #durability: LogDurability
  readonly #readFailures: ReadFailures
  readonly #resumes = new GatheringTask(() => this.#resume())
  #directory: string
  #config: LogConfig
  #segments: Segment[]
  #active: Segment
  #logStartOffset: Offset
  /** It was advanced by request, and that is not on the medium: nobody who asks for it again is told so. */
  #isStartUnsaved = false
  #logEndOffset: Offset
  #writtenEndOffset: Offset
  #recoveryPoint: Offset
  #failure: Error | null
  /** The disk was full: appends wait for `resume`, reads go on. */
  #isFull = false
  /** While segments are cut nothing may be appended. */
  #isExclusive = false
  /** The end of which a producer snapshot is on disk (an empty log needs none); -1 = of none. */
  #snapshotOffset: Offset
  #generation = 0
  /** Files of replaced segments are being renamed. */
  #settling: Promise<void> | null = null

  constructor(state: LogState, config: LogConfig, host: LogHost) {
    const active = state.segments.at(-1)
    assert(active !== undefined, `${state.directory}: a log without segments`)
    this.topicPartition = state.topicPartition
    this.name = topicPartitionName(state.topicPartition)
    this.topicId = state.topicId
    this.leaderEpochs = state.leaderEpochs
    this.epochFile = new EpochFile({
      disk: host.env.disk,
      epochs: state.leaderEpochs,
      isBehind: state.lacksEpochs === true,
      directory: () => (this.#failure === null ? this.#directory : null),
      onFailure: (error) => this.#failed(error),
    })
    this.#host = host
    this.#producers = state.producers
    this.#directory = state.directory
    this.#config = config
    this.#segments = state.segments
    this.#active = active
    this.#logStartOffset = state.logStartOffset
    this.#logEndOffset = state.logEndOffset
    this.#writtenEndOffset = state.logEndOffset
    this.#failure = state.failure
    this.#snapshotOffset = state.isSettled ? state.logEndOffset : -1
    this.#recoveryPoint = state.recoveryPoint
    this.#writer = new LogWriter({
      clock: host.env.clock,
      write: (group) => this.#write(group),
      onFailure: (error) => this.#onWriteFailure(error),
      onQueued: (change) => host.bytesQueued(change),
    })
    this.#durability = new LogDurability(state.logEndOffset, active, {
      host,
      config: () => this.#config,
      directory: () => this.#directory,
      journalKey: journalKeyOf(state),
      onSynced: (endOffset, segment, position) => {
        this.#reader.addHint(endOffset, segment, position)
        this.onProgress()
      },
      onFailure: (error) => this.#failed(error),
    })
    this.#reader = new LogReader(this, host.buffers)
    this.#readFailures = new ReadFailures(host.env.log, this.name)
  }

  get directory(): string {
    return this.#directory
  }
  get config(): LogConfig {
    return this.#config
  }
  get logStartOffset(): Offset {
    return this.#logStartOffset
  }
  /** The offset the next record gets. */
  get logEndOffset(): Offset {
    return this.#logEndOffset
  }
  get writtenEndOffset(): Offset {
    return this.#writtenEndOffset
  }
  get syncedEndOffset(): Offset {
    return this.#durability.syncedEndOffset
  }
  /** What comes before is synced with its indexes and epochs; recovery begins in the segment that holds it. */
  get recoveryPoint(): Offset {
    // Of a log that is offline it stays: lower, what is damaged would count as torn, and be cut.
    if (this.#failure === null) {
      const { unsavedOffset } = this.epochFile
      this.#recoveryPoint = Math.min(this.#durability.recoveryPoint, unsavedOffset)
    }
    return this.#recoveryPoint
  }
  /** Why the log is offline; null when it is not. */
  get failure(): Error | null {
    return this.#failure
  }
  get isFull(): boolean {
    return this.#isFull
  }
  /** Bytes appended that the disk has not taken yet. */
  get waitingBytes(): number {
    return this.#writer.waitingBytes
  }
  get sizeBytes(): number {
    let size = 0
    for (const segment of this.#segments) size += segment.sizeBytes
    return size
  }
  /** Oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments
  }
  /** Changes when written bytes are cut or dropped. */
  get generation(): number {
    return this.#generation
  }
  get producers(): ProducerStates {
    return this.#producers
  }

  setConfig(config: LogConfig): void {
    this.#config = config
    this.#durability.armTimer()
  }

  /**
   * Appends one batch as the leader: synchronous, the bytes go out at the end of the turn. The
   * batch is patched in place and belongs to the log for good. CORRUPT_MESSAGE,
   * INVALID_RECORD, INVALID_TIMESTAMP (both with `recordErrors`), MESSAGE_TOO_LARGE,
   * RECORD_LIST_TOO_LARGE, INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER,
   * INVALID_TXN_STATE, KAFKA_STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER (while it is cut or closed).
   */
  append(batch: RecordBatch, { leaderEpoch }: { leaderEpoch: LeaderEpoch }): AppendInfo {
    this.#checkWritable()
    const config = this.#config
    const nowMs = this.#host.env.clock.nowMs()
    validateBatch(batch, config, { nowMs, where: this.name })
    const duplicate =
      batch.header.producerId < 0 ? null : this.#producers.check(batch.header, this.name)
    if (duplicate !== null) return this.#answerAgain(duplicate)
    this.recordCheck?.(batch, this.name)
    const isAppendTime = config['message.timestamp.type'] === 'LogAppendTime'
    if (!isAppendTime && claimsAppendTime(batch)) patchCreateTime(batch)
    const stored = withWantedCodec(batch, config)
    if (stored !== batch) checkSize(stored.header.sizeBytes, config, this.name)
    patchOffsetAndEpoch(stored, this.#logEndOffset, leaderEpoch)
    if (isAppendTime) patchLogAppendTime(stored, nowMs)
    const written = this.#enqueue(stored, nowMs)
    return {
      baseOffset: stored.header.baseOffset,
      lastOffset: lastOffsetOf(stored.header),
      logAppendTimeMs: isAppendTime ? nowMs : -1,
      logStartOffset: this.#logStartOffset,
      isDuplicate: false,
      written,
    }
  }

  #checkWritable(): void {
    if (this.#failure !== null) throw this.#offlineError()
    if (this.#isFull)
      throw new KafkaError(
        'KAFKA_STORAGE_ERROR',
        `${this.name}: the disk is full, or no file handle is left`,
      )
    const refusal = this.#host.refusal
    if (refusal !== null) throw new KafkaError('KAFKA_STORAGE_ERROR', `${this.name}: ${refusal}`)
    if (this.#isExclusive) {
      throw new KafkaError('NOT_LEADER_OR_FOLLOWER', `${this.name} is being cut or closed`)
    }
  }

  #offlineError(): KafkaError {
    const message = `${this.name} is offline: ${this.#failure?.message}`
    return new KafkaError('KAFKA_STORAGE_ERROR', message, { cause: this.#failure })
  }

  #answerAgain(batch: ProducerBatch): AppendInfo {
    const isAppendTime = this.#config['message.timestamp.type'] === 'LogAppendTime'
    // The first sending may still wait for its write; then this one waits with it.
    const isWritten = batch.lastOffset < this.#writtenEndOffset
    return {
      baseOffset: batch.firstOffset,
      lastOffset: batch.lastOffset,
      logAppendTimeMs: isAppendTime ? batch.timestamp : -1,
      logStartOffset: this.#logStartOffset,
      isDuplicate: true,
      written: (isWritten ? null : this.#writer.lastWrite) ?? Promise.resolve(),
    }
  }

  /** Takes in a batch that has its offsets: everything but the bytes on disk is updated at once. */
  #enqueue(batch: RecordBatch, nowMs: number): Promise<void> {
    const { header } = batch
    const endOffset = lastOffsetOf(header) + 1
    if (isRollDue(this.#active, header, { config: this.#config, nowMs })) this.#roll()
    const segment = this.#active
    const position = segment.sizeBytes
    segment.addBatch(header, position, this.#config['index.interval.bytes'])
    segment.sizeBytes += header.sizeBytes
    this.#producers.update(header, nowMs)
    this.leaderEpochs.assign(header.partitionLeaderEpoch, header.baseOffset)
    this.#logEndOffset = endOffset
    const group = this.#writer.group(segment, position, this.#isNew(segment))
    const { sizeBytes, recordCount } = header
    this.#writer.add(group, batch.chunks, { sizeBytes, recordCount, endOffset })
    return group.done.promise
  }

  /** Whether the file of `segment` is still to be made. */
  #isNew(segment: Segment): boolean {
    return segment.writtenBytes === 0 && segment !== this.#segments[0]
  }

  /** Closes the active segment and goes on in a new one, from the log end offset. No IO here. */
  #roll(): void {
    const sealed = this.#active
    const baseOffset = this.#logEndOffset
    assert(
      baseOffset > sealed.baseOffset,
      `${this.name}: a new segment at ${baseOffset}, the last begins at ${sealed.baseOffset}`,
    )
    sealed.seal()
    const snapshot = encodeProducerSnapshot(this.#producers.entries())
    this.#durability.seal(sealed, baseOffset, snapshot)
    const directory = this.#directory
    this.#active = newSegment(this.#host, this.#config, { directory, baseOffset })
    this.#segments = [...this.#segments, this.#active]
  }

  async #write(group: WriteGroup): Promise<void> {
    const { segment } = group
    if (group.isNewSegment) {
      await segment.create()
      if (!planted.rollUnsynced) await this.#host.env.disk.syncDir(this.#directory)
    }
    await segment.write(group.buffers, group.position)
    segment.writtenBytes = group.position + group.sizeBytes
    this.#writtenEndOffset = Math.max(this.#writtenEndOffset, group.endOffset)
    this.onProgress()
    this.#durability.written(group)
  }

  /** A full disk, or no handle left, stops appends for a while; any other failure takes the log offline. */
  #onWriteFailure(error: Error): Error {
    if (!isShortage(error)) return this.#failed(error)
    this.#isFull = true
    this.#host.onFailure(this, error)
    return new KafkaError('KAFKA_STORAGE_ERROR', `${this.name}: ${error.message}`, { cause: error })
  }

  /** No append and no read from now on: KAFKA_STORAGE_ERROR. */
  goOffline(error: Error): void {
    this.#failure ??= error
  }

  /** A failed disk operation is never retried: the log dir decides what follows. */
  #failed(cause: unknown): KafkaError {
    const error = asError(cause)
    this.goOffline(error)
    this.#host.onFailure(this, error)
    return this.#offlineError()
  }

  /** Resolves when all that is written now is on the medium. KAFKA_STORAGE_ERROR. */
  async sync(): Promise<void> {
    if (this.#failure !== null) throw this.#offlineError()
    await this.#durability.sync()
  }

  /**
   * Whole batches from the one that holds `startOffset` on, at most `maxBytes` but for the first,
   * before `endOffset` and within what is written. OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR,
   * CORRUPT_MESSAGE.
   */
  async read(startOffset: Offset, options: ReadOptions): Promise<LogRead> {
    if (startOffset > this.#logEndOffset) {
      throw new KafkaError(
        'OFFSET_OUT_OF_RANGE',
        `offset ${startOffset} of ${this.name} is beyond the log end offset ${this.#logEndOffset}`,
      )
    }
    return this.#reading(() => this.#reader.read(startOffset, options))
  }

  /** The first record at or after a time, before `endOffset`; null when there is none. */
  offsetForTimestamp(timestampMs: number, endOffset: Offset): Promise<TimestampedOffset | null> {
    return this.#reading(() => this.#reader.offsetForTimestamp(timestampMs, endOffset))
  }

  /** The record with the largest timestamp, if before `endOffset`; null when there is none. */
  maxTimestampOffset(endOffset: Offset): Promise<TimestampedOffset | null> {
    return this.#reading(() => this.#reader.maxTimestampOffset(endOffset))
  }

  async #reading<T>(read: () => Promise<T>): Promise<T> {
    if (this.#failure !== null) throw this.#offlineError()
    try {
      return await read()
    } catch (error) {
      const isOfDisk = !(error instanceof KafkaError || error instanceof DecodeError)
      if (!isOfDisk || !isDiskFailure(error)) throw this.#readFailures.asKafkaError(error)
      throw this.#failed(error)
    }
  }

  /** Bytes from `position` to the written or synced end; Infinity when they span segments. */
  bytesAfter(position: LogPosition, upTo: 'written' | 'synced'): number {
    const active = this.#active
    if (position.segmentBaseOffset !== active.baseOffset) return Number.POSITIVE_INFINITY
    const end = upTo === 'written' ? active.writtenBytes : active.durableBytes
    return Math.max(end - position.position, 0)
  }

  /** The largest epoch known up to `epoch` and where it ends; (-1, -1) when `epoch` is too new. */
  endOffsetForEpoch(epoch: LeaderEpoch): EpochEndOffset {
    return this.leaderEpochs.endOffsetFor(epoch, this.#logEndOffset)
  }

  /** DeleteRecords: what lies before `offset` is gone, for good once this resolves. OFFSET_OUT_OF_RANGE. */
  async advanceLogStart(offset: Offset): Promise<void> {
    if (this.#failure !== null) throw this.#offlineError()
    if (offset > this.#logEndOffset || offset < 0) {
      throw new KafkaError(
        'OFFSET_OUT_OF_RANGE',
        `log start offset ${offset} for ${this.name}, its log end offset is ${this.#logEndOffset}`,
      )
    }
    if (offset > this.#logStartOffset) {
      this.#logStartOffset = offset
      this.leaderEpochs.truncateFromStart(offset)
      this.#isStartUnsaved = true
    }
    if (!this.#isStartUnsaved || planted.logStartUnsaved) return
    const saved = this.#logStartOffset
    await this.#host.saveLogStarts()
    if (this.#logStartOffset === saved) this.#isStartUnsaved = false
  }

  /**
   * Drops the first `count` segments: at once for readers, on disk after file.delete.delay.ms. If
   * that is all of them, the log goes on in a new one. Retention decides which (retention.ts).
   */
  async deleteOldest(count: number): Promise<void> {
    if (count === 0 || this.#failure !== null || this.#isExclusive) return
    if (count === this.#segments.length) {
      if (this.#active.sizeBytes === 0) return this.deleteOldest(count - 1)
      this.#roll()
      const group = this.#writer.group(this.#active, 0, true)
      this.#writer.add(group, [], { sizeBytes: 0, recordCount: 0, endOffset: this.#logEndOffset })
    }
    const dropped = this.#segments.slice(0, count)
    this.#segments = this.#segments.slice(count)
    this.#generation++
    const start = this.#segments[0]?.baseOffset ?? this.#logEndOffset
    for (const segment of dropped) segment.isRemoved = true
    if (start > this.#logStartOffset) {
      this.#logStartOffset = start
      this.leaderEpochs.truncateFromStart(start)
    }
    try {
      await this.#settling?.catch(() => {})
      // Durable first: a crash between two renames must not leave a hole that counts.
      await this.#host.saveLogStarts()
      // Only now may the journal forget what of them was not synced.
      for (const segment of dropped) this.#durability.forget(segment)
      for (const segment of dropped) await segment.markDeleted()
    } catch (error) {
      throw this.#failed(error)
    }
    removeLater(this.#host.env, this, dropped)
  }

  /**
   * Readers get `replacement` for `replaced`, a run of closed segments, from now on; `settleFiles`
   * then brings the files in order. False, and nothing is done, when they are no longer that run.
   */
  async replaceSegments(
    replaced: readonly Segment[],
    replacement: Segment,
    settleFiles: () => Promise<void>,
  ): Promise<boolean> {
    if (this.#failure !== null || this.#isExclusive) return false
    const at = runStart(this.#segments, replaced)
    if (at === -1 || replaced.includes(this.#active)) return false
    this.#segments = this.#segments.toSpliced(at, replaced.length, replacement)
    this.#generation++
    for (const segment of replaced) {
      segment.isRemoved = true
      this.#durability.forget(segment)
    }
    this.#settling = settleFiles().finally(() => {
      this.#settling = null
    })
    await this.#settling
    return true
  }

  /** Cuts the log so that it ends at `offset` or at the batch border before it. For followers. */
  async truncateTo(offset: Offset): Promise<void> {
    if (this.#failure !== null) throw this.#offlineError()
    if (offset >= this.#logEndOffset && !this.#isFull) return
    this.#isExclusive = true
    try {
      await this.#quiesce()
      const endOffset = Math.min(offset, this.#writtenEndOffset)
      await this.#durability.noteCut(endOffset)
      await this.#cut(endOffset)
    } catch (error) {
      throw this.#failed(error)
    } finally {
      this.#isExclusive = false
    }
  }

  /** After a full disk: cuts what was half written and takes appends again; a second cut would take those. */
  resume(): Promise<void> {
    return this.#resumes.request()
  }

  async #resume(): Promise<void> {
    if (!this.#isFull || this.#failure !== null) return
    await this.truncateTo(this.#writtenEndOffset)
    this.#isFull = false
  }

  async #cut(offset: Offset): Promise<void> {
    const { disk } = this.#host.env
    this.#generation++
    this.#reader.clearHints()
    while (this.#segments.length > 1 && (this.#segments.at(-1)?.baseOffset ?? 0) > offset) {
      const segment = this.#segments.at(-1)
      if (segment === undefined) break
      this.#segments = this.#segments.slice(0, -1)
      this.#durability.forget(segment)
      await segment.removeFiles()
    }
    const active = this.#segments.at(-1)
    assert(active !== undefined, `${this.name}: cut to nothing`)
    await active.create()
    // The written end needs no looking for: headers on the way there may be rotten.
    const isEnd = offset === this.#writtenEndOffset
    const position = isEnd ? active.writtenBytes : await this.#reader.positionIn(active, offset)
    await active.truncate(position)
    await disk.syncDir(this.#directory)
    this.#active = active
    this.#logEndOffset = offset
    this.#writtenEndOffset = offset
    this.#durability.cutTo(offset, active)
    this.#snapshotOffset = -1
    this.leaderEpochs.truncateFromEnd(offset)
    this.#producers.clear()
    await rebuildProducers({
      disk,
      directory: this.#directory,
      segments: this.#segments,
      producers: this.#producers,
      endOffset: offset,
      nowMs: this.#host.env.clock.nowMs(),
    })
    await this.epochFile.save()
    this.#generation++
    this.onProgress()
  }

  /** Resolves when no write, no sync and no renaming is queued or under way. */
  async #quiesce(): Promise<void> {
    await this.#settling?.catch(() => {})
    await this.#writer.quiet()
    await this.#durability.idle()
    await this.epochFile.idle()
  }

  /** Everything synced and in its files; the log takes no more calls. KAFKA_STORAGE_ERROR. */
  async close(): Promise<void> {
    this.#isExclusive = true
    await this.#quiesce()
    const isSettled = this.#failure === null && !this.#isFull
    if (isSettled) {
      try {
        await this.#durability.syncAll()
        await this.epochFile.settle()
        this.#active.seal()
        await this.#active.flushIndexes({ isSynced: true })
        const [disk, end] = [this.#host.env.disk, this.#logEndOffset]
        if (this.#snapshotOffset !== end)
          await saveProducerSnapshot({ disk, directory: this.#directory }, end, this.#producers)
        this.#recoveryPoint = this.#logEndOffset
      } catch (error) {
        throw this.#failed(error)
      }
    }
    await this.#end({ isSettled })
  }

  /** Closes the files as they are. For a log that is removed: the journal forgets it. */
  async abandon(): Promise<void> {
    this.#isExclusive = true
    await this.#end({ isSettled: true })
  }

  async #end({ isSettled }: { isSettled: boolean }): Promise<void> {
    this.goOffline(new Error('the log is closed'))
    await this.#quiesce()
    this.#durability.close({ isSettled })
    for (const segment of this.#segments) await segment.close().catch(() => {})
  }

  /** After its directory was renamed. */
  moveTo(directory: string): void {
    this.#directory = directory
    for (const segment of this.#segments) segment.directory = directory
  }
}
