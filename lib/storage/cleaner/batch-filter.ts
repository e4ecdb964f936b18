/**
 * What is left of one batch: all of it, some of its records, its bare header, or nothing.
 *
 *   kept     the records that are the last of their key, as far as the offset map knows; tombstones
 *            until their delete horizon; control records until theirs
 *   horizon  set at the first cleaning that finds a tombstone, or a marker whose transaction is gone:
 *            now + delete.retention.ms, in baseTimestamp, told by attribute bit 6 (KIP-534)
 *   empty    header without records: for the last batches of a producer the log knows, so that its
 *            sequences go on, and for the last batch of a cleaning, so that its last offset is kept
 *
 * Base offset, last offset, epochs and sequences of a batch never change, and kept records are
 * copied as bytes; only where the base timestamp changes are their timestamp deltas written anew.
 * Source: KIP-534; apache/kafka: MemoryRecords.filterTo, Cleaner.cleanInto.
 */

import { crc32c } from '../../base/crc32c.ts'
import { DecodeError } from '../../base/errors.ts'
import { VarintReader, varlongSize, writeVarint, writeVarlong } from '../../base/varint.ts'
import {
  attribute,
  type BatchHeader,
  codecOf,
  entryHeadSize,
  hasDeleteHorizon,
  headerSize,
  writeInt64,
} from '../../record/batch.ts'
import { compress } from '../../record/compression.ts'
import { RecordCursor } from '../../record/record.ts'
import { decompressedBytesMax } from '../batch-validation.ts'
import type { CleanerOutput } from './output.ts'

/** What is decided about a batch before its records are looked at. */
export interface BatchFate {
  /** None of its records is kept. */
  readonly dropsRecords: boolean
  /** Its header stays even without a record. */
  readonly keepsHeader: boolean
  /** A marker whose transaction has nothing left: its delete horizon is to be set. */
  readonly isSpentMarker: boolean
}

export interface FilterContext {
  /** Where a changed batch is written. */
  readonly output: CleanerOutput
  readonly nowMs: number
  readonly deleteRetentionMs: number
  /** Whether a record of data stays; `cursor` stands at it. */
  readonly keeps: (cursor: RecordCursor, header: BatchHeader) => boolean
  /** Called now and then with many records; gives a promise when it is time to let others run. */
  readonly breathe: () => Promise<void> | null
}

export interface Filtered {
  /** The batch's bytes when nothing changed; null when nothing is left. */
  readonly bytes: Uint8Array | null
  readonly recordsRead: number
  readonly recordsKept: number
}

/** Records between two looks at the clock. */
const recordsAtOnce = 128

/** The batch in `bytes`, which must be sound, as it is to be after the cleaning. DecodeError. */
export async function filterBatch(
  { header, bytes }: { header: BatchHeader; bytes: Buffer },
  fate: BatchFate,
  context: FilterContext,
): Promise<Filtered> {
  const { output } = context
  const empty = () => (fate.keepsHeader ? emptyBatch(header, bytes, output) : null)
  if (fate.dropsRecords) {
    return { bytes: empty(), recordsRead: header.recordCount, recordsKept: 0 }
  }
  const cursor = new RecordCursor(bytes, { maxBytes: decompressedBytesMax })
  const kept = await keptRecords(cursor, header, context)
  const counts = { recordsRead: header.recordCount, recordsKept: kept.count }
  if (kept.count === 0) return { bytes: empty(), ...counts }
  const mayExpire = kept.hasTombstone || fate.isSpentMarker
  const horizonMs =
    mayExpire && !hasDeleteHorizon(header.attributes)
      ? context.nowMs + context.deleteRetentionMs
      : null
  if (kept.count === header.recordCount && horizonMs === null) return { bytes, ...counts }
  const body =
    horizonMs === null ? joined(cursor, kept, output) : rebased(cursor, kept, { horizonMs, output })
  return { bytes: rewritten({ header, bytes, body, horizonMs, kept, output }), ...counts }
}

/** Records that stay, in lists of equal length: where they lie in the cursor's bytes, and their times. */
interface Kept {
  readonly starts: number[]
  readonly ends: number[]
  readonly timestamps: (number | bigint)[]
  sizeBytes: number
  maxTimestamp: number | bigint
  count: number
  hasTombstone: boolean
}

async function keptRecords(
  cursor: RecordCursor,
  header: BatchHeader,
  { keeps, breathe }: FilterContext,
): Promise<Kept> {
  const kept: Kept = {
    starts: [],
    ends: [],
    timestamps: [],
    sizeBytes: 0,
    maxTimestamp: -1,
    count: 0,
    hasTombstone: false,
  }
  let sinceBreath = 0
  while (cursor.next()) {
    if (++sinceBreath === recordsAtOnce) {
      sinceBreath = 0
      const breath = breathe()
      if (breath !== null) await breath
    }
    if (!keeps(cursor, header)) continue
    const { timestamp, startPosition, endPosition } = cursor
    kept.starts.push(startPosition)
    kept.ends.push(endPosition)
    kept.timestamps.push(timestamp)
    kept.sizeBytes += endPosition - startPosition
    if (kept.count === 0 || timestamp > kept.maxTimestamp) kept.maxTimestamp = timestamp
    if (cursor.valueSize < 0) kept.hasTombstone = true
    kept.count++
  }
  return kept
}

/** The records as they are; neighbours are copied in one go. */
function joined(
  { bytes }: RecordCursor,
  { starts, ends, sizeBytes }: Kept,
  output: CleanerOutput,
): Buffer {
  const target = output.scratch(sizeBytes)
  let at = 0
  let from = starts[0] ?? 0
  for (let index = 0; index < ends.length; index++) {
    const end = ends[index] ?? from
    const next = starts[index + 1]
    if (next === end) continue
    at += bytes.copy(target, at, from, end)
    from = next ?? end
  }
  return target
}

/** What a record may grow by: its length by 4 bytes, its timestamp delta from 1 byte to 10. */
const growthMax = 13

/** The records with timestamp deltas that count from the delete horizon. */
function rebased(
  { bytes }: RecordCursor,
  kept: Kept,
  { horizonMs: baseTimestamp, output }: { horizonMs: number; output: CleanerOutput },
): Buffer {
  const target = output.scratch(kept.sizeBytes + kept.count * growthMax)
  const reader = new VarintReader(bytes)
  let at = 0
  for (let index = 0; index < kept.count; index++) {
    const end = kept.ends[index] ?? 0
    reader.position = kept.starts[index] ?? 0
    reader.readVarint()
    const attributes = bytes[reader.position++] ?? 0
    reader.readVarlong()
    const delta = difference(kept.timestamps[index] ?? -1, baseTimestamp)
    at = writeVarint(target, at, 1 + varlongSize(delta) + (end - reader.position))
    target[at++] = attributes
    at = writeVarlong(target, at, delta)
    at += bytes.copy(target, at, reader.position, end)
  }
  return target.subarray(0, at)
}

/** `value - base` as an int64, as Java computes it. */
function difference(value: number | bigint, base: number): number | bigint {
  const delta = typeof value === 'number' ? value - base : Number.NaN
  if (Number.isSafeInteger(delta)) return delta
  return BigInt.asIntN(64, BigInt(value) - BigInt(base))
}

/** The batch with other records: a header of its own, everything else of it as before. */
function rewritten(parts: {
  header: BatchHeader
  bytes: Buffer
  body: Uint8Array
  horizonMs: number | null
  kept: Kept
  output: CleanerOutput
}): Buffer {
  const { header, bytes, kept, horizonMs, output } = parts
  const stored = compress(codecOf(header.attributes), parts.body)
  const batch = output.batch(headerSize + stored.length)
  bytes.copy(batch, 0, 0, headerSize)
  batch.set(stored, headerSize)
  if (horizonMs !== null) {
    batch.writeInt16BE(header.attributes | attribute.deleteHorizon, 21)
    writeInt64(batch, 27, horizonMs)
  }
  // With LogAppendTime each record's time is the batch's largest, which stays as it was.
  batch.writeBigInt64BE(BigInt(kept.maxTimestamp), 35)
  batch.writeInt32BE(kept.count, 57)
  return sealed(batch)
}

/** The batch, of which only the header is needed, without records: no codec, no horizon, its largest timestamp as before. */
export function emptyBatch(header: BatchHeader, bytes: Buffer, output: CleanerOutput): Buffer {
  const batch = output.batch(headerSize)
  bytes.copy(batch, 0, 0, headerSize)
  const kept = attribute.logAppendTime | attribute.transactional | attribute.control
  batch.writeInt16BE(header.attributes & kept, 21)
  writeInt64(batch, 27, -1)
  batch.writeInt32BE(0, 57)
  return sealed(batch)
}

function sealed(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - entryHeadSize, 8)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

/** DecodeError unless the batch is what its CRC says: damage must not get a new, valid CRC. */
export function checkBatch(header: BatchHeader, bytes: Buffer): void {
  const crc = crc32c(bytes.subarray(21))
  if (crc === header.crc) return
  throw new DecodeError(
    `the batch at offset ${header.baseOffset} has CRC ${header.crc}, computed ${crc}`,
  )
}
