/**
 * Transaction index of one segment: the aborted transactions whose markers lie in it.
 *
 *   | version: int16 (0) | producerId: int64 | firstOffset: int64 | lastOffset: int64 |
 *   | lastStableOffset: int64 |                                       34 bytes each
 *
 * Source: apache/kafka: storage/.../log/TransactionIndex.java, AbortedTxn.java.
 */

import { asBuffer } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'
import type { Offset, ProducerId } from '../base/types.ts'
import { readInt64, writeInt64 } from '../record/batch.ts'

/** An aborted transaction. */
export interface TransactionIndexEntry {
  readonly version: number
  readonly producerId: ProducerId
  readonly firstOffset: Offset
  /** Of the marker that ended it. */
  readonly lastOffset: Offset
  readonly lastStableOffset: Offset
}

const entrySize = 34

/** The entries of a `.txnindex` file. DecodeError when its size is no multiple of an entry's. */
export function transactionIndexEntries(bytes: Uint8Array): TransactionIndexEntry[] {
  const buffer = asBuffer(bytes)
  if (buffer.length % entrySize !== 0) {
    throw new DecodeError(`transaction index of ${buffer.length} bytes, entries have ${entrySize}`)
  }
  const entries: TransactionIndexEntry[] = []
  for (let at = 0; at < buffer.length; at += entrySize) {
    entries.push({
      version: buffer.readInt16BE(at),
      producerId: readInt64(buffer, at + 2),
      firstOffset: readInt64(buffer, at + 10),
      lastOffset: readInt64(buffer, at + 18),
      lastStableOffset: readInt64(buffer, at + 26),
    })
  }
  return entries
}

/** What a `.txnindex` file with these entries holds. */
export function encodeTransactionIndex(entries: readonly TransactionIndexEntry[]): Uint8Array {
  const bytes = Buffer.alloc(entries.length * entrySize)
  for (const [index, entry] of entries.entries()) {
    const at = index * entrySize
    bytes.writeInt16BE(entry.version, at)
    writeInt64(bytes, at + 2, entry.producerId)
    writeInt64(bytes, at + 10, entry.firstOffset)
    writeInt64(bytes, at + 18, entry.lastOffset)
    writeInt64(bytes, at + 26, entry.lastStableOffset)
  }
  return bytes
}
