/**
 * What a leader checks before a batch enters the log, from its header and its CRC. Records are
 * parsed only for compacted topics (every record needs a key), to name the records that break a
 * limit of time, and where compression.type asks for another codec than the producer's.
 *
 * Source: apache/kafka: storage/.../log/LogValidator.java, UnifiedLog.java.
 */

import { DecodeError, KafkaError } from '../base/errors.ts'
import {
  attribute,
  batchAt,
  batchCrc,
  isControl,
  isTransactional,
  type RecordBatch,
  timestampTypeOf,
} from '../record/batch.ts'
import { BatchBuilder } from '../record/builder.ts'
import { type Codec, codecs } from '../record/compression.ts'
import { forEachRecord, type Record } from '../record/record.ts'
import { type LogConfig, segmentBytesOf } from './log-config.ts'

/** One offending record of a batch: what goes into `record_errors`. */
export interface RecordError {
  /** Index of the record in its batch. */
  readonly batchIndex: number
  readonly message: string
}

/** INVALID_RECORD or INVALID_TIMESTAMP, with the records that are at fault. */
export class InvalidRecordsError extends KafkaError {
  readonly recordErrors: readonly RecordError[]

  constructor(
    name: 'INVALID_RECORD' | 'INVALID_TIMESTAMP',
    message: string,
    recordErrors: readonly RecordError[],
  ) {
    super(name, message)
    this.recordErrors = recordErrors
  }
}

/** No batch may grow beyond this when it is decompressed. */
export const decompressedBytesMax = 128 * 1024 * 1024
/** Offending records named in one answer. */
export const recordErrorsMax = 1000
const never = Number.MAX_SAFE_INTEGER

/**
 * Throws unless the batch may be appended: CORRUPT_MESSAGE, INVALID_RECORD, MESSAGE_TOO_LARGE,
 * RECORD_LIST_TOO_LARGE, INVALID_TIMESTAMP, INVALID_TXN_STATE. `where` names the partition.
 */
export function validateBatch(
  batch: RecordBatch,
  config: LogConfig,
  { nowMs, where }: { nowMs: number; where: string },
): void {
  const { header } = batch
  if (header.magic !== 2) throw invalid(`a batch of magic ${header.magic} for ${where}, expected 2`)
  if (header.baseOffset !== 0) {
    throw invalid(`base offset ${header.baseOffset} in a batch for ${where}, expected 0`)
  }
  checkSize(header.sizeBytes, config, where)
  const crc = batchCrc(batch)
  if (crc !== header.crc) {
    throw new KafkaError(
      'CORRUPT_MESSAGE',
      `a batch for ${where} has CRC ${header.crc}, computed ${crc}`,
    )
  }
  if (header.recordCount <= 0 || header.recordCount !== header.lastOffsetDelta + 1) {
    throw invalid(
      `${header.recordCount} records and last offset delta ${header.lastOffsetDelta} in a batch for ${where}`,
    )
  }
  if (isControl(header.attributes)) throw invalid(`a control batch from a client for ${where}`)
  if ((header.attributes & attribute.codecMask) >= codecs.length) {
    throw invalid(`codec ${header.attributes & attribute.codecMask} in a batch for ${where}`)
  }
  if (header.producerId >= 0 && (header.baseSequence < 0 || header.producerEpoch < 0)) {
    throw invalid(
      `producer ${header.producerId} sent epoch ${header.producerEpoch}, sequence ${header.baseSequence} to ${where}`,
    )
  }
  if (isTransactional(header.attributes)) {
    throw new KafkaError(
      'INVALID_TXN_STATE',
      `a transactional batch for ${where} outside a transaction`,
    )
  }
  checkTimestamps(batch, config, { nowMs, where })
  if (config['cleanup.policy'].includes('compact')) checkKeys(batch, where)
}

/** MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE. */
export function checkSize(sizeBytes: number, config: LogConfig, where: string): void {
  if (sizeBytes > config['max.message.bytes']) {
    throw new KafkaError(
      'MESSAGE_TOO_LARGE',
      `a batch of ${sizeBytes} bytes for ${where}, max.message.bytes is ${config['max.message.bytes']}`,
    )
  }
  const segmentBytes = segmentBytesOf(config)
  if (sizeBytes > segmentBytes) {
    throw new KafkaError(
      'RECORD_LIST_TOO_LARGE',
      `a batch of ${sizeBytes} bytes for ${where}, segment.bytes is ${segmentBytes}`,
    )
  }
}

function invalid(message: string): KafkaError {
  return new InvalidRecordsError('INVALID_RECORD', message, [])
}

/** Whether the producer says that the broker set the time: Kafka takes that back with CreateTime. */
export function claimsAppendTime({ header }: RecordBatch): boolean {
  return timestampTypeOf(header.attributes) === 'LogAppendTime'
}

/** With CreateTime: the header's times within the limits; with LogAppendTime: not set by the client. */
function checkTimestamps(
  batch: RecordBatch,
  config: LogConfig,
  { nowMs, where }: { nowMs: number; where: string },
): void {
  const { header } = batch
  if (config['message.timestamp.type'] === 'LogAppendTime') {
    if (!claimsAppendTime(batch)) return
    throw new InvalidRecordsError(
      'INVALID_TIMESTAMP',
      `a batch for ${where} claims LogAppendTime, which only the broker sets`,
      offendersOf(batch, () => 'LogAppendTime set by the producer'),
    )
  }
  const before = config['message.timestamp.before.max.ms']
  const after = config['message.timestamp.after.max.ms']
  const oldest = before >= never ? Number.NEGATIVE_INFINITY : nowMs - before
  const newest = after >= never ? Number.POSITIVE_INFINITY : nowMs + after
  const isOutside = (timestamp: number) =>
    timestamp !== -1 && (timestamp < oldest || timestamp > newest)
  if (!isOutside(header.baseTimestamp) && !isOutside(header.maxTimestamp)) return
  const message = `a record for ${where} has a timestamp outside ${oldest} to ${newest}`
  const offenders = offendersOf(batch, (record) =>
    isOutside(Number(record.timestamp)) ? `timestamp ${record.timestamp}` : null,
  )
  throw new InvalidRecordsError('INVALID_TIMESTAMP', message, offenders)
}

function checkKeys(batch: RecordBatch, where: string): void {
  const offenders = offendersOf(batch, (record) =>
    record.key === null ? 'a compacted topic takes no record without a key' : null,
  )
  if (offenders.length === 0) return
  throw new InvalidRecordsError(
    'INVALID_RECORD',
    `${where} is compacted and takes no record without a key`,
    offenders,
  )
}

function offendersOf(batch: RecordBatch, check: (record: Record) => string | null): RecordError[] {
  const offenders: RecordError[] = []
  let index = 0
  readOrRefuse(batch, (record) => {
    const message = check(record)
    if (message !== null && offenders.length < recordErrorsMax) {
      offenders.push({ batchIndex: index, message })
    }
    index++
  })
  return offenders
}

/** Records that cannot be read are the sender's fault: INVALID_RECORD. */
function readOrRefuse(batch: RecordBatch, fn: (record: Record) => void): void {
  try {
    forEachRecord(batch, { maxBytes: decompressedBytesMax }, fn)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw invalid(`the records cannot be read: ${error.message}`)
  }
}

/** The codec the topic wants its batches in; null when it keeps the producer's. */
function codecWanted(config: LogConfig): Codec | null {
  const type = config['compression.type']
  if (type === 'producer') return null
  if (type === 'uncompressed') return 'none'
  return codecs.find((codec) => codec === type) ?? null
}

function levelOf(codec: Codec, config: LogConfig): number | undefined {
  if (codec === 'gzip') {
    return config['compression.gzip.level'] < 0 ? undefined : config['compression.gzip.level']
  }
  if (codec === 'lz4') return config['compression.lz4.level']
  if (codec === 'zstd') return config['compression.zstd.level']
  return undefined
}

/** The batch in the codec that compression.type asks for; the same batch when it is already. */
export function withWantedCodec(batch: RecordBatch, config: LogConfig): RecordBatch {
  const codec = codecWanted(config)
  const { header } = batch
  if (codec === null || codecs[header.attributes & attribute.codecMask] === codec) return batch
  const level = levelOf(codec, config)
  const builder = new BatchBuilder({
    codec,
    initialBytes: Math.min(header.sizeBytes * 2, 1024 * 1024),
    ...(level === undefined ? {} : { level }),
  })
  readOrRefuse(batch, ({ timestamp, key, value, headers }) => {
    builder.append(timestamp, key, value, headers)
  })
  if (builder.recordCount !== header.recordCount) {
    throw invalid(`${builder.recordCount} records in a batch that says ${header.recordCount}`)
  }
  const { producerId, producerEpoch, baseSequence } = header
  return batchAt(builder.build({ producerId, producerEpoch, baseSequence }))
}
