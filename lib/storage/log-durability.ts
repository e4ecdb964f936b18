/**
 * What of a log is on the medium, and when that is made so: after each write (durability `fsync`),
 * after flush.messages records or flush.ms, and when a segment is closed. One sync is under way at
 * a time; what is written meanwhile is covered by the next.
 *
 *   recoveryPoint <= flushedEndOffset <= syncedEndOffset <= writtenEndOffset
 *
 * With `fsync` the journal of the log dir serves all logs that wait (journal/group-commit.ts): it
 * moves syncedEndOffset. The segments' own sync moves flushedEndOffset too; the checkpoint file
 * promises that one alone. Bytes are journalled only when all before them are durable, so a journal
 * that goes on where the segments do not has lost nothing in between.
 */

import { type Deferred, deferred } from '../base/deferred.ts'
import { planted } from '../base/planted.ts'
import type { Offset } from '../base/types.ts'
import type { Timer } from '../io/clock.ts'
import { writeFileAtomic } from '../io/disk.ts'
import { asError, isShortage } from './disk-failure.ts'
import { GatheringTask } from './gathering-task.ts'
import type { Committer, WrittenBytes } from './journal/group-commit.ts'
import type { JournalKey } from './journal/journal-block.ts'
import type { LogConfig } from './log-config.ts'
import type { LogHost } from './log-host.ts'
import type { WriteGroup } from './log-writer.ts'
import type { Segment } from './segment.ts'
import { fileSuffix, segmentFileName } from './segment-files.ts'

/** A closed segment whose files are not all durable yet. */
interface Sealed {
  readonly segment: Segment
  readonly endOffset: Offset
  /** Producer state at endOffset. */
  readonly snapshot: Uint8Array
}

export interface LogDurabilityOptions {
  readonly host: LogHost
  readonly config: () => LogConfig
  readonly directory: () => string
  /** What the log is in the journal; null when it cannot be journalled. */
  readonly journalKey: JournalKey | null
  /** The synced end has moved; all up to `position` of `segment` is durable. */
  readonly onSynced: (endOffset: Offset, segment: Segment, position: number) => void
  /** A failed sync: never retried. Gives the error for those who wait. */
  readonly onFailure: (error: Error) => Error
}

const never = Number.MAX_SAFE_INTEGER

export class LogDurability implements Committer {
  readonly journalKey: JournalKey | null
  readonly #options: LogDurabilityOptions
  readonly #syncs = new GatheringTask(() => this.#sync())
  readonly #seals = new GatheringTask(() => this.#flushSealed())
  /** Segments with bytes that are written and not synced, oldest first. */
  readonly #unsynced = new Set<Segment>()
  #sealed: Sealed[] = []
  #unsyncedRecords = 0
  #writtenEndOffset: Offset
  #syncedEndOffset: Offset
  #flushedEndOffset: Offset
  /** Written and not durable, oldest first, held for the journal. */
  #pending: WrittenBytes[] = []
  #waiters: { readonly endOffset: Offset; readonly done: Deferred<void> }[] = []
  #recoveryPoint: Offset
  /** Where the log is about to be cut. */
  #cutOffset: Offset = never
  #last: Segment
  #timer: Timer | null = null
  #isClosed = false
  /** A sync failed: whatever is asked later fails too, as a second try may lie (the pages count as clean). */
  #failure: Error | null = null

  /** All up to `endOffset`, which lies in `active`, is durable. */
  constructor(endOffset: Offset, active: Segment, options: LogDurabilityOptions) {
    this.#options = options
    this.journalKey = options.journalKey
    this.#writtenEndOffset = endOffset
    this.#syncedEndOffset = endOffset
    this.#flushedEndOffset = endOffset
    this.#recoveryPoint = endOffset
    this.#last = active
  }

  get syncedEndOffset(): Offset {
    return this.#syncedEndOffset
  }

  /** What comes before is durable with its indexes: recovery begins in the segment that holds it. */
  get recoveryPoint(): Offset {
    const unsealed = this.#sealed[0]?.segment.baseOffset ?? never
    this.#recoveryPoint = Math.max(this.#recoveryPoint, Math.min(this.#flushedEndOffset, unsealed))
    return Math.min(this.#recoveryPoint, this.#cutOffset)
  }

  /** The bytes of `group` were written to its segment. */
  written(group: WriteGroup): void {
    const { segment, endOffset } = group
    this.#unsynced.add(segment)
    this.#last = segment
    const isFsync = this.#options.config()['ottla.durability'] === 'fsync'
    if (isFsync) this.#hold(group)
    this.#writtenEndOffset = endOffset
    this.#unsyncedRecords += group.recordCount
    if (planted.ackBeforeSync) this.#advance(endOffset, segment, segment.writtenBytes)
    if (isFsync) this.#options.host.commits.request(this)
    else if (this.#unsyncedRecords >= this.#options.config()['flush.messages']) {
      void this.#syncs.request().catch(() => {})
    } else this.armTimer()
    if (this.#sealed.length > 0) void this.#seals.request().catch(() => {})
  }

  /** Keeps the views for the journal; without room for them the segment is synced. */
  #hold({ segment, position, endOffset, sizeBytes, buffers }: WriteGroup): void {
    if (this.journalKey === null || sizeBytes === 0) return
    if (!this.#options.host.commits.hold(sizeBytes)) return this.#dropPending(never)
    const baseOffset = this.#writtenEndOffset
    const views = buffers.slice()
    this.#pending.push({ segment, position, baseOffset, endOffset, sizeBytes, buffers: views })
  }

  /** Lets go of what ends at `endOffset` or before. */
  #dropPending(endOffset: Offset): void {
    let count = 0
    let sizeBytes = 0
    for (const written of this.#pending) {
      if (written.endOffset > endOffset) break
      sizeBytes += written.sizeBytes
      count++
    }
    if (count === 0) return
    this.#pending = this.#pending.slice(count)
    this.#options.host.commits.hold(-sizeBytes)
  }

  get pending(): readonly WrittenBytes[] {
    const [first] = this.#pending
    const isNext = first !== undefined && first.baseOffset <= this.#syncedEndOffset
    return isNext ? this.#pending : []
  }

  journalled({ endOffset, segment, position, sizeBytes }: WrittenBytes): void {
    this.#advance(endOffset, segment, position + sizeBytes)
  }

  commitFailed(error: Error): void {
    this.#fail(error)
  }

  /** The segments are synced when it resolves. */
  async flush(): Promise<void> {
    this.#checkFailure()
    if (!this.#isClosed) await this.#syncs.request()
  }

  /** `segment` takes no more batches; what is queued for it is still to be written. */
  seal(segment: Segment, endOffset: Offset, snapshot: Uint8Array): void {
    this.#sealed.push({ segment, endOffset, snapshot })
  }

  /** The segment is gone. */
  forget(segment: Segment): void {
    this.#unsynced.delete(segment)
    this.#sealed = this.#sealed.filter((sealed) => sealed.segment !== segment)
  }

  /**
   * Before a cut: what the journal holds beyond `offset` is void, and the recovery point not beyond
   * it, durably. Everything is synced first, so that no checkpoint syncs, and reports as synced, what is cut meanwhile.
   */
  async noteCut(offset: Offset): Promise<void> {
    await this.flush()
    if (this.recoveryPoint > offset) {
      this.#cutOffset = offset
      await this.#options.host.saveRecoveryPoints()
    }
    if (this.journalKey === null) return
    await this.#options.host.commits.noteTruncation(this.journalKey, offset)
  }

  /** After a cut: the log ends at `endOffset`, durably, in `active`. */
  cutTo(endOffset: Offset, active: Segment): void {
    this.forget(active)
    this.#dropPending(never)
    this.#last = active
    this.#writtenEndOffset = endOffset
    this.#syncedEndOffset = Math.min(this.#syncedEndOffset, endOffset)
    this.#flushedEndOffset = Math.min(this.#flushedEndOffset, endOffset)
    this.#recoveryPoint = Math.min(this.#recoveryPoint, endOffset)
    this.#cutOffset = never
  }

  /** flush.ms counts from the first byte that is not synced. */
  armTimer(): void {
    const flushMs = this.#options.config()['flush.ms']
    if (flushMs >= never || this.#timer !== null || this.#unsynced.size === 0) return
    const fire = () => {
      this.#timer = null
      void this.#syncs.request().catch(() => {})
    }
    this.#timer = this.#options.host.env.clock.timer(flushMs, fire, { unref: true })
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Resolves when all that is written now is durable: by the commit that has it, or by a sync of its own. */
  async sync(): Promise<void> {
    this.#checkFailure()
    const endOffset = this.#writtenEndOffset
    if (endOffset <= this.#syncedEndOffset) return
    if (this.#pending.length === 0) return this.#syncs.request()
    const done = deferred()
    this.#waiters.push({ endOffset, done })
    return done.promise
  }

  /** Resolves when also closed segments are durable with their indexes. */
  async syncAll(): Promise<void> {
    await this.#syncs.request()
    await this.#seals.request()
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    this.#cancelTimer()
    await this.#options.host.commits.quiet(this)
    await this.#syncs.idle()
    await this.#seals.idle()
  }

  /** No commit has to do with the log any more; no checkpoint either if it `isSettled`: synced, or gone. */
  close({ isSettled }: { isSettled: boolean }): void {
    this.#isClosed = true
    if (!isSettled) this.#failure ??= new Error('the log was closed before it was synced')
    this.#options.host.commits.forget(this, { isSettled })
    this.#dropPending(never)
    this.#rejectWaiters(new Error('the log is closed'))
  }

  async #sync(): Promise<void> {
    this.#cancelTimer()
    this.#checkFailure()
    const endOffset = this.#writtenEndOffset
    const segment = this.#last
    const position = segment.writtenBytes
    this.#unsyncedRecords = 0
    try {
      for (const dirty of this.#unsynced) await this.#syncSegment(dirty)
    } catch (error) {
      throw this.#fail(error)
    }
    this.#flushed(endOffset)
    this.#advance(endOffset, segment, position)
  }

  #flushed(endOffset: Offset): void {
    const end = Math.min(endOffset, this.#writtenEndOffset)
    this.#flushedEndOffset = Math.max(this.#flushedEndOffset, end)
  }

  async #syncSegment(segment: Segment): Promise<void> {
    try {
      if (segment.syncedBytes < segment.writtenBytes) {
        const sync = () => segment.sync()
        await this.#options.host.runSync(planted.syncRetried ? () => sync().catch(sync) : sync)
      }
    } catch (error) {
      // Its files went while the sync was under way.
      if (!segment.isRemoved) throw error
    }
    if (segment.syncedBytes >= segment.writtenBytes) this.#unsynced.delete(segment)
  }

  #advance(endOffset: Offset, segment: Segment, position: number): void {
    // A cut may have come in between: then what was synced is no more.
    const end = Math.min(endOffset, this.#writtenEndOffset)
    if (end <= this.#syncedEndOffset) return
    this.#syncedEndOffset = end
    segment.durableBytes = Math.max(segment.durableBytes, position)
    this.#dropPending(end)
    while (this.#waiters[0] !== undefined && this.#waiters[0].endOffset <= end) {
      this.#waiters.shift()?.done.resolve()
    }
    this.#options.onSynced(end, segment, position)
  }

  /** Makes closed segments durable with their indexes and the producer state at their end. */
  async #flushSealed(): Promise<void> {
    this.#checkFailure()
    try {
      for (let next = this.#sealed[0]; next !== undefined; next = this.#sealed[0]) {
        // Part of it may still be queued: the next write asks again.
        if (next.segment.writtenBytes < next.segment.sizeBytes) return
        await this.#flush(next)
        if (this.#sealed[0] === next) this.#sealed.shift()
      }
    } catch (error) {
      // Without space the files wait for the next closing; recovery would make them anew.
      if (isShortage(error)) return
      throw this.#fail(error)
    }
  }

  #checkFailure(): void {
    if (this.#failure !== null) throw this.#failure
  }

  #fail(cause: unknown): Error {
    this.#failure = this.#options.onFailure(asError(cause))
    this.#dropPending(never)
    this.#rejectWaiters(this.#failure)
    return this.#failure
  }

  #rejectWaiters(error: Error): void {
    for (const { done } of this.#waiters.splice(0)) done.reject(error)
  }

  async #flush({ segment, endOffset, snapshot }: Sealed): Promise<void> {
    if (segment.isRemoved) return
    await this.#syncSegment(segment)
    await segment.flushIndexes({ isSynced: true })
    if (segment.isRemoved) return
    const name = segmentFileName(endOffset, fileSuffix.snapshot)
    const path = `${this.#options.directory()}/${name}`
    await writeFileAtomic(this.#options.host.env.disk, path, snapshot)
    for (const other of this.#unsynced) if (other.baseOffset <= segment.baseOffset) return
    this.#flushed(endOffset)
    this.#advance(endOffset, segment, segment.writtenBytes)
  }
}
