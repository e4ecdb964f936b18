/**
 * A record on its way to standard output: its fields as positions in the bytes they lie in (a
 * RecordCursor is one, so nothing is made per record), and where it came from.
 */

import type { RecordCursor } from '../../lib/record/record.ts'
import type { ByteWriter } from './byte-writer.ts'

export type OutputRecord = Pick<
  RecordCursor,
  | 'bytes'
  | 'offset'
  | 'timestamp'
  | 'keyPosition'
  | 'keySize'
  | 'valuePosition'
  | 'valueSize'
  | 'headerCount'
  | 'headers'
>

/** What the records of one batch share. One object is reused: a writer keeps nothing of it. */
export interface OutputPlace {
  topic: string
  partition: number
  timestampType: 'create' | 'append'
  leaderEpoch: number
  producerId: number
  /** Of the partition, -1 = unknown. */
  logStart: number
  logEnd: number
  /** How many records were written before this one. */
  count: number
}

/** Writes one record, its end included. */
export type RecordWriter = (out: ByteWriter, record: OutputRecord, place: OutputPlace) => void

/** The record with memory of its own, so that it outlives its batch. */
export function keepRecord(record: OutputRecord): OutputRecord {
  const keySize = Math.max(record.keySize, 0)
  const valueSize = Math.max(record.valueSize, 0)
  const bytes = Buffer.allocUnsafeSlow(keySize + valueSize)
  record.bytes.copy(bytes, 0, record.keyPosition, record.keyPosition + keySize)
  record.bytes.copy(bytes, keySize, record.valuePosition, record.valuePosition + valueSize)
  const headers =
    record.headerCount === 0
      ? []
      : record.headers().map(({ key, value }) => ({ key, value: value && Uint8Array.from(value) }))
  return {
    bytes,
    offset: record.offset,
    timestamp: record.timestamp,
    keyPosition: 0,
    keySize: record.keySize,
    valuePosition: keySize,
    valueSize: record.valueSize,
    headerCount: record.headerCount,
    headers: () => headers,
  }
}

/** Bytes of key, value, header names and header values. */
export function recordSize(record: OutputRecord): number {
  let size = Math.max(record.keySize, 0) + Math.max(record.valueSize, 0)
  if (record.headerCount === 0) return size
  for (const { key, value } of record.headers()) {
    size += Buffer.byteLength(key) + (value?.length ?? 0)
  }
  return size
}
