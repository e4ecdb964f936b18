/** The records of an operation as record batches, none larger than the log takes. */

import { KafkaError } from '../base/errors.ts'
import { BatchBuilder } from '../record/builder.ts'
import type { ShardRecord, ShardResult } from './shard.ts'

/** The records of one batch, and its bytes. */
export interface BatchOfRecords {
  readonly records: readonly ShardRecord[]
  readonly bytes: Uint8Array
}

/**
 * One batch, unless the records need not stay together. RECORD_LIST_TOO_LARGE when they do not fit
 * in one, or one of them alone does not.
 */
export function batchesOf(
  { records, isAtomic = true }: Pick<ShardResult<unknown>, 'records' | 'isAtomic'>,
  { nowMs, batchBytesMax }: { nowMs: number; batchBytesMax: number },
): BatchOfRecords[] {
  const whole = oneBatch(records, nowMs)
  if (whole.bytes.length <= batchBytesMax) return [whole]
  if (isAtomic || records.length === 1) {
    throw new KafkaError(
      'RECORD_LIST_TOO_LARGE',
      `${records.length} records take ${whole.bytes.length} bytes in one batch, ${batchBytesMax} are allowed`,
    )
  }
  const middle = records.length >> 1
  const halves = [records.slice(0, middle), records.slice(middle)]
  return halves.flatMap((half) => batchesOf({ records: half, isAtomic }, { nowMs, batchBytesMax }))
}

function oneBatch(records: readonly ShardRecord[], nowMs: number): BatchOfRecords {
  const builder = new BatchBuilder()
  for (const { key, value } of records) builder.append(nowMs, key, value)
  return { records, bytes: builder.build() }
}
