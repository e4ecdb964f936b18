/**
 * Builds one record batch (magic 2) in one growing buffer: 61 bytes are kept for the header, every
 * record is encoded where it will lie, and nothing is made per record.
 *
 * The base timestamp is the first record's, as in the Java client. Offsets count from 0; the leader
 * sets the base offset. The codec bits always name the codec asked for.
 */

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from '../base/varint.ts'
import { attribute, headerSize, writeInt64 } from './batch.ts'
import { type Codec, codecs, compress } from './compression.ts'
import type { RecordHeader } from './record.ts'

export interface BuilderOptions {
  readonly codec?: Codec
  /** gzip's or zstd's. */
  readonly level?: number
  /** First size of the buffer; it doubles when it is full. */
  readonly initialBytes?: number
}

export interface BatchFields {
  readonly baseOffset?: number
  readonly partitionLeaderEpoch?: number
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  /** Sets the timestamp type LogAppendTime and this as maxTimestamp. */
  readonly logAppendTimeMs?: number | bigint
}

const initialBytesDefault = 4096
const noHeaders: readonly RecordHeader[] = []

export class BatchBuilder {
  readonly codec: Codec
  readonly #level: number | undefined
  readonly #initialBytes: number
  #buffer: Buffer
  #position = headerSize
  #recordCount = 0
  #nextOffsetDelta = 0
  #baseTimestamp: number | bigint = -1
  #maxTimestamp: number | bigint = -1
  /** Once given away in a batch, the buffer is no longer ours to write. */
  #isBuilt = false

  constructor({ codec = 'none', level, initialBytes = initialBytesDefault }: BuilderOptions = {}) {
    this.codec = codec
    this.#level = level
    this.#initialBytes = Math.max(initialBytes, headerSize)
    this.#buffer = Buffer.allocUnsafeSlow(this.#initialBytes)
  }

  /** Of the batch so far, header included, before compression. */
  get sizeBytes(): number {
    return this.#position
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** Of the first record; -1 while there is none. */
  get baseTimestamp(): number | bigint {
    return this.#baseTimestamp
  }

  get maxTimestamp(): number | bigint {
    return this.#maxTimestamp
  }

  /**
   * Adds a record; its bytes are copied. `timestamp` in ms since 1970, -1 = none; a bigint beyond
   * 2^53. Returns sizeBytes, the batch's size before compression.
   */
  append(
    timestamp: number | bigint,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[] = noHeaders,
  ): number {
    assert(!this.#isBuilt, 'append after build: reset the builder first')
    const offsetDelta = this.#nextOffsetDelta
    if (this.#recordCount === 0) {
      this.#baseTimestamp = timestamp
      this.#maxTimestamp = timestamp
    } else if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp
    }
    const timestampDelta = difference(timestamp, this.#baseTimestamp)
    const sizeBytes =
      1 +
      varlongSize(timestampDelta) +
      varintSize(offsetDelta) +
      bytesSize(key) +
      bytesSize(value) +
      (headers.length === 0 ? 1 : headersSize(headers))
    this.#reserve(5 + sizeBytes)
    const buffer = this.#buffer
    let position = writeVarint(buffer, this.#position, sizeBytes)
    buffer[position++] = 0
    position = writeVarlong(buffer, position, timestampDelta)
    position = writeVarint(buffer, position, offsetDelta)
    position = writeBytes(buffer, position, key)
    position = writeBytes(buffer, position, value)
    if (headers.length === 0) buffer[position++] = 0
    else position = writeHeaders(buffer, position, headers)
    this.#position = position
    this.#recordCount++
    this.#nextOffsetDelta = offsetDelta + 1
    return position
  }

  /** Leaves a gap, as compaction does: the next record gets this offset, relative to the batch's. */
  skipToOffsetDelta(offsetDelta: number): void {
    assert(offsetDelta >= this.#nextOffsetDelta, `offset delta ${offsetDelta} goes back`)
    this.#nextOffsetDelta = offsetDelta
  }

  #reserve(sizeBytes: number): void {
    const needed = this.#position + sizeBytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, needed))
    this.#buffer.copy(grown, 0, 0, this.#position)
    this.#buffer = grown
  }

  /**
   * The batch, complete with its CRC. Without compression it is a view over the builder's buffer.
   * The builder takes no more records until `reset`.
   */
  build(fields: BatchFields = {}): Uint8Array {
    assert(!this.#isBuilt, 'a second build of the same batch')
    this.#isBuilt = true
    const batch = this.#compressed()
    this.#writeHeader(batch, fields)
    return batch
  }

  #compressed(): Buffer {
    const plain = this.#buffer.subarray(0, this.#position)
    if (this.codec === 'none') return plain
    const body = compress(this.codec, plain.subarray(headerSize), this.#level)
    const batch = Buffer.allocUnsafeSlow(headerSize + body.length)
    batch.set(body, headerSize)
    return batch
  }

  #writeHeader(batch: Buffer, fields: BatchFields): void {
    const { producerId = -1, producerEpoch = -1, baseSequence = -1, logAppendTimeMs } = fields
    let attributes = codecs.indexOf(this.codec)
    if (fields.isTransactional === true) attributes |= attribute.transactional
    if (fields.isControl === true) attributes |= attribute.control
    if (logAppendTimeMs !== undefined) attributes |= attribute.logAppendTime
    writeInt64(batch, 0, fields.baseOffset ?? 0)
    batch.writeInt32BE(batch.length - 12, 8)
    batch.writeInt32BE(fields.partitionLeaderEpoch ?? -1, 12)
    batch.writeInt8(2, 16)
    batch.writeInt16BE(attributes, 21)
    batch.writeInt32BE(this.#nextOffsetDelta - 1, 23)
    writeTimestamp(batch, 27, this.#baseTimestamp)
    writeTimestamp(batch, 35, logAppendTimeMs ?? this.#maxTimestamp)
    writeInt64(batch, 43, producerId)
    batch.writeInt16BE(producerEpoch, 51)
    batch.writeInt32BE(baseSequence, 53)
    batch.writeInt32BE(this.#recordCount, 57)
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  }

  /** Ready for the next batch, with the same codec. Keeps the buffer unless a batch is a view of it. */
  reset(): void {
    if (this.#isBuilt && this.codec === 'none') {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(this.#initialBytes, headerSize))
    }
    this.#isBuilt = false
    this.#position = headerSize
    this.#recordCount = 0
    this.#nextOffsetDelta = 0
    this.#baseTimestamp = -1
    this.#maxTimestamp = -1
  }
}

/** `value - base` as an int64, exact. */
function difference(value: number | bigint, base: number | bigint): number | bigint {
  if (value === base) return 0
  if (typeof value === 'number' && typeof base === 'number') {
    const delta = value - base
    if (Number.isSafeInteger(delta)) return delta
  }
  return BigInt.asIntN(64, BigInt(value) - BigInt(base))
}

function bytesSize(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length
}

function headersSize(headers: readonly RecordHeader[]): number {
  let sizeBytes = varintSize(headers.length)
  for (const { key, value } of headers) {
    const keyBytes = Buffer.byteLength(key, 'utf8')
    sizeBytes += varintSize(keyBytes) + keyBytes + bytesSize(value)
  }
  return sizeBytes
}

function writeBytes(buffer: Buffer, position: number, bytes: Uint8Array | null): number {
  if (bytes === null) {
    buffer[position] = 1
    return position + 1
  }
  const start = writeVarint(buffer, position, bytes.length)
  const size = bytes.length
  // A call to copy costs more than a short loop.
  if (size < 32) for (let at = 0; at < size; at++) buffer[start + at] = bytes[at] as number
  else buffer.set(bytes, start)
  return start + size
}

function writeHeaders(buffer: Buffer, position: number, headers: readonly RecordHeader[]): number {
  let at = writeVarint(buffer, position, headers.length)
  for (const { key, value } of headers) {
    at = writeVarint(buffer, at, Buffer.byteLength(key, 'utf8'))
    at += buffer.write(key, at, 'utf8')
    at = writeBytes(buffer, at, value)
  }
  return at
}

function writeTimestamp(buffer: Buffer, position: number, value: number | bigint): void {
  if (typeof value === 'number') writeInt64(buffer, position, value)
  else buffer.writeBigInt64BE(value, position)
}
