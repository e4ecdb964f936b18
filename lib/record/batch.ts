/**
 * Record batches (magic 2) as views over bytes: found, checked and patched in place, never parsed
 * record by record, never joined.
 *
 *   0   baseOffset           int64        | outside the CRC: a leader sets both
 *   8   batchLength          int32        |   (batchLength: bytes that follow it)
 *   12  partitionLeaderEpoch int32        |
 *   16  magic                int8         2
 *   17  crc                  uint32       CRC-32C of everything from 21 on
 *   21  attributes           int16        0-2 codec, 3 timestamp type, 4 transactional, 5 control,
 *                                         6 baseTimestamp is a delete horizon
 *   23  lastOffsetDelta      int32
 *   27  baseTimestamp        int64
 *   35  maxTimestamp         int64
 *   43  producerId           int64        -1 none
 *   51  producerEpoch        int16
 *   53  baseSequence         int32        -1 none
 *   57  recordCount          int32
 *   61  records, compressed as a whole
 *
 * Magic 0 and 1 (one entry per message, or per compressed wrapper) share the first 17 bytes' places
 * of offset, size and magic; `splitBatches` reports them and message-set.ts reads them.
 * Source: KIP-98; apache/kafka: clients/.../common/record/DefaultRecordBatch.java.
 */

import { asBuffer, type Chunks, chunksSize } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { DecodeError } from '../base/errors.ts'
import type { LeaderEpoch, Offset, ProducerEpoch, ProducerId } from '../base/types.ts'
import { type Codec, codecs } from './compression.ts'

/** Bytes before the records of a batch. */
export const headerSize = 61
/** Bytes of an entry that its size field does not count: offset and size. */
export const entryHeadSize = 12

export const sizePosition = 8
export const magicPosition = 16
const crcPosition = 17
/** The CRC covers what begins here. */
export const attributesPosition = 21
const maxTimestampPosition = 35

/** The fields before the records. Timestamps beyond 2^53 are rounded here, and exact in the bytes. */
export interface BatchHeader {
  baseOffset: Offset
  /** Of the whole batch, with offset and size field. */
  sizeBytes: number
  partitionLeaderEpoch: LeaderEpoch
  /** 2; or 0 or 1 for an entry of an old message set, whose fields below are unknown (-1, 0). */
  magic: number
  crc: number
  attributes: number
  lastOffsetDelta: number
  baseTimestamp: number
  maxTimestamp: number
  producerId: ProducerId
  producerEpoch: ProducerEpoch
  baseSequence: number
  recordCount: number
}

/** One batch: its header, and views over its bytes. `chunks[0]` holds at least the header's 61. */
export interface RecordBatch {
  readonly header: BatchHeader
  readonly chunks: Uint8Array[]
}

export type TimestampType = 'CreateTime' | 'LogAppendTime'

/** Attribute bits. */
export const attribute = {
  codecMask: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const

/** The codec that compressed the records. DecodeError for a number that no codec has. */
export function codecOf(attributes: number): Codec {
  const codec = codecs[attributes & attribute.codecMask]
  if (codec === undefined) {
    throw new DecodeError(`unknown codec ${attributes & attribute.codecMask} in the attributes`)
  }
  return codec
}

export function timestampTypeOf(attributes: number): TimestampType {
  return (attributes & attribute.logAppendTime) === 0 ? 'CreateTime' : 'LogAppendTime'
}

export function isTransactional(attributes: number): boolean {
  return (attributes & attribute.transactional) !== 0
}

/** Whether the one record is a marker of the broker's (control.ts), not data. */
export function isControl(attributes: number): boolean {
  return (attributes & attribute.control) !== 0
}

/** Whether baseTimestamp is the time after which compaction drops tombstones and markers. */
export function hasDeleteHorizon(attributes: number): boolean {
  return (attributes & attribute.deleteHorizon) !== 0
}

/** The offset of the last record, also when compaction took it away. */
export function lastOffsetOf(header: BatchHeader): Offset {
  return header.baseOffset + header.lastOffsetDelta
}

/** An int64 as a number; rounded beyond 2^53. */
export function readInt64(bytes: Buffer, position: number): number {
  return bytes.readInt32BE(position) * 0x1_0000_0000 + bytes.readUInt32BE(position + 4)
}

/** Writes a whole number within +-2^53 as an int64. */
export function writeInt64(bytes: Buffer, position: number, value: number): void {
  bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), position)
  bytes.writeInt32BE(value | 0, position + 4)
}

/**
 * The header of the batch that begins at `position`. Its 61 bytes must be there, its records need
 * not. DecodeError when they are not, when it is no batch of magic 2, or when its size is nonsense.
 */
export function readBatchHeader(bytes: Uint8Array, position = 0): BatchHeader {
  const buffer = asBuffer(bytes)
  if (position < 0 || position + headerSize > buffer.length) {
    throw new DecodeError(
      `batch header cut off: ${buffer.length - position} bytes of ${headerSize} at byte ${position}`,
    )
  }
  const sizeBytes = buffer.readInt32BE(position + 8) + entryHeadSize
  const magic = buffer.readInt8(position + 16)
  if (magic !== 2)
    throw new DecodeError(`batch with magic ${magic} at byte ${position}, expected 2`)
  if (sizeBytes < headerSize) {
    throw new DecodeError(`batch of ${sizeBytes} bytes at byte ${position}, at least ${headerSize}`)
  }
  return {
    baseOffset: readInt64(buffer, position),
    sizeBytes,
    partitionLeaderEpoch: buffer.readInt32BE(position + 12),
    magic,
    crc: buffer.readUInt32BE(position + crcPosition),
    attributes: buffer.readInt16BE(position + attributesPosition),
    lastOffsetDelta: buffer.readInt32BE(position + 23),
    baseTimestamp: readInt64(buffer, position + 27),
    maxTimestamp: readInt64(buffer, position + maxTimestampPosition),
    producerId: readInt64(buffer, position + 43),
    producerEpoch: buffer.readInt16BE(position + 51),
    baseSequence: buffer.readInt32BE(position + 53),
    recordCount: buffer.readInt32BE(position + 57),
  }
}

/**
 * The batches that `records` consists of, as views. Only a header that is split across chunks is
 * copied. An entry of magic 0 or 1 is reported with that magic in its header (and its bytes), for
 * the caller to convert the whole set. DecodeError when bytes are left over or a size is nonsense.
 */
export function splitBatches(records: Chunks): RecordBatch[] {
  const batches: RecordBatch[] = []
  const walk = new ChunkWalk(records)
  while (walk.leftBytes > 0) {
    const head = walk.peek(Math.min(headerSize, walk.leftBytes))
    const header = readEntryHeader(head)
    if (header.sizeBytes > walk.leftBytes) {
      throw new DecodeError(`batch of ${header.sizeBytes} bytes, ${walk.leftBytes} bytes left`)
    }
    batches.push({ header, chunks: walk.take(header.sizeBytes) })
  }
  return batches
}

/** The header of a batch, or the little that a message of magic 0 or 1 says without being read. */
function readEntryHeader(head: Buffer): BatchHeader {
  if (head.length <= 16) throw new DecodeError(`${head.length} bytes left over, no whole batch`)
  const magic = head.readInt8(16)
  if (magic !== 0 && magic !== 1) return readBatchHeader(head)
  const sizeBytes = head.readInt32BE(8) + entryHeadSize
  if (sizeBytes <= 16) throw new DecodeError(`message of ${sizeBytes} bytes with magic ${magic}`)
  return {
    baseOffset: readInt64(head, 0),
    sizeBytes,
    partitionLeaderEpoch: -1,
    magic,
    crc: head.readUInt32BE(12),
    attributes: head.length > 17 ? head.readInt8(17) : 0,
    lastOffsetDelta: 0,
    baseTimestamp: -1,
    maxTimestamp: -1,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount: -1,
  }
}

/** Cuts consecutive views out of chunks. */
class ChunkWalk {
  readonly #chunks: Chunks
  #index = 0
  /** Where the next byte lies in the chunk at #index. */
  #position = 0
  /** A copy of the next bytes, when they are split across chunks: `take` begins with it. */
  #copied: Buffer | null = null
  leftBytes: number

  constructor(chunks: Chunks) {
    this.#chunks = chunks
    this.leftBytes = chunksSize(chunks)
  }

  /** The next `size` bytes, which must be there, contiguous; a view if they lie in one chunk. */
  peek(size: number): Buffer {
    this.#skipEmpty()
    const chunk = this.#chunks[this.#index] ?? new Uint8Array(0)
    if (chunk.length - this.#position >= size) {
      return asBuffer(chunk.subarray(this.#position, this.#position + size))
    }
    this.#copied = Buffer.concat(this.#views(size, false))
    return this.#copied
  }

  /** Views over the next `size` bytes, at least those last peeked at; moves past them. */
  take(size: number): Uint8Array[] {
    const copied = this.#copied
    this.#copied = null
    if (copied === null) return this.#views(size, true)
    // A message of magic 0 may be smaller than what was peeked at.
    const head = copied.subarray(0, Math.min(size, copied.length))
    this.#views(head.length, true)
    return [head, ...this.#views(size - head.length, true)]
  }

  #views(size: number, move: boolean): Uint8Array[] {
    const views: Uint8Array[] = []
    let index = this.#index
    let position = this.#position
    for (let missing = size; missing > 0; ) {
      const chunk = this.#chunks[index]
      if (chunk === undefined) throw new DecodeError(`${missing} bytes of ${size} are missing`)
      const end = Math.min(position + missing, chunk.length)
      if (end > position) views.push(chunk.subarray(position, end))
      missing -= end - position
      position = end
      if (position === chunk.length) {
        index++
        position = 0
      }
    }
    if (move) {
      this.#index = index
      this.#position = position
      this.leftBytes -= size
    }
    return views
  }

  #skipEmpty(): void {
    while (this.#position >= (this.#chunks[this.#index]?.length ?? 1)) {
      this.#index++
      this.#position = 0
    }
  }
}

/** The CRC-32C that the header of `batch` should carry. */
export function batchCrc(batch: RecordBatch): number {
  let crc = 0
  let skip = attributesPosition
  for (const chunk of batch.chunks) {
    crc = crc32c(skip === 0 ? chunk : chunk.subarray(skip), crc)
    skip = 0
  }
  return crc
}

/** Sets what a leader decides, in the bytes and the header. Outside the CRC. */
export function patchOffsetAndEpoch(
  batch: RecordBatch,
  baseOffset: Offset,
  leaderEpoch: LeaderEpoch,
): void {
  const head = headOf(batch)
  writeInt64(head, 0, baseOffset)
  head.writeInt32BE(leaderEpoch, 12)
  batch.header.baseOffset = baseOffset
  batch.header.partitionLeaderEpoch = leaderEpoch
}

/**
 * Makes `nowMs` the time of every record: timestamp type and maxTimestamp, hence the CRC, in the
 * bytes and the header.
 */
export function patchLogAppendTime(batch: RecordBatch, nowMs: number): void {
  writeInt64(headOf(batch), maxTimestampPosition, nowMs)
  batch.header.maxTimestamp = nowMs
  patchAttributes(batch, batch.header.attributes | attribute.logAppendTime)
}

/** Makes each record's own time count: the timestamp type, hence the CRC, in the bytes and the header. */
export function patchCreateTime(batch: RecordBatch): void {
  patchAttributes(batch, batch.header.attributes & ~attribute.logAppendTime)
}

function patchAttributes(batch: RecordBatch, attributes: number): void {
  const head = headOf(batch)
  head.writeInt16BE(attributes, attributesPosition)
  batch.header.attributes = attributes
  batch.header.crc = batchCrc(batch)
  head.writeUInt32BE(batch.header.crc, crcPosition)
}

/** The bytes that hold the header of `batch`. */
export function headOf(batch: RecordBatch): Buffer {
  const [first] = batch.chunks
  if (first === undefined || first.length < headerSize) {
    throw new DecodeError(`the first chunk of a batch has ${first?.length ?? 0} bytes, not 61`)
  }
  return asBuffer(first)
}

/** A batch that lies whole in `bytes`, from `position` on. DecodeError when it does not. */
export function batchAt(bytes: Uint8Array, position = 0): RecordBatch {
  const header = readBatchHeader(bytes, position)
  const end = position + header.sizeBytes
  if (end > bytes.length) {
    throw new DecodeError(`batch of ${header.sizeBytes} bytes, ${bytes.length - position} there`)
  }
  return { header, chunks: [bytes.subarray(position, end)] }
}
