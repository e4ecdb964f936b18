import { crc32c } from '../../lib/base/crc32c.ts'
import { readableBatches } from '../../lib/client/fetched-records.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { buildControlBatch } from '../../lib/record/control.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('fetched-records')

/** A batch of which compaction left the header. */
function emptied(bytes: Uint8Array, baseOffset: number): Buffer {
  const batch = Buffer.from(bytes.subarray(0, 61))
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  batch.writeInt32BE(61 - 12, 8)
  batch.writeInt32BE(0, 57)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

test('a marker that compaction emptied is passed over', () => {
  const marker = { producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1 }
  const builder = new BatchBuilder()
  builder.append(1, null, Buffer.from('v'))
  const data = Buffer.from(builder.build({ baseOffset: 1 }))
  const records = [emptied(buildControlBatch({ type: 'abort', ...marker }), 0), data]
  const found = readableBatches(records, { maxBytes: 1000, checkCrcs: true, aborted: [] })
  assert.equal(
    found.batches.map(({ header }) => header.baseOffset),
    [1],
  )
  assert.is(found.nextOffset, 2)
})
