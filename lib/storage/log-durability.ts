/**
 * What of a log is on the medium, and when that is made so: after each write (durability `fsync`),
 * after flush.messages records or flush.ms, and when a segment is closed. One sync is under way at
 * a time; what is written meanwhile is covered by the next.
 *
 * The seam for a journal: it takes this class's place, answers `written` by journalling the bytes,
 * and moves syncedEndOffset when the journal is synced.
 */

import { planted } from '../base/planted.ts'
import type { Offset } from '../base/types.ts'
import type { Timer } from '../io/clock.ts'
import { hasErrorCode, writeFileAtomic } from '../io/disk.ts'
import { asError } from './disk-failure.ts'
import { GatheringTask } from './gathering-task.ts'
import type { LogConfig } from './log-config.ts'
import type { LogHost } from './log-host.ts'
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
  /** The synced end has moved; the log's file is synced up to `position` of `segment`. */
  readonly onSynced: (endOffset: Offset, segment: Segment, position: number) => void
  /** A failed sync: never retried. Gives the error for those who wait. */
  readonly onFailure: (error: Error) => Error
}

const never = Number.MAX_SAFE_INTEGER

export class LogDurability {
  readonly #options: LogDurabilityOptions
  readonly #syncs = new GatheringTask(() => this.#sync())
  readonly #seals = new GatheringTask(() => this.#flushSealed())
  /** Segments with bytes that are written and not synced, oldest first. */
  readonly #unsynced = new Set<Segment>()
  #sealed: Sealed[] = []
  #unsyncedRecords = 0
  #writtenEndOffset: Offset
  #syncedEndOffset: Offset
  #recoveryPoint: Offset
  #last: Segment
  #timer: Timer | null = null
  /** A sync failed: whatever is asked later fails too, as a second try may lie (the pages count as clean). */
  #failure: Error | null = null

  /** All up to `endOffset`, which lies in `active`, is durable. */
  constructor(endOffset: Offset, active: Segment, options: LogDurabilityOptions) {
    this.#options = options
    this.#writtenEndOffset = endOffset
    this.#syncedEndOffset = endOffset
    this.#recoveryPoint = endOffset
    this.#last = active
  }

  get syncedEndOffset(): Offset {
    return this.#syncedEndOffset
  }

  /** What comes before is durable with its indexes: recovery begins in the segment that holds it. */
  get recoveryPoint(): Offset {
    const unsealed = this.#sealed[0]?.segment.baseOffset ?? never
    this.#recoveryPoint = Math.max(this.#recoveryPoint, Math.min(this.#syncedEndOffset, unsealed))
    return this.#recoveryPoint
  }

  /** Bytes up to `endOffset`, the last in `segment`, were written. */
  written(segment: Segment, endOffset: Offset, recordCount: number): void {
    this.#unsynced.add(segment)
    this.#last = segment
    this.#writtenEndOffset = endOffset
    this.#unsyncedRecords += recordCount
    const config = this.#options.config()
    const isDue =
      config['ottla.durability'] === 'fsync' || this.#unsyncedRecords >= config['flush.messages']
    if (planted.ackBeforeSync) this.#advance(endOffset, segment, segment.writtenBytes)
    if (isDue) void this.#syncs.request().catch(() => {})
    else this.armTimer()
    if (this.#sealed.length > 0) void this.#seals.request().catch(() => {})
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

  /** After a cut: the log ends at `endOffset`, durably, in `active`. */
  cutTo(endOffset: Offset, active: Segment): void {
    this.forget(active)
    this.#last = active
    this.#writtenEndOffset = endOffset
    this.#syncedEndOffset = Math.min(this.#syncedEndOffset, endOffset)
    this.#recoveryPoint = Math.min(this.#recoveryPoint, endOffset)
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

  /** Resolves when all that is written now is durable. */
  sync(): Promise<void> {
    return this.#syncs.request()
  }

  /** Resolves when also closed segments are durable with their indexes. */
  async syncAll(): Promise<void> {
    await this.#syncs.request()
    await this.#seals.request()
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    this.#cancelTimer()
    await this.#syncs.idle()
    await this.#seals.idle()
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
    this.#advance(endOffset, segment, position)
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
      if (hasErrorCode(error, 'ENOSPC')) return
      throw this.#fail(error)
    }
  }

  #checkFailure(): void {
    if (this.#failure !== null) throw this.#failure
  }

  #fail(cause: unknown): Error {
    this.#failure = this.#options.onFailure(asError(cause))
    return this.#failure
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
    this.#advance(endOffset, segment, segment.writtenBytes)
  }
}
