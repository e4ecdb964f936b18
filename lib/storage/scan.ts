/**
 * Walks the batches of a log file in order, reading it in large pieces: for recovery, for rebuilding
 * an index, for finding a batch, for inspection. Says where and why it stopped.
 */

import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import type { DiskFile } from '../io/disk.ts'
import {
  type BatchHeader,
  batchCrc,
  entryHeadSize,
  headerSize,
  magicPosition,
  readBatchHeader,
  readInt64,
  sizePosition,
} from '../record/batch.ts'
import { largeBatchBytes, whyNoBatch } from './large-batch.ts'

export interface ScanOptions {
  readonly from: number
  /** Bytes from here on do not exist for the scan. */
  readonly to: number
  /** Size of a piece; a batch larger than that gets a buffer of its own. */
  readonly pieceBytes?: number
}

/** What a visitor gets: the whole batch lies in `bytes`, which are valid only during the call. */
export type BatchVisitor = (
  header: BatchHeader,
  bytes: Buffer,
  position: number,
) => undefined | 'stop' | DecodeError

export type ScanEnd =
  /** All of it is whole batches. */
  | { readonly kind: 'end'; readonly position: number }
  /** The visitor said 'stop' at the batch at `position`. */
  | { readonly kind: 'stopped'; readonly position: number }
  /** At `position` there is no whole, valid batch. */
  | { readonly kind: 'bad'; readonly position: number; readonly why: string }

const pieceBytesDefault = 1024 * 1024

/** Calls `visit` for each batch; a DecodeError that it gives back ends the scan as bad. */
export async function scanBatches(
  file: DiskFile,
  { from, to, pieceBytes = pieceBytesDefault }: ScanOptions,
  visit: BatchVisitor,
): Promise<ScanEnd> {
  let buffer = Buffer.allocUnsafeSlow(Math.max(headerSize, Math.min(pieceBytes, to - from)))
  let position = from
  while (position < to) {
    const wanted = Math.min(buffer.length, to - position)
    const count = await file.readAt(buffer.subarray(0, wanted), position)
    const piece = buffer.subarray(0, count)
    const walked = walkPiece(piece, position, visit)
    if (walked.end !== null) return walked.end
    position += walked.usedBytes
    if (position >= to) break
    if (walked.usedBytes > 0 && count === wanted) continue
    // Not even one batch fits, or the file is shorter than it was said to be.
    const missing = missingBytes(piece.subarray(walked.usedBytes), to - position)
    if (typeof missing === 'string') return { kind: 'bad', position, why: missing }
    if (count < wanted || missing <= buffer.length) {
      return { kind: 'bad', position, why: `the file ends at byte ${position + count}` }
    }
    const why =
      missing > largeBatchBytes
        ? await whyNoBatch(file, position, readBatchHeader(piece, walked.usedBytes))
        : null
    if (why !== null) return { kind: 'bad', position, why }
    buffer = Buffer.allocUnsafeSlow(missing)
  }
  return { kind: 'end', position }
}

function walkPiece(
  piece: Buffer,
  piecePosition: number,
  visit: BatchVisitor,
): { usedBytes: number; end: ScanEnd | null } {
  let at = 0
  while (piece.length - at >= headerSize) {
    const position = piecePosition + at
    let header: BatchHeader
    try {
      header = readBatchHeader(piece, at)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return { usedBytes: at, end: { kind: 'bad', position, why: error.message } }
    }
    if (header.sizeBytes > piece.length - at) break
    const bytes = piece.subarray(at, at + header.sizeBytes)
    const answer = visit(header, bytes, position)
    if (answer === 'stop') return { usedBytes: at, end: { kind: 'stopped', position } }
    if (answer !== undefined) {
      return { usedBytes: at, end: { kind: 'bad', position, why: answer.message } }
    }
    at += header.sizeBytes
  }
  return { usedBytes: at, end: null }
}

/** The size of the batch that begins in `bytes`, or why there is none within `leftBytes`. */
function missingBytes(bytes: Buffer, leftBytes: number): number | string {
  if (leftBytes < headerSize) return `${leftBytes} bytes left over, no whole batch header`
  if (bytes.length < headerSize) return headerSize
  const sizeBytes = bytes.readInt32BE(sizePosition) + entryHeadSize
  if (sizeBytes > leftBytes) return `a batch of ${sizeBytes} bytes with ${leftBytes} bytes left`
  return sizeBytes
}

/**
 * The header of each batch from `from` on without reading the records: for finding one batch.
 * `visit` gives true to stop there. Resolves with that position, or with where the walk ended.
 */
export async function walkHeaders(
  file: DiskFile,
  { from, to }: { from: number; to: number },
  visit: (header: BatchHeader, position: number) => boolean,
): Promise<{ position: number; isFound: boolean }> {
  const buffer = Buffer.allocUnsafe(Math.min(16 * 1024, Math.max(to - from, headerSize)))
  let position = from
  while (position + headerSize <= to) {
    const count = await file.readAt(buffer, position)
    let at = 0
    while (count - at >= headerSize && position + headerSize <= to) {
      const header = readBatchHeader(buffer.subarray(0, count), at)
      if (visit(header, position)) return { position, isFound: true }
      position += header.sizeBytes
      at += header.sizeBytes
    }
    if (count < headerSize) break
  }
  return { position, isFound: false }
}

/** How far behind a log's end the offsets of a batch can be that lies behind a torn place. */
const offsetsAheadMax = 0x7fffffff

/**
 * How many whole batches with a good CRC lie anywhere in the range, with offsets from `endOffset` on:
 * what a cut there takes away. 0 says that the tail is simply torn.
 */
export async function countBatchesIn(
  file: DiskFile,
  { from, to }: { from: number; to: number },
  endOffset: Offset,
): Promise<number> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytesDefault, Math.max(to - from, 0)))
  let count = 0
  for (let position = from; position + headerSize <= to; ) {
    const size = await file.readAt(buffer, position)
    const piece = buffer.subarray(0, Math.min(size, to - position))
    if (piece.length < headerSize) break
    let at = 0
    for (; at + headerSize <= piece.length; at++) {
      const magicAt = piece.indexOf(2, at + magicPosition)
      // A header that begins in the last bytes is looked at with the next piece.
      const last = piece.length - headerSize + 1
      at = magicAt === -1 ? last : magicAt - magicPosition
      if (at >= last) break
      const sizeBytes = piece.readInt32BE(at + sizePosition) + entryHeadSize
      const ahead = readInt64(piece, at) - endOffset
      // Where chance is so small, the CRC is worth its time.
      if (ahead < 0 || ahead > offsetsAheadMax || sizeBytes < headerSize) continue
      if (position + at + sizeBytes > to) continue
      if (!(await isWhole(file, position + at, readBatchHeader(piece, at)))) continue
      count++
      at += sizeBytes - 1
    }
    position += Math.max(at, 1)
  }
  return count
}

async function isWhole(file: DiskFile, position: number, header: BatchHeader): Promise<boolean> {
  if (header.sizeBytes > largeBatchBytes) return (await whyNoBatch(file, position, header)) === null
  const bytes = Buffer.allocUnsafeSlow(header.sizeBytes)
  const size = await file.readAt(bytes, position)
  return size === bytes.length && batchCrc({ header, chunks: [bytes] }) === header.crc
}
