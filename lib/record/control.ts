/**
 * Control batches: one record that ends a transaction of a producer on a partition. The key says what
 * it is, the value by which coordinator. Consumers get them from a fetch and hide them.
 *
 *   key    | version: int16 (0) | type: int16 (0 abort, 1 commit) |
 *   value  | version: int16 (0) | coordinatorEpoch: int32 |
 *
 * Later versions may be longer at the end. Source: KIP-98; apache/kafka:
 * clients/.../common/record/ControlRecordType.java, EndTransactionMarker.java.
 */

import { asBuffer } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'
import type { ProducerEpoch, ProducerId } from '../base/types.ts'
import { isControl, type RecordBatch } from './batch.ts'
import { BatchBuilder } from './builder.ts'
import { readRecords } from './record.ts'

export type ControlType = 'abort' | 'commit'

/** The end of a transaction, as its marker says it. */
export interface EndMarker {
  readonly type: ControlType
  readonly producerId: ProducerId
  readonly producerEpoch: ProducerEpoch
  readonly coordinatorEpoch: number
  /** Ms since 1970. */
  readonly timestamp: number
}

/** A control record whose type may be one that this version does not know. */
export interface ControlRecord {
  /** 0 abort, 1 commit; others belong to Kafka's Raft log. */
  readonly typeCode: number
  readonly type: ControlType | null
  /** -1 when the type is neither abort nor commit. */
  readonly coordinatorEpoch: number
}

const controlTypes: readonly ControlType[] = ['abort', 'commit']
/** A control batch is a hundred bytes; one of Kafka's Raft log a few hundred. */
const controlBytesMax = 64 * 1024

/** The batch that marks the end of a transaction. */
export function buildControlBatch(marker: EndMarker): Uint8Array {
  const key = Buffer.alloc(4)
  key.writeInt16BE(controlTypes.indexOf(marker.type), 2)
  const value = Buffer.alloc(6)
  value.writeInt32BE(marker.coordinatorEpoch, 2)
  const builder = new BatchBuilder({ initialBytes: 96 })
  builder.append(marker.timestamp, key, value)
  return builder.build({
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    isTransactional: true,
    isControl: true,
  })
}

/** What a control batch says. DecodeError when it is none, or its record is malformed. */
export function readControlBatch(batch: RecordBatch): ControlRecord {
  if (!isControl(batch.header.attributes)) {
    throw new DecodeError(`the batch at offset ${batch.header.baseOffset} is no control batch`)
  }
  const [record, ...others] = readRecords(batch, { maxBytes: controlBytesMax })
  if (record === undefined || others.length > 0) {
    throw new DecodeError(
      `control batch of ${others.length + (record ? 1 : 0)} records, expected 1`,
    )
  }
  const typeCode = readKey(record.key)
  const type = controlTypes[typeCode] ?? null
  return { typeCode, type, coordinatorEpoch: type === null ? -1 : readEpoch(record.value) }
}

function readKey(bytes: Uint8Array | null): number {
  if (bytes === null || bytes.length < 4) {
    throw new DecodeError(`control record with a key of ${bytes?.length ?? 0} bytes, at least 4`)
  }
  const key = asBuffer(bytes)
  const version = key.readInt16BE(0)
  if (version < 0) throw new DecodeError(`control record key of version ${version}`)
  return key.readInt16BE(2)
}

function readEpoch(bytes: Uint8Array | null): number {
  if (bytes === null || bytes.length < 6) {
    throw new DecodeError(`control record with a value of ${bytes?.length ?? 0} bytes, at least 6`)
  }
  const value = asBuffer(bytes)
  const version = value.readInt16BE(0)
  if (version < 0) throw new DecodeError(`control record value of version ${version}`)
  return value.readInt32BE(2)
}
