import { crc32c } from '../../lib/base/crc32c.ts'
import { batchAt, isControl, isTransactional, splitBatches } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { buildControlBatch, readControlBatch } from '../../lib/record/control.ts'
import { decodeError, goldens } from '../support/records.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('control')

test('the markers that Kafka writes are read', () => {
  const [golden] = goldens(/^java-transactions$/)
  const batches = splitBatches([golden?.bytes ?? Buffer.alloc(0)])
  const markers = batches.filter(({ header }) => isControl(header.attributes)).map(readControlBatch)
  assert.equal(markers, [
    { typeCode: 1, type: 'commit', coordinatorEpoch: 0 },
    { typeCode: 0, type: 'abort', coordinatorEpoch: 0 },
  ])
})

test('a marker is written byte for byte as Kafka writes it', () => {
  const [golden] = goldens(/^java-transactions$/)
  for (const batch of splitBatches([golden?.bytes ?? Buffer.alloc(0)])) {
    if (!isControl(batch.header.attributes)) continue
    const { producerId, producerEpoch, baseTimestamp, baseOffset } = batch.header
    const { type } = readControlBatch(batch)
    const ours = Buffer.from(
      buildControlBatch({
        type: type ?? 'abort',
        producerId,
        producerEpoch,
        coordinatorEpoch: 0,
        timestamp: baseTimestamp,
      }),
    )
    // What the leader sets.
    ours.writeBigInt64BE(BigInt(baseOffset), 0)
    ours.writeInt32BE(0, 12)
    assert.is(ours.toString('hex'), Buffer.from(batch.chunks[0] ?? []).toString('hex'))
  }
})

test('a marker survives the round trip', () => {
  const bytes = buildControlBatch({
    type: 'commit',
    producerId: 2 ** 40,
    producerEpoch: 32767,
    coordinatorEpoch: 12,
    timestamp: 1_700_000_000_000,
  })
  const batch = batchAt(bytes)
  assert.ok(isTransactional(batch.header.attributes))
  assert.is(batch.header.producerId, 2 ** 40)
  assert.is(batch.header.baseSequence, -1)
  assert.equal(readControlBatch(batch), { typeCode: 1, type: 'commit', coordinatorEpoch: 12 })
})

/** A control batch of the given keys, with null or these values. */
function controlBatch(...records: [key: string | null, value: string | null][]): Buffer {
  const bytes = (hex: string | null) => (hex === null ? null : Buffer.from(hex, 'hex'))
  const builder = new BatchBuilder()
  for (const [key, value] of records) builder.append(0, bytes(key), bytes(value))
  return Buffer.from(builder.build({ isControl: true }))
}

for (const [what, batch, message] of [
  ['no key', controlBatch([null, '000000000000']), 'key of 0 bytes'],
  ['a short key', controlBatch(['000000', '000000000000']), 'key of 3 bytes'],
  ['a negative key version', controlBatch(['ffff0001', '000000000000']), 'version -1'],
  ['no value', controlBatch(['00000001', null]), 'value of 0 bytes'],
  ['a short value', controlBatch(['00000001', '0000000000']), 'value of 5 bytes'],
  ['a negative value version', controlBatch(['00000001', 'ffff00000000']), 'version -1'],
  ['two records', controlBatch(['00000001', null], ['00000001', null]), '2 records'],
] as const) {
  test(`a control record with ${what} is a DecodeError`, () => {
    assert.match(decodeError(() => readControlBatch(batchAt(batch)))?.message ?? '', message)
  })
}

test('a type from the future or from the Raft log is given as its number', () => {
  const batch = batchAt(controlBatch(['00000002', '00']))
  assert.equal(readControlBatch(batch), { typeCode: 2, type: null, coordinatorEpoch: -1 })
})

test('a later version may be longer', () => {
  const batch = batchAt(controlBatch(['0001000000', '00010000000900']))
  assert.equal(readControlBatch(batch), { typeCode: 0, type: 'abort', coordinatorEpoch: 9 })
})

test('a data batch is no control batch', () => {
  const bytes = controlBatch(['00000001', '000000000000'])
  bytes.writeInt16BE(0, 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  assert.match(
    decodeError(() => readControlBatch(batchAt(bytes)))?.message ?? '',
    'no control batch',
  )
})
