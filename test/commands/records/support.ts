/** Records to be written, for the tests of writers. */

import type { OutputPlace } from '../../../commands/records/output-record.ts'
import { batchAt } from '../../../lib/record/batch.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import { RecordCursor } from '../../../lib/record/record.ts'

type Bytes = string | Uint8Array | null

export interface RecordFields {
  readonly key?: Bytes
  readonly value?: Bytes
  readonly headers?: readonly (readonly [string, Bytes])[]
  readonly offset?: number
  readonly timestamp?: number | bigint
}

/** A cursor that stands on the one record of a batch. */
export function record(fields: RecordFields): RecordCursor {
  const { key = null, value = null, headers = [], offset = 0, timestamp = -1 } = fields
  const builder = new BatchBuilder()
  const pairs = headers.map(([name, bytes]) => ({ key: name, value: bytesOf(bytes) }))
  builder.append(timestamp, bytesOf(key), bytesOf(value), pairs)
  const cursor = new RecordCursor(batchAt(builder.build({ baseOffset: offset })), {
    maxBytes: 1 << 24,
  })
  cursor.next()
  return cursor
}

function bytesOf(value: Bytes): Uint8Array | null {
  return typeof value === 'string' ? Buffer.from(value) : value
}

export function place(): OutputPlace {
  return {
    topic: 'orders',
    partition: 3,
    timestampType: 'create',
    leaderEpoch: 7,
    producerId: 1000,
    logStart: 5,
    logEnd: 99,
    count: 10,
  }
}
