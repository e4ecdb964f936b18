/**
 * The `.snapshot` file: producer state at the offset in its name, so that recovery need not read
 * the log from its start.
 *
 *   version int16 = 1 | crc uint32 | count int32 | entries, 46 bytes each:
 *     producerId int64 | producerEpoch int16 | batch, 24 bytes | coordinatorEpoch int32 | currentTxnFirstOffset int64
 *   batch: lastSequence int32 | lastOffset int64 | offsetDelta int32 | timestamp int64
 *   windows, ours: magic int32 | for each entry: count int8 | batches before its last, oldest first
 *
 * Kafka keeps only the last batch of each producer, though a client may send five again: after a restart
 * it cannot tell the others from new ones unless it finds them in the log, which retention may have taken.
 * It reads no further than the entries, so the windows do not disturb it; its files have none.
 *
 * The CRC-32C covers everything after itself. A last sequence of -1: no batch in this epoch.
 * Source: apache/kafka: storage/.../ProducerSnapshot.json, log/ProducerStateManager.java.
 */

import { asBuffer } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import { type Disk, writeFileAtomic } from '../io/disk.ts'
import { readInt64, writeInt64 } from '../record/batch.ts'
import { batchesKeptMax, type ProducerBatch, type ProducerEntry } from './producer-state.ts'
import { fileSuffix, segmentFileName } from './segment-files.ts'

const headBytes = 10
const entryBytes = 46
const batchBytes = 24
const crcPosition = 2
const crcFrom = 6
/** "otla" */
const windowsMagic = 0x6f746c61

export interface ProducerSnapshot {
  readonly entries: readonly ProducerEntry[]
  /** Whether the entries have all their batches, not only the last. */
  readonly hasWindows: boolean
}

export function encodeProducerSnapshot(entries: Iterable<ProducerEntry>): Uint8Array {
  const list = [...entries]
  const earlier = list.reduce((sum, { batches }) => sum + Math.max(batches.length - 1, 0), 0)
  const windowsBytes = 4 + list.length + earlier * batchBytes
  const bytes = Buffer.alloc(headBytes + list.length * entryBytes + windowsBytes)
  bytes.writeInt16BE(1, 0)
  bytes.writeInt32BE(list.length, 6)
  let at = headBytes
  for (const entry of list) {
    writeInt64(bytes, at, entry.producerId)
    bytes.writeInt16BE(entry.producerEpoch, at + 8)
    writeBatch(bytes, at + 10, entry.batches.at(-1) ?? noBatch(entry))
    // When it wrote last, which decides its expiry, not the time of its record.
    writeInt64(bytes, at + 26, entry.lastWriteMs)
    bytes.writeInt32BE(entry.coordinatorEpoch, at + 34)
    writeInt64(bytes, at + 38, entry.currentTxnFirstOffset)
    at += entryBytes
  }
  bytes.writeInt32BE(windowsMagic, at)
  at += 4
  for (const { batches } of list) {
    const before = batches.slice(0, -1)
    bytes.writeInt8(before.length, at++)
    for (const batch of before) {
      writeBatch(bytes, at, batch)
      at += batchBytes
    }
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(crcFrom)), crcPosition)
  return bytes
}

/** Writes the state at `offset` to its file; durable when it resolves. Native errors. */
export async function saveProducerSnapshot(
  { disk, directory }: { disk: Disk; directory: string },
  offset: Offset,
  producers: { entries(): Iterable<ProducerEntry> },
): Promise<void> {
  const path = `${directory}/${segmentFileName(offset, fileSuffix.snapshot)}`
  await writeFileAtomic(disk, path, encodeProducerSnapshot(producers.entries()))
}

function noBatch({ lastWriteMs }: ProducerEntry): ProducerBatch {
  const none = { firstSequence: -1, lastSequence: -1, firstOffset: -1, lastOffset: -1 }
  return { ...none, timestamp: lastWriteMs }
}

function writeBatch(bytes: Buffer, at: number, batch: ProducerBatch): void {
  bytes.writeInt32BE(batch.lastSequence, at)
  writeInt64(bytes, at + 4, batch.lastOffset)
  bytes.writeInt32BE(batch.lastOffset - batch.firstOffset, at + 12)
  writeInt64(bytes, at + 16, batch.timestamp)
}

function readBatch(bytes: Buffer, at: number): ProducerBatch {
  const lastSequence = bytes.readInt32BE(at)
  const lastOffset = readInt64(bytes, at + 4)
  const offsetDelta = bytes.readInt32BE(at + 12)
  return {
    // 2^31 sequences: going back wraps as going on does.
    firstSequence: (lastSequence - offsetDelta + 0x8000_0000) % 0x8000_0000,
    lastSequence,
    firstOffset: lastOffset - offsetDelta,
    lastOffset,
    timestamp: readInt64(bytes, at + 16),
  }
}

/** DecodeError when version, size or checksum do not fit. */
export function decodeProducerSnapshot(snapshot: Uint8Array): ProducerSnapshot {
  const bytes = asBuffer(snapshot)
  if (bytes.length < headBytes) throw new DecodeError(`snapshot of ${bytes.length} bytes`)
  const version = bytes.readInt16BE(0)
  if (version !== 1) throw new DecodeError(`snapshot of version ${version}, expected 1`)
  const crc = crc32c(bytes.subarray(crcFrom))
  if (crc !== bytes.readUInt32BE(crcPosition)) {
    throw new DecodeError(`snapshot with CRC ${bytes.readUInt32BE(crcPosition)}, computed ${crc}`)
  }
  const count = bytes.readInt32BE(6)
  const end = headBytes + count * entryBytes
  if (count < 0 || end > bytes.length) {
    throw new DecodeError(`snapshot of ${bytes.length} bytes with ${count} entries`)
  }
  const entries: ProducerEntry[] = []
  for (let at = headBytes; at < end; at += entryBytes) entries.push(readEntry(bytes, at))
  const hasWindows = end < bytes.length
  if (hasWindows) readWindows(bytes, end, entries)
  return { entries, hasWindows }
}

function readEntry(bytes: Buffer, at: number): ProducerEntry {
  const batch = readBatch(bytes, at + 10)
  return {
    producerId: readInt64(bytes, at),
    producerEpoch: bytes.readInt16BE(at + 8),
    batches: batch.lastSequence < 0 ? [] : [batch],
    coordinatorEpoch: bytes.readInt32BE(at + 34),
    currentTxnFirstOffset: readInt64(bytes, at + 38),
    lastWriteMs: batch.timestamp,
  }
}

/** Puts the batches before the last of each producer before it. DecodeError. */
function readWindows(bytes: Buffer, start: number, entries: readonly ProducerEntry[]): void {
  const wrong = () => new DecodeError(`snapshot of ${bytes.length} bytes, its windows do not fit`)
  let at = start + 4
  if (at > bytes.length || bytes.readInt32BE(start) !== windowsMagic) throw wrong()
  for (const entry of entries) {
    const count = bytes[at++] ?? batchesKeptMax
    if (count >= batchesKeptMax || at + count * batchBytes > bytes.length) throw wrong()
    for (let index = 0; index < count; index++, at += batchBytes) {
      entry.batches.splice(index, 0, readBatch(bytes, at))
    }
  }
  if (at !== bytes.length) throw wrong()
}
