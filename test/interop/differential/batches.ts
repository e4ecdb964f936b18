/** Record batches to send: good ones, and ones with a fault at a known place. */

import { crc32c } from '../../../lib/base/crc32c.ts'
import { BatchBuilder, type BatchFields } from '../../../lib/record/builder.ts'
import type { Codec } from '../../../lib/record/compression.ts'
import { baseTime } from './compare.ts'

export interface BatchOptions extends BatchFields {
  readonly codec?: Codec
  readonly keys?: readonly (string | null)[]
  /** Of each record; the last one counts for those that follow. */
  readonly timestamps?: readonly number[]
}

/** A record per value. */
export function batch(values: readonly (string | null)[], options: BatchOptions = {}): Buffer {
  const { codec = 'none', keys = [], timestamps = [baseTime], ...fields } = options
  const builder = new BatchBuilder({ codec })
  for (const [index, value] of values.entries()) {
    const key = keys[index] ?? null
    const timestamp = timestamps[index] ?? timestamps.at(-1) ?? baseTime
    builder.append(timestamp, bytes(key), bytes(value))
  }
  return Buffer.from(builder.build(fields))
}

function bytes(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text)
}

/** Places in the header. */
export const at = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const

/** A changed batch whose CRC is right again. */
export function changed(good: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(good)
  change(copy)
  copy.writeUInt32BE(crc32c(copy.subarray(at.attributes)), at.crc)
  return copy
}

/** A changed batch whose CRC is left. */
export function damaged(good: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(good)
  change(copy)
  return copy
}

/** One message of the format before batches; its CRC is wrong. */
export function oldMessage(magic: 0 | 1): Buffer {
  const message = Buffer.alloc(magic === 0 ? 28 : 36)
  message.writeInt32BE(message.length - 12, 8)
  message[16] = magic
  message.writeInt32BE(-1, message.length - 10)
  message.writeInt32BE(2, message.length - 6)
  message.write('hi', message.length - 2)
  return message
}
