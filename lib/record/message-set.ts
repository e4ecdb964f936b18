/**
 * The old message formats, magic 0 and 1: read, and converted to batches of magic 2. Never written.
 *
 *   0   offset      int64
 *   8   size        int32     bytes that follow it
 *   12  crc         uint32    CRC-32 (IEEE) of everything from 16 on
 *   16  magic       int8      0 or 1
 *   17  attributes  int8      0-2 codec (no zstd), 3 timestamp type (magic 1)
 *   18  timestamp   int64     magic 1 only
 *       key, value  int32 size (-1 null), bytes each
 *
 * With a codec, the message is a wrapper: its value is a compressed message set of the same magic, not
 * nested deeper. The wrapper's offset is that of its last message. Offsets inside are absolute in
 * magic 0 and relative in magic 1; a wrapper offset of 0 says nothing (old librdkafka sent that). A
 * wrapper with LogAppendTime gives its own timestamp to all its messages.
 * Sources: KIP-31, KIP-32; apache/kafka: clients/.../common/record/AbstractLegacyRecordBatch.java.
 */

import { asBuffer, type Chunks, joinChunks } from '../base/bytes.ts'
import { crc32 } from '../base/crc32c.ts'
import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import { narrow } from '../base/varint.ts'
import {
  batchAt,
  codecOf,
  entryHeadSize,
  type RecordBatch,
  readInt64,
  splitBatches,
  type TimestampType,
  timestampTypeOf,
} from './batch.ts'
import { BatchBuilder } from './builder.ts'
import { type Codec, decompress } from './compression.ts'
import type { ReadLimits, Record } from './record.ts'

/** What one entry of a set holds: one record, or those of a compressed wrapper. */
export interface OldMessages {
  readonly magic: number
  readonly codec: Codec
  readonly timestampType: TimestampType
  readonly records: Record[]
  /** Of the messages, uncompressed. */
  readonly sizeBytes: number
}

export interface UpConversion extends ReadLimits {
  /**
   * 'assign' counts from 0 within each batch, for what a producer sent: its offsets mean nothing.
   * 'keep' preserves them, for what a log held.
   */
  readonly offsets: 'assign' | 'keep'
}

const headSize = { magic0: 18, magic1: 26 }
const noHeaders: Record['headers'] = []

/**
 * The batches of magic 2 that hold the same records with the same codecs. Neighbouring uncompressed
 * messages come together in one batch. Batches that have magic 2 already are given back as they are.
 * DecodeError when a checksum, size or offset is wrong or more than `maxBytes` would be expanded.
 */
export function upConvert(records: Chunks, options: UpConversion): RecordBatch[] {
  const converted: RecordBatch[] = []
  let run: OldMessages | null = null
  const endRun = () => {
    if (run !== null) converted.push(convert(run, options))
    run = null
  }
  let leftBytes = options.maxBytes
  for (const batch of splitBatches(records)) {
    if (batch.header.magic === 2) {
      endRun()
      converted.push(batch)
      continue
    }
    const messages = readMessages(batch, { maxBytes: leftBytes })
    if (messages.codec !== 'none') leftBytes -= messages.sizeBytes
    if (run !== null && canJoin(run, messages, options)) run.records.push(...messages.records)
    else {
      endRun()
      run = messages
    }
  }
  endRun()
  return converted
}

/** Whether a single message may follow the run in one batch. */
function canJoin(run: OldMessages, next: OldMessages, { offsets }: UpConversion): boolean {
  const last = run.records.at(-1)
  const [first] = next.records
  if (last === undefined || first === undefined) return false
  if (run.codec !== 'none' || next.codec !== 'none') return false
  if (run.timestampType !== next.timestampType) return false
  // A batch with LogAppendTime has one time for all its records.
  if (run.timestampType === 'LogAppendTime' && last.timestamp !== first.timestamp) return false
  return (
    offsets === 'assign' || isNextOffset(first.offset, last.offset, run.records[0]?.offset ?? 0)
  )
}

/** Whether `offset` may follow `last` in a batch: it grows, and fits the int32 of an offset delta. */
function isNextOffset(offset: Offset, last: Offset, baseOffset: Offset): boolean {
  return offset > last && offset - baseOffset <= 0x7fff_fffe
}

function convert(messages: OldMessages, { offsets }: UpConversion): RecordBatch {
  const builder = new BatchBuilder({ codec: messages.codec })
  const baseOffset = offsets === 'keep' ? (messages.records[0]?.offset ?? 0) : 0
  let last = baseOffset - 1
  for (const { offset, timestamp, key, value } of messages.records) {
    if (offsets === 'keep') {
      if (!isNextOffset(offset, last, baseOffset)) {
        throw new DecodeError(`offset ${offset} after ${last} in a compressed message`)
      }
      builder.skipToOffsetDelta(offset - baseOffset)
      last = offset
    }
    builder.append(timestamp, key, value)
  }
  const isAppendTime = messages.timestampType === 'LogAppendTime'
  const batch = builder.build({
    baseOffset,
    ...(isAppendTime ? { logAppendTimeMs: builder.maxTimestamp } : {}),
  })
  return batchAt(batch)
}

/** The records of one entry of magic 0 or 1. DecodeError when a checksum, size or offset is wrong. */
export function readMessages(entry: RecordBatch, { maxBytes }: ReadLimits): OldMessages {
  const bytes = asBuffer(joinChunks(entry.chunks))
  const message = readMessage(bytes, 0)
  const { codec, magic, timestampType } = message
  if (message.end !== bytes.length) {
    throw new DecodeError(`${bytes.length - message.end} bytes after a message of magic ${magic}`)
  }
  if (codec === 'none') {
    return { magic, codec, timestampType, records: [recordOf(message)], sizeBytes: bytes.length }
  }
  if (message.value === null) throw new DecodeError('a compressed message without a value')
  const inner = asBuffer(decompress(codec, message.value, maxBytes))
  const records = readInner(message, inner)
  return { magic, codec, timestampType, records, sizeBytes: inner.length }
}

interface Message {
  readonly offset: Offset
  readonly magic: number
  readonly codec: Codec
  readonly timestampType: TimestampType
  readonly timestamp: number | bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** Where the next message begins. */
  readonly end: number
}

function recordOf({ offset, timestamp, key, value }: Message): Record {
  return { offset, timestamp, key, value, headers: noHeaders }
}

/** The records of a wrapper, whose value is `bytes` once uncompressed. */
function readInner(wrapper: Message, bytes: Buffer): Record[] {
  const inner: Message[] = []
  for (let position = 0; position < bytes.length; ) {
    const message = readMessage(bytes, position)
    if (message.codec !== 'none' || message.magic !== wrapper.magic) {
      throw new DecodeError(
        `a message of magic ${message.magic}, ${message.codec}, inside one of magic ${wrapper.magic}`,
      )
    }
    inner.push(message)
    position = message.end
  }
  const baseOffset = innerBaseOffset(wrapper, inner)
  const isAppendTime = wrapper.timestampType === 'LogAppendTime'
  return inner.map((message) => ({
    ...recordOf(message),
    offset: baseOffset + message.offset,
    timestamp: isAppendTime ? wrapper.timestamp : message.timestamp,
  }))
}

/** What the offsets inside a wrapper are to be added to. */
function innerBaseOffset(wrapper: Message, inner: readonly Message[]): Offset {
  const last = inner.at(-1)
  if (last === undefined) throw new DecodeError('a compressed message that holds no messages')
  if (wrapper.magic === 0 || wrapper.offset === 0) return 0
  if (wrapper.offset < last.offset) {
    throw new DecodeError(
      `compressed message with offset ${wrapper.offset}, less than its last relative one, ${last.offset}`,
    )
  }
  return wrapper.offset - last.offset
}

function readMessage(bytes: Buffer, position: number): Message {
  const left = bytes.length - position
  if (left < headSize.magic0) throw new DecodeError(`message cut off: ${left} bytes left`)
  const size = bytes.readInt32BE(position + 8)
  const end = position + entryHeadSize + size
  const magic = bytes.readInt8(position + 16)
  const attributes = bytes.readInt8(position + 17)
  if (magic !== 0 && magic !== 1) throw new DecodeError(`message with magic ${magic}`)
  const head = magic === 0 ? headSize.magic0 : headSize.magic1
  if (end < position + head + 8 || end > bytes.length) {
    throw new DecodeError(`message of ${size} bytes, ${left - entryHeadSize} there`)
  }
  checkCrc(bytes, position, end)
  const codec = codecOf(attributes)
  if (codec === 'zstd') throw new DecodeError(`zstd in a message of magic ${magic}`)
  const key = readBytes(bytes, position + head, end - 4)
  const value = readBytes(bytes, key.end, end)
  if (value.end !== end) throw new DecodeError(`${end - value.end} bytes left over in a message`)
  return {
    offset: readInt64(bytes, position),
    magic,
    codec,
    timestampType: magic === 0 ? 'CreateTime' : timestampTypeOf(attributes),
    timestamp: magic === 0 ? -1 : narrow(bytes.readBigInt64BE(position + 18)),
    key: key.bytes,
    value: value.bytes,
    end,
  }
}

function checkCrc(bytes: Buffer, position: number, end: number): void {
  const found = bytes.readUInt32BE(position + 12)
  const expected = crc32(bytes.subarray(position + 16, end))
  if (found !== expected) throw new DecodeError(`message with checksum ${found}, not ${expected}`)
}

function readBytes(bytes: Buffer, position: number, limit: number) {
  if (position + 4 > limit) throw new DecodeError(`message cut off at byte ${position}`)
  const size = bytes.readInt32BE(position)
  const start = position + 4
  if (size < -1 || size > limit - start) {
    throw new DecodeError(`key or value of ${size} bytes in a message, ${limit - start} left`)
  }
  if (size === -1) return { bytes: null, end: start }
  return { bytes: bytes.subarray(start, start + size), end: start + size }
}
