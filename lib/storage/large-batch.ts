/**
 * Batches so large that a damaged size field is the likelier reason. Before one gets a buffer its CRC is
 * computed piece by piece, so no field of a file makes a scan or a read take hundreds of MiB.
 */

import { crc32c } from '../base/crc32c.ts'
import type { DiskFile } from '../io/disk.ts'
import { attributesPosition, type BatchHeader } from '../record/batch.ts'

/** No batch is larger: frames end at 100 MiB. */
const batchBytesMax = 128 * 1024 * 1024

export const largeBatchBytes = 16 * 1024 * 1024
const pieceBytes = 1024 * 1024

/** Why the batch at `position`, whose header was read, is not to be read as a whole; null when it may be. */
export async function whyNoBatch(
  file: DiskFile,
  position: number,
  { sizeBytes, crc }: Pick<BatchHeader, 'sizeBytes' | 'crc'>,
): Promise<string | null> {
  if (sizeBytes > batchBytesMax) return `a batch of ${sizeBytes} bytes`
  if (sizeBytes <= largeBatchBytes) return null
  const piece = Buffer.allocUnsafeSlow(pieceBytes)
  let computed = 0
  for (let at = attributesPosition; at < sizeBytes; ) {
    const wanted = piece.subarray(0, Math.min(piece.length, sizeBytes - at))
    const count = await file.readAt(wanted, position + at)
    if (count === 0) break
    computed = crc32c(wanted.subarray(0, count), computed)
    at += count
  }
  return computed === crc
    ? null
    : `a batch of ${sizeBytes} bytes with CRC ${crc}, computed ${computed}`
}
