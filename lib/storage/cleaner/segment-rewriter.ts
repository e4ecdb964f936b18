/**
 * Writes the segments of a group, filtered, into one new segment with the base offset of the first:
 * `.log.cleaned`, `.index.cleaned`, `.timeindex.cleaned` and, where aborted transactions are left,
 * `.txnindex.cleaned`. All of it is synced when `rewrite` resolves; nobody knows of it yet.
 */

import { planted } from '../../base/planted.ts'
import type { Offset } from '../../base/types.ts'
import { writeFileAtomic } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import {
  type BatchHeader,
  hasDeleteHorizon,
  headerSize,
  isControl,
  lastOffsetOf,
  readBatchHeader,
} from '../../record/batch.ts'
import type { RecordCursor } from '../../record/record.ts'
import { Segment } from '../segment.ts'
import { fileSuffix } from '../segment-files.ts'
import type { SegmentPool } from '../segment-pool.ts'
import { encodeTransactionIndex } from '../transaction-index.ts'
import { type BatchFate, emptyBatch, type FilterContext, filterBatch } from './batch-filter.ts'
import type { LogToClean } from './log-to-clean.ts'
import type { OffsetMap } from './offset-map.ts'
import type { CleanerOutput } from './output.ts'
import type { CleanerPace } from './pace.ts'
import { SegmentBatches } from './segment-batches.ts'
import type { CleanedTransactions } from './transactions.ts'

/** What a cleaning of a log works with, from its first group to the last. */
export interface Rewriting {
  readonly env: Env
  readonly pool: SegmentPool
  /** Runs a sync when the disk may take one more. */
  readonly runSync: (sync: () => Promise<void>) => Promise<void>
  readonly log: LogToClean
  readonly map: OffsetMap
  readonly output: CleanerOutput
  readonly transactions: CleanedTransactions
  readonly pace: CleanerPace
  readonly signal: AbortSignal
  readonly nowMs: number
  /** Bytes read, and bytes written, at a time. */
  readonly pieceBytes: number
}

/** Neighbouring segments that become one. */
export interface SegmentGroup {
  readonly segments: readonly Segment[]
  /**
   * Where the next segment begins. The batch that ends there keeps its header, so that no offset is
   * missing between two files: recovery could not tell that from a lost one.
   */
  readonly endOffset: Offset
}

export interface Rewritten {
  readonly segment: Segment
  /** Not one byte differs from the only segment it was made from. */
  readonly isSame: boolean
  readonly bytesRead: number
  readonly recordsRead: number
  readonly recordsKept: number
  /** Records without a key, which a compacted log cannot keep. */
  readonly keylessDropped: number
}

/** Output gathered before it is written. */
const writeBytesMin = 64 * 1024
/** The new file is synced in parts: one large sync would hold up those of the producers. */
const syncEveryBytes = 1024 * 1024

/** The new segment, synced, for a group of neighbours. DecodeError, CleaningStopped, native errors. */
export async function rewriteGroup(rewriting: Rewriting, group: SegmentGroup): Promise<Rewritten> {
  const writer = new SegmentRewriter(rewriting, group)
  try {
    await writer.begin()
    for (const [index, segment] of group.segments.entries()) {
      const endOffset = group.segments[index + 1]?.baseOffset ?? group.endOffset
      await writer.addSegment(segment, endOffset)
    }
    return await writer.finish()
  } catch (error) {
    await writer.segment.removeFiles()
    throw error
  }
}

class SegmentRewriter {
  readonly segment: Segment
  readonly #rewriting: Rewriting
  readonly #groupEndOffset: Offset
  readonly #filter: FilterContext
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  /** Views in #pending that lie in a piece, which the next piece overwrites. */
  #isCopied = true
  #unsyncedBytes = 0
  #isSame: boolean
  #bytesRead = 0
  #recordsRead = 0
  #recordsKept = 0
  #keylessDropped = 0
  /** The last batch that went as a whole, as long as nothing stayed: its header. */
  #dropped: { readonly header: BatchHeader; readonly bytes: Buffer } | null = null

  constructor(rewriting: Rewriting, { segments, endOffset }: SegmentGroup) {
    this.#rewriting = rewriting
    this.#groupEndOffset = endOffset
    this.#isSame = segments.length === 1
    const { env, pool, log, pace, signal } = rewriting
    this.segment = new Segment({
      disk: env.disk,
      pool,
      directory: log.directory,
      baseOffset: segments[0]?.baseOffset ?? 0,
      createdMs: segments.at(-1)?.createdMs ?? 0,
      mark: '.cleaned',
    })
    this.segment.startIndexes()
    rewriting.output.clear()
    this.#filter = {
      output: rewriting.output,
      nowMs: rewriting.nowMs,
      deleteRetentionMs: log.config['delete.retention.ms'],
      keeps: (cursor, header) => this.#keeps(cursor, header),
      breathe: () => (pace.isDue ? pace.rest(signal) : null),
    }
  }

  /** Makes the file, without what an earlier try may have left in it. */
  async begin(): Promise<void> {
    await this.segment.create()
    await this.segment.use((file) => file.truncate(0))
  }

  async addSegment(source: Segment, endOffset: Offset): Promise<void> {
    const { pace, signal, pieceBytes } = this.#rewriting
    const batches = new SegmentBatches(source, { from: 0, endOffset, pieceBytes })
    for (let piece = await batches.nextPiece(); piece !== null; piece = await batches.nextPiece()) {
      await pace.spend(piece.length, signal)
      this.#bytesRead += piece.length
      for (let at = 0; at < piece.length; ) {
        const batch = batches.batchIn(piece, at)
        await this.#addBatch(batch)
        at += batch.header.sizeBytes
        if (pace.isDue) await pace.rest(signal)
      }
      await this.#endPiece()
    }
  }

  async #addBatch(batch: { header: BatchHeader; bytes: Buffer }): Promise<void> {
    const filtered = await filterBatch(batch, this.#fateOf(batch), this.#filter)
    this.#recordsRead += filtered.recordsRead
    this.#recordsKept += filtered.recordsKept
    const { bytes } = filtered
    if (bytes !== batch.bytes) this.#isSame = false
    if (bytes === null) {
      if (this.segment.sizeBytes === 0) this.#noteDropped(batch)
      return
    }
    if (bytes === batch.bytes) this.#isCopied = false
    this.#append(bytes)
  }

  #append(bytes: Uint8Array): void {
    const { segment } = this
    const header = readBatchHeader(bytes)
    const interval = this.#rewriting.log.config['index.interval.bytes']
    segment.addBatch(header, segment.sizeBytes, interval)
    segment.sizeBytes += bytes.length
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
  }

  /** The header of a batch that may have to stand for all, when nothing is left: a segment is never empty. */
  #noteDropped({ header, bytes }: { header: BatchHeader; bytes: Buffer }): void {
    this.#dropped = { header, bytes: Buffer.from(bytes.subarray(0, headerSize)) }
  }

  #fateOf({ header, bytes }: { header: BatchHeader; bytes: Buffer }): BatchFate {
    const { transactions, nowMs } = this.#rewriting
    const keepsHeader =
      this.#isLastOfProducer(header) || lastOffsetOf(header) + 1 === this.#groupEndOffset
    if (!isControl(header.attributes)) {
      return { dropsRecords: transactions.onBatch(header), keepsHeader, isSpentMarker: false }
    }
    const isSpent = transactions.onControlBatch({ header, chunks: [bytes] })
    const hasExpired = hasDeleteHorizon(header.attributes) && header.baseTimestamp <= nowMs
    return { dropsRecords: isSpent && hasExpired, keepsHeader, isSpentMarker: isSpent }
  }

  /** Whether the log knows this batch as one of the last of its producer: its sequences go on there. */
  #isLastOfProducer(header: BatchHeader): boolean {
    if (header.producerId < 0) return false
    const entry = this.#rewriting.log.producers.get(header.producerId)
    if (entry === undefined) return false
    const lastOffset = lastOffsetOf(header)
    if (entry.batches.length > 0) {
      return entry.batches.some((batch) => batch.lastOffset === lastOffset)
    }
    // Only a marker is left of it, which holds the epoch.
    return isControl(header.attributes) && header.producerEpoch === entry.producerEpoch
  }

  #keeps(cursor: RecordCursor, header: BatchHeader): boolean {
    if (isControl(header.attributes)) return true
    const { map, nowMs } = this.#rewriting
    if (cursor.offset > map.latestOffset) return true
    if (cursor.keySize < 0) {
      this.#keylessDropped++
      return false
    }
    if (cursor.offset < map.get(cursor)) return false
    const hasHorizon = hasDeleteHorizon(header.attributes)
    return cursor.valueSize >= 0 || !hasHorizon || nowMs < header.baseTimestamp
  }

  /** The piece is about to be overwritten: writes what was gathered, or keeps a copy when it is little. */
  async #endPiece(): Promise<void> {
    if (this.#pendingBytes >= writeBytesMin) return this.#flush()
    if (this.#isCopied) return
    this.#pending = this.#pendingBytes > 0 ? [Buffer.concat(this.#pending)] : []
    this.#isCopied = true
    this.#rewriting.output.clear()
  }

  async #flush(): Promise<void> {
    if (this.#pendingBytes === 0) return
    const { pace, signal, runSync } = this.#rewriting
    const { segment } = this
    await segment.write(this.#pending, segment.writtenBytes)
    segment.writtenBytes += this.#pendingBytes
    this.#unsyncedBytes += this.#pendingBytes
    this.#rewriting.output.clear()
    await pace.spend(this.#pendingBytes, signal)
    this.#pending = []
    this.#pendingBytes = 0
    this.#isCopied = true
    if (this.#unsyncedBytes < syncEveryBytes) return
    this.#unsyncedBytes = 0
    await runSync(() => segment.sync())
  }

  async finish(): Promise<Rewritten> {
    const { env, transactions, runSync } = this.#rewriting
    const { segment } = this
    if (segment.sizeBytes === 0 && this.#dropped !== null) {
      const { header, bytes } = this.#dropped
      this.#append(emptyBatch(header, bytes, this.#rewriting.output))
    }
    await this.#flush()
    const kept = transactions.takeKept()
    if (kept.length > 0) {
      const path = segment.path(fileSuffix.txnIndex)
      await writeFileAtomic(env.disk, path, encodeTransactionIndex(kept))
    }
    segment.seal()
    if (!planted.cleanerBytesUnsynced) await runSync(() => segment.sync())
    await segment.flushIndexes({ isSynced: true })
    return {
      segment,
      isSame: this.#isSame,
      bytesRead: this.#bytesRead,
      recordsRead: this.#recordsRead,
      recordsKept: this.#recordsKept,
      keylessDropped: this.#keylessDropped,
    }
  }
}
