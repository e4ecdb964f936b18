/**
 * One cleaning of one log: the keys of the dirty part go into the offset map, then every segment
 * before its end is written anew without the records that the map knows a later one for.
 *
 * When the map is full, the cleaning ends where it was filled, and what follows stays dirty: the
 * next cleaning begins there.
 * Source: apache/kafka: Cleaner.doClean, buildOffsetMap.
 */

import type { Offset } from '../../base/types.ts'
import type { Env } from '../../io/env.ts'
import { type BatchHeader, isControl, lastOffsetOf } from '../../record/batch.ts'
import { RecordCursor } from '../../record/record.ts'
import { decompressedBytesMax } from '../batch-validation.ts'
import type { Segment } from '../segment.ts'
import type { SegmentPool } from '../segment-pool.ts'
import { hashKeyBytes } from './key-hash.ts'
import type { LogToClean } from './log-to-clean.ts'
import { OffsetMap } from './offset-map.ts'
import { CleanerOutput } from './output.ts'
import { type CleanerPace, CleaningStopped } from './pace.ts'
import { SegmentBatches } from './segment-batches.ts'
import { groupSegments } from './segment-groups.ts'
import { rewriteGroup } from './segment-rewriter.ts'
import { CleanedTransactions } from './transactions.ts'

/** Puts a cleaned segment in the place of those it was made from; false when they are not there any more. */
export type SwapIn = (replaced: readonly Segment[], replacement: Segment) => Promise<boolean>

/** The log cannot be cleaned as it is. */
export class UncleanableError extends Error {
  override readonly name = 'UncleanableError'
}

export interface CleaningTools {
  readonly env: Env
  readonly pool: SegmentPool
  readonly runSync: (sync: () => Promise<void>) => Promise<void>
  readonly pace: CleanerPace
  readonly signal: AbortSignal
  readonly swapIn: SwapIn
  readonly mapBytesMax: number
  readonly mapLoadFactor: number
  readonly pieceBytes: number
}

export interface Cleaning {
  /** What comes before is clean now. */
  readonly endOffset: Offset
  readonly keys: number
  readonly segmentsBefore: number
  readonly segmentsAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly recordsBefore: number
  readonly recordsAfter: number
  readonly keylessDropped: number
}

/** Cleans what may be cleaned. DecodeError, UncleanableError, CleaningStopped, native errors. */
export async function cleanLog(log: LogToClean, tools: CleaningTools): Promise<Cleaning> {
  const { env, pool, runSync, pace, signal, pieceBytes, swapIn } = tools
  const nowMs = env.clock.nowMs()
  const map = await buildMap(log, tools)
  const endOffset = map.latestOffset + 1
  const segments = log.segments.filter(({ baseOffset }) => baseOffset < endOffset)
  const lastEndOffset = log.segments[segments.length]?.baseOffset ?? log.endOffset
  const transactions = new CleanedTransactions()
  transactions.add(log.aborted)
  const result = {
    endOffset,
    keys: map.size,
    segmentsBefore: segments.length,
    segmentsAfter: 0,
    bytesBefore: 0,
    bytesAfter: 0,
    recordsBefore: 0,
    recordsAfter: 0,
    keylessDropped: 0,
  }
  const tooling = {
    ...{ env, pool, runSync, log, map, transactions, pace, signal, nowMs, pieceBytes },
    output: new CleanerOutput(),
  }
  const groups = groupSegments(segments, lastEndOffset, log.config)
  for (const [index, group] of groups.entries()) {
    signal.throwIfAborted()
    const groupEndOffset = groups[index + 1]?.[0]?.baseOffset ?? lastEndOffset
    const rewritten = await rewriteGroup(tooling, { segments: group, endOffset: groupEndOffset })
    const { segment } = rewritten
    result.segmentsAfter++
    result.bytesBefore += rewritten.bytesRead
    result.bytesAfter += segment.sizeBytes
    result.recordsBefore += rewritten.recordsRead
    result.recordsAfter += rewritten.recordsKept
    result.keylessDropped += rewritten.keylessDropped
    if (rewritten.isSame) await segment.removeFiles()
    else if (signal.aborted || !(await swapIn(group, segment))) {
      throw new CleaningStopped(`${log.name}: its segments changed`)
    }
  }
  return result
}

/** The last offset of each key of the dirty part, as far as they fit. */
async function buildMap(log: LogToClean, tools: CleaningTools): Promise<OffsetMap> {
  const { env, mapBytesMax, mapLoadFactor } = tools
  const { segments, firstDirtyOffset, aborted } = log
  const map = new OffsetMap({
    maxBytes: mapBytesMax,
    loadFactor: mapLoadFactor,
    keysMax: log.endOffset - firstDirtyOffset,
    hashKey: env.random.bytes(hashKeyBytes),
  })
  const transactions = new CleanedTransactions()
  transactions.add(aborted.filter(({ lastOffset }) => lastOffset >= firstDirtyOffset))
  for (const [index, segment] of segments.entries()) {
    const endOffset = segments[index + 1]?.baseOffset ?? log.endOffset
    if (endOffset <= firstDirtyOffset) continue
    const filling = { map, transactions, firstDirtyOffset, segment, endOffset }
    if (!(await addSegment(filling, tools))) break
    // Records that an earlier cleaning took away at the end of the segment are covered too.
    map.latestOffset = Math.max(map.latestOffset, endOffset - 1)
  }
  if (map.latestOffset < firstDirtyOffset) {
    throw new UncleanableError(
      `${log.name}: one batch at offset ${firstDirtyOffset} has more keys than the map holds (${map.capacity}); raise log.cleaner.dedupe.buffer.size`,
    )
  }
  return map
}

interface Filling {
  readonly map: OffsetMap
  readonly transactions: CleanedTransactions
  readonly firstDirtyOffset: Offset
  readonly segment: Segment
  /** Where the next one begins. */
  readonly endOffset: Offset
}

/** Adds the keys of a segment; false when the map got full. */
async function addSegment(filling: Filling, tools: CleaningTools): Promise<boolean> {
  const { map, segment, firstDirtyOffset, transactions, endOffset } = filling
  const { pace, signal, pieceBytes } = tools
  const from = (await segment.indexes()).offset.floor(firstDirtyOffset)
  const batches = new SegmentBatches(segment, { from, endOffset, pieceBytes })
  for (let piece = await batches.nextPiece(); piece !== null; piece = await batches.nextPiece()) {
    await pace.spend(piece.length, signal)
    for (let at = 0; at < piece.length; ) {
      const { header, bytes } = batches.batchIn(piece, at)
      at += header.sizeBytes
      if (isControl(header.attributes)) {
        transactions.onControlBatch({ header, chunks: [bytes] })
      } else if (!transactions.onBatch(header)) {
        if (!(await addRecords(filling, { header, bytes }, tools))) return false
      }
      if (lastOffsetOf(header) >= firstDirtyOffset) map.latestOffset = lastOffsetOf(header)
      if (pace.isDue) await pace.rest(signal)
    }
  }
  return true
}

/** Records between two looks at the clock. */
const recordsAtOnce = 128

async function addRecords(
  { map, firstDirtyOffset }: Filling,
  { header, bytes }: { header: BatchHeader; bytes: Buffer },
  { pace, signal }: CleaningTools,
): Promise<boolean> {
  if (lastOffsetOf(header) < firstDirtyOffset) return true
  const cursor = new RecordCursor(bytes, { maxBytes: decompressedBytesMax })
  for (let count = 1; cursor.next(); count++) {
    if (count % recordsAtOnce === 0 && pace.isDue) await pace.rest(signal)
    if (cursor.keySize < 0 || cursor.offset < firstDirtyOffset) continue
    if (map.isFull) return false
    map.put(cursor)
  }
  return true
}
