/**
 * Records inside a batch: decompressed, bounded and read strictly. A length that does not fit, bytes
 * left over, an offset out of order: DecodeError, with the values.
 *
 *   length varint | attributes int8 | timestampDelta varlong | offsetDelta varint |
 *   keyLength varint (-1 null), key | valueLength varint (-1 null), value |
 *   headerCount varint | (keyLength varint, key | valueLength varint (-1 null), value)*
 *
 * Offset deltas rise but need not be dense: compaction leaves gaps. With LogAppendTime every record
 * has the batch's maxTimestamp.
 * Source: apache/kafka: clients/.../common/record/DefaultRecord.java.
 */

import { asBuffer, joinChunks } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import { narrow, VarintReader } from '../base/varint.ts'
import { batchAt, codecOf, headerSize, headOf, type RecordBatch, timestampTypeOf } from './batch.ts'
import { decompress } from './compression.ts'

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/** One record. Key, value and header values are views over the batch's (uncompressed) bytes. */
export interface Record {
  readonly offset: Offset
  /** Ms since 1970, -1 = none; a bigint only beyond 2^53. */
  readonly timestamp: number | bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: RecordHeader[]
}

export interface ReadLimits {
  /** Of the records uncompressed. */
  readonly maxBytes: number
}

const noHeaders: RecordHeader[] = []
/** A record takes at least its length, attributes, two deltas, two lengths and a header count. */
const recordBytesMin = 7

/** All records of a batch, in order. */
export function readRecords(batch: RecordBatch | Uint8Array, limits: ReadLimits): Record[] {
  const records: Record[] = []
  const cursor = new RecordCursor(batch, limits)
  while (cursor.next()) records.push(cursor.record())
  return records
}

/** Calls `fn` for each record of a batch, in order. */
export function forEachRecord(
  batch: RecordBatch | Uint8Array,
  limits: ReadLimits,
  fn: (record: Record) => void,
): void {
  const cursor = new RecordCursor(batch, limits)
  while (cursor.next()) fn(cursor.record())
}

/**
 * Steps through the records of a batch without making an object for each: its fields are those of
 * the record that `next` stopped at. `keySize` and `valueSize` are -1 for null; the bytes lie in
 * `bytes` at `keyPosition` and `valuePosition`.
 */
export class RecordCursor {
  /** The records, uncompressed. */
  readonly bytes: Buffer
  readonly recordCount: number
  offset: Offset = -1
  timestamp: number | bigint = -1
  keyPosition = 0
  keySize = -1
  valuePosition = 0
  valueSize = -1
  headerCount = 0
  /** Where the whole record lies in `bytes`, with its length. */
  startPosition = 0
  endPosition = 0
  readonly #reader: VarintReader
  readonly #baseOffset: Offset
  readonly #lastOffsetDelta: number
  readonly #baseTimestamp: number | bigint
  /** The time of every record, with LogAppendTime. */
  readonly #appendTime: number | bigint | null
  #count = 0
  #offsetDelta = -1
  #headersPosition = 0

  constructor(batchOrBytes: RecordBatch | Uint8Array, limits: ReadLimits) {
    const batch = batchOrBytes instanceof Uint8Array ? batchAt(batchOrBytes) : batchOrBytes
    const { header } = batch
    const head = headOf(batch)
    this.bytes = recordBytes(batch, limits.maxBytes)
    this.recordCount = header.recordCount
    if (header.recordCount < 0 || header.recordCount * recordBytesMin > this.bytes.length) {
      throw new DecodeError(`${header.recordCount} records in ${this.bytes.length} bytes`)
    }
    this.#reader = new VarintReader(this.bytes)
    this.#baseOffset = header.baseOffset
    this.#lastOffsetDelta = header.lastOffsetDelta
    this.#baseTimestamp = narrow(head.readBigInt64BE(27))
    const isAppendTime = timestampTypeOf(header.attributes) === 'LogAppendTime'
    this.#appendTime = isAppendTime ? narrow(head.readBigInt64BE(35)) : null
  }

  /** Moves to the next record; false after the last one. DecodeError when it is malformed. */
  next(): boolean {
    const reader = this.#reader
    if (this.#count === this.recordCount) {
      if (reader.position === this.bytes.length) return false
      const left = this.bytes.length - reader.position
      throw new DecodeError(`${left} bytes after the last of ${this.recordCount} records`)
    }
    reader.limit = this.bytes.length
    this.startPosition = reader.position
    const size = reader.readVarint()
    const end = reader.position + size
    if (size < recordBytesMin - 1 || end > this.bytes.length) {
      throw new DecodeError(
        `record ${this.#count} of ${size} bytes, ${this.bytes.length - reader.position} left`,
      )
    }
    reader.limit = end
    reader.position++
    this.#readDeltas(reader)
    this.keySize = this.#readSize('key')
    this.keyPosition = reader.position
    reader.position += this.keySize > 0 ? this.keySize : 0
    this.valueSize = this.#readSize('value')
    this.valuePosition = reader.position
    reader.position += this.valueSize > 0 ? this.valueSize : 0
    this.#readHeaderCount(reader)
    if (reader.position !== end) {
      throw new DecodeError(`${end - reader.position} bytes left over in record ${this.#count}`)
    }
    this.endPosition = end
    this.#count++
    return true
  }

  #readDeltas(reader: VarintReader): void {
    const timestampDelta = reader.readVarlong()
    const offsetDelta = reader.readVarint()
    if (offsetDelta <= this.#offsetDelta || offsetDelta > this.#lastOffsetDelta) {
      throw new DecodeError(
        `record ${this.#count} has offset delta ${offsetDelta}, expected ${this.#offsetDelta + 1} to ${this.#lastOffsetDelta}`,
      )
    }
    this.#offsetDelta = offsetDelta
    this.offset = this.#baseOffset + offsetDelta
    this.timestamp = this.#appendTime ?? addTimestamps(this.#baseTimestamp, timestampDelta)
  }

  /** A length of bytes that are there; -1 for null. */
  #readSize(what: string): number {
    const size = this.#reader.readVarint()
    const left = this.#reader.limit - this.#reader.position
    if (size < -1 || size > left) {
      throw new DecodeError(`${what} of ${size} bytes in record ${this.#count}, ${left} left`)
    }
    return size
  }

  #readHeaderCount(reader: VarintReader): void {
    const count = reader.readVarint()
    const left = reader.limit - reader.position
    if (count < 0 || count * 2 > left) {
      throw new DecodeError(`${count} headers in record ${this.#count}, ${left} bytes left`)
    }
    this.headerCount = count
    this.#headersPosition = reader.position
    for (let index = 0; index < count; index++) {
      const keySize = this.#readSize('header key')
      if (keySize < 0) throw new DecodeError(`header ${index} of record ${this.#count} has no key`)
      reader.position += keySize
      const valueSize = this.#readSize('header value')
      reader.position += valueSize > 0 ? valueSize : 0
    }
  }

  /** The key as a view; null without one. */
  key(): Uint8Array | null {
    return this.keySize < 0 ? null : this.#view(this.keyPosition, this.keySize)
  }

  /** The value as a view; null for a tombstone. */
  value(): Uint8Array | null {
    return this.valueSize < 0 ? null : this.#view(this.valuePosition, this.valueSize)
  }

  /** The headers in order; a name may stand there more than once. */
  headers(): RecordHeader[] {
    if (this.headerCount === 0) return noHeaders
    const headers: RecordHeader[] = []
    const reader = new VarintReader(this.bytes, this.#headersPosition)
    for (let index = 0; index < this.headerCount; index++) {
      const keySize = reader.readVarint()
      const key = this.bytes.toString('utf8', reader.position, reader.position + keySize)
      reader.position += keySize
      const valueSize = reader.readVarint()
      const value = valueSize < 0 ? null : this.#view(reader.position, valueSize)
      reader.position += valueSize > 0 ? valueSize : 0
      headers.push({ key, value })
    }
    return headers
  }

  /** The record as an object of its own. */
  record(): Record {
    return {
      offset: this.offset,
      timestamp: this.timestamp,
      key: this.key(),
      value: this.value(),
      headers: this.headers(),
    }
  }

  #view(position: number, size: number): Uint8Array {
    return this.bytes.subarray(position, position + size)
  }
}

/** Kafka's sum wraps at 2^63, as Java's does. */
function addTimestamps(base: number | bigint, delta: number | bigint): number | bigint {
  if (typeof base === 'number' && typeof delta === 'number') {
    const sum = base + delta
    if (Number.isSafeInteger(sum)) return sum
  }
  return narrow(BigInt.asIntN(64, BigInt(base) + BigInt(delta)))
}

/** The bytes after the header, uncompressed. */
function recordBytes(batch: RecordBatch, maxBytes: number): Buffer {
  const codec = codecOf(batch.header.attributes)
  const [first, ...rest] = batch.chunks
  const body = first === undefined ? [] : [first.subarray(headerSize), ...rest]
  const stored = joinChunks(body)
  // Compaction leaves empty batches whose attributes may still name a codec.
  if (stored.length === 0) return asBuffer(stored)
  return asBuffer(decompress(codec, stored, maxBytes))
}
