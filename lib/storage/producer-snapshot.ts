/**
 * The `.snapshot` file: producer state at the offset in its name, so that recovery need not read
 * the log from its start. Kafka keeps only the last batch of each producer in it; so do we.
 *
 *   version int16 = 1 | crc uint32 | count int32 | entries, 46 bytes each:
 *     producerId int64 | producerEpoch int16 | lastSequence int32 | lastOffset int64 |
 *     offsetDelta int32 | timestamp int64 | coordinatorEpoch int32 | currentTxnFirstOffset int64
 *
 * The CRC-32C covers everything after itself. A last sequence of -1: no batch in this epoch.
 * Source: apache/kafka: storage/.../ProducerSnapshot.json, log/ProducerStateManager.java.
 */

import { asBuffer } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { DecodeError } from '../base/errors.ts'
import { readInt64, writeInt64 } from '../record/batch.ts'
import type { ProducerEntry } from './producer-state.ts'

const headBytes = 10
const entryBytes = 46
const crcPosition = 2
const crcFrom = 6

export function encodeProducerSnapshot(entries: Iterable<ProducerEntry>): Uint8Array {
  const list = [...entries]
  const bytes = Buffer.alloc(headBytes + list.length * entryBytes)
  bytes.writeInt16BE(1, 0)
  bytes.writeInt32BE(list.length, 6)
  let at = headBytes
  for (const entry of list) {
    const last = entry.batches.at(-1)
    writeInt64(bytes, at, entry.producerId)
    bytes.writeInt16BE(entry.producerEpoch, at + 8)
    bytes.writeInt32BE(last?.lastSequence ?? -1, at + 10)
    writeInt64(bytes, at + 14, last?.lastOffset ?? -1)
    bytes.writeInt32BE(last === undefined ? 0 : last.lastOffset - last.firstOffset, at + 22)
    writeInt64(bytes, at + 26, entry.lastWriteMs)
    bytes.writeInt32BE(entry.coordinatorEpoch, at + 34)
    writeInt64(bytes, at + 38, entry.currentTxnFirstOffset)
    at += entryBytes
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(crcFrom)), crcPosition)
  return bytes
}

/** DecodeError when version, size or checksum do not fit. */
export function decodeProducerSnapshot(snapshot: Uint8Array): ProducerEntry[] {
  const bytes = asBuffer(snapshot)
  if (bytes.length < headBytes) throw new DecodeError(`snapshot of ${bytes.length} bytes`)
  const version = bytes.readInt16BE(0)
  if (version !== 1) throw new DecodeError(`snapshot of version ${version}, expected 1`)
  const crc = crc32c(bytes.subarray(crcFrom))
  if (crc !== bytes.readUInt32BE(crcPosition)) {
    throw new DecodeError(`snapshot with CRC ${bytes.readUInt32BE(crcPosition)}, computed ${crc}`)
  }
  const count = bytes.readInt32BE(6)
  if (count < 0 || headBytes + count * entryBytes !== bytes.length) {
    throw new DecodeError(`snapshot of ${bytes.length} bytes with ${count} entries`)
  }
  const entries: ProducerEntry[] = []
  for (let at = headBytes; at < bytes.length; at += entryBytes) entries.push(readEntry(bytes, at))
  return entries
}

function readEntry(bytes: Buffer, at: number): ProducerEntry {
  const lastSequence = bytes.readInt32BE(at + 10)
  const lastOffset = readInt64(bytes, at + 14)
  const offsetDelta = bytes.readInt32BE(at + 22)
  const timestamp = readInt64(bytes, at + 26)
  const batch = {
    // 2^31 sequences: going back wraps as going on does.
    firstSequence: (lastSequence - offsetDelta + 0x8000_0000) % 0x8000_0000,
    lastSequence,
    firstOffset: lastOffset - offsetDelta,
    lastOffset,
    timestamp,
  }
  return {
    producerId: readInt64(bytes, at),
    producerEpoch: bytes.readInt16BE(at + 8),
    batches: lastSequence < 0 ? [] : [batch],
    coordinatorEpoch: bytes.readInt32BE(at + 34),
    currentTxnFirstOffset: readInt64(bytes, at + 38),
    lastWriteMs: timestamp,
  }
}
