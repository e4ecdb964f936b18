/**
 * Reads a shard in from its log: every record, in order, through replay. Batches that compaction
 * emptied and control batches that are not markers of transactions are passed over.
 */

import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import {
  batchCrc,
  isControl,
  isTransactional,
  lastOffsetOf,
  type RecordBatch,
} from '../record/batch.ts'
import { readControlBatch } from '../record/control.ts'
import { RecordCursor } from '../record/record.ts'
import type { Shard, ShardLog } from './shard.ts'

/** A batch, decompressed. Brokers write small ones; clients may not write here at all. */
const decompressedBytesMax = 128 * 1024 * 1024

/** Returns how many records there were. DecodeError with the offset that cannot be read. */
export async function loadShard({
  shard,
  log,
  maxBytes,
  isCurrent,
}: {
  shard: Shard
  log: ShardLog
  maxBytes: number
  /** Whether the shard is still wanted. */
  isCurrent: () => boolean
}): Promise<number> {
  let offset = log.startOffset
  let records = 0
  let isWritten = false
  while (isCurrent() && offset < log.endOffset) {
    const { batches, release } = await log.read(offset, { maxBytes })
    try {
      if (!isCurrent()) break
      if (batches.length === 0) {
        // An earlier shard's last batches may be on their way to the disk. Else compaction took them.
        if (isWritten) break
        await log.whenCommitted(log.endOffset)
        isWritten = true
        continue
      }
      isWritten = false
      for (const batch of batches) {
        records += replayBatch(shard, batch, offset)
        offset = lastOffsetOf(batch.header) + 1
      }
    } finally {
      release()
    }
  }
  return records
}

function replayBatch(shard: Shard, batch: RecordBatch, fromOffset: Offset): number {
  const { attributes, producerId, baseOffset, recordCount, crc } = batch.header
  const computed = batchCrc(batch)
  // A bit that turned over would be another group, or another offset, and nobody would know.
  if (computed !== crc) {
    throw new DecodeError(`batch at offset ${baseOffset}: CRC ${crc}, computed ${computed}`)
  }
  // Compaction left its header only, for the sake of its producer.
  if (recordCount === 0) return 0
  try {
    if (isControl(attributes)) {
      const { type } = readControlBatch(batch)
      if (type !== null) shard.replayMarker(producerId, type === 'commit')
      return 0
    }
    const openProducerId = isTransactional(attributes) ? producerId : -1
    const cursor = new RecordCursor(batch, { maxBytes: decompressedBytesMax })
    let records = 0
    while (cursor.next()) {
      const key = cursor.key()
      if (cursor.offset < fromOffset || key === null) continue
      const { offset, timestamp } = cursor
      const place = { offset, timestampMs: Number(timestamp), producerId: openProducerId }
      shard.replay({ key, value: copyOf(cursor.value()) }, place)
      records++
    }
    return records
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new DecodeError(`batch at offset ${baseOffset}: ${error.message}`, { cause: error })
  }
}

/** The shard may keep what it gets, the memory under the batch is only lent. */
function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : Uint8Array.from(bytes)
}
