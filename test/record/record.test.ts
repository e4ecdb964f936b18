import { crc32c } from '../../lib/base/crc32c.ts'
import {
  batchAt,
  batchCrc,
  codecOf,
  isControl,
  isTransactional,
  lastOffsetOf,
  splitBatches,
  timestampTypeOf,
} from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { codecs } from '../../lib/record/compression.ts'
import { forEachRecord, RecordCursor, readRecords } from '../../lib/record/record.ts'
import {
  decodeError,
  expectedRecords,
  goldens,
  mutated,
  recordsText,
  seeded,
} from '../support/records.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('record')
const limits = { maxBytes: 1e6 }
const modern = goldens(/^(java|kcat|perf|console|kafkajs)-(?!magic)/)

for (const { name, bytes, batches } of modern) {
  test(`${name} reads as Kafka's own reader reads it`, () => {
    const read = splitBatches([bytes])
    assert.is(read.length, batches.length)
    batches.forEach((expected, index) => {
      const batch = read[index] ?? batchAt(Buffer.alloc(0))
      const { header } = batch
      assert.equal(
        {
          ...expected,
          codec: codecOf(header.attributes),
          sizeBytes: header.sizeBytes,
          timestampType: timestampTypeOf(header.attributes),
          lastOffset: lastOffsetOf(header),
          maxTimestamp: String(BigInt(header.maxTimestamp)),
          baseOffset: header.baseOffset,
          partitionLeaderEpoch: header.partitionLeaderEpoch,
          crc: batchCrc(batch),
          recordCount: header.recordCount,
          producerId: header.producerId,
          producerEpoch: header.producerEpoch,
          baseSequence: header.baseSequence,
          isTransactional: isTransactional(header.attributes),
          isControl: isControl(header.attributes),
        },
        // The header's own field is a number, rounded beyond 2^53; the records' are exact.
        { ...expected, maxTimestamp: String(BigInt(Number(expected.maxTimestamp))) },
      )
      assert.is(header.crc, expected.crc)
      assert.is(recordsText(readRecords(batch, limits)), expectedRecords(expected))
    })
  })
}

test('the cursor, the callback and the list give the same records', () => {
  for (const { bytes } of modern) {
    for (const batch of splitBatches([bytes])) {
      const listed = readRecords(batch, limits)
      const called: typeof listed = []
      forEachRecord(batch, limits, (record) => called.push(record))
      const stepped: typeof listed = []
      const cursor = new RecordCursor(batch, limits)
      while (cursor.next()) stepped.push(cursor.record())
      assert.is(recordsText(called), recordsText(listed))
      assert.is(recordsText(stepped), recordsText(listed))
    }
  }
})

/** A batch whose records are `records` and whose count is `count`, with a right checksum. */
function batchOf(
  records: number[],
  { count = 1, lastOffsetDelta = count - 1 }: { count?: number; lastOffsetDelta?: number } = {},
): Buffer {
  const builder = new BatchBuilder()
  builder.append(0, null, null)
  const batch = Buffer.concat([builder.build().subarray(0, 61), Buffer.from(records)])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(lastOffsetDelta, 23)
  batch.writeInt32BE(count, 57)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

// length, attributes, timestamp delta, offset delta, key length, value length, header count; zig-zag.
for (const [what, batch, message] of [
  ['a record count below 0', batchOf([12, 0, 0, 0, 1, 1, 0], { count: -1 }), '-1 records'],
  [
    'more records than the bytes can hold',
    batchOf([12, 0, 0, 0, 1, 1, 0], { count: 2 }),
    '2 records',
  ],
  [
    '2^31 - 1 records',
    batchOf([12, 0, 0, 0, 1, 1, 0], { count: 0x7fffffff }),
    '2147483647 records',
  ],
  ['bytes after the last record', batchOf([12, 0, 0, 0, 1, 1, 0, 0]), '1 bytes after the last'],
  ['records where the count is 0', batchOf([12, 0, 0, 0, 1, 1, 0], { count: 0 }), '7 bytes after'],
  ['a record longer than what is left', batchOf([14, 0, 0, 0, 1, 1, 0]), 'record 0 of 7 bytes'],
  ['a record shorter than its fields', batchOf([10, 0, 0, 0, 1, 1, 0]), 'record 0 of 5 bytes'],
  ['a record of negative length', batchOf([1, 0, 0, 0, 1, 1, 0]), 'record 0 of -1 bytes'],
  ['bytes left over in a record', batchOf([14, 0, 0, 0, 1, 1, 0, 0]), '1 bytes left over'],
  ['a key below null', batchOf([12, 0, 0, 0, 3, 1, 0]), 'key of -2 bytes'],
  ['a key longer than the record', batchOf([12, 0, 0, 0, 6, 1, 0]), 'key of 3 bytes'],
  ['a value longer than the record', batchOf([12, 0, 0, 0, 1, 4, 0]), 'value of 2 bytes'],
  ['a header count below 0', batchOf([12, 0, 0, 0, 1, 1, 1]), '-1 headers'],
  ['more headers than bytes', batchOf([12, 0, 0, 0, 1, 1, 2]), '1 headers'],
  ['a header without a key', batchOf([16, 0, 0, 0, 1, 1, 2, 1, 1]), 'has no key'],
  ['a header key too long', batchOf([16, 0, 0, 0, 1, 1, 2, 6, 1]), 'header key of 3 bytes'],
  ['a header value too long', batchOf([16, 0, 0, 0, 1, 1, 2, 0, 4]), 'header value of 2 bytes'],
  ['an offset delta above the last', batchOf([12, 0, 0, 2, 1, 1, 0]), 'offset delta 1'],
  ['a negative offset delta', batchOf([12, 0, 0, 1, 1, 1, 0]), 'offset delta -1'],
  [
    'the same offset twice',
    batchOf([12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 0, 1, 1, 0], { count: 2 }),
    'offset delta 0',
  ],
  ['a varint cut off by the record', batchOf([12, 0, 0, 0, 1, 1, 0x80]), 'cut off'],
  [
    'a varint of six bytes',
    batchOf([0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0]),
    'longer than 5 bytes',
  ],
  [
    'a varlong of eleven bytes',
    batchOf([30, 0, ...Array.from({ length: 10 }, () => 0x80), 0, 1, 1, 0, 0]),
    'longer than 10',
  ],
] as const) {
  test(`${what}: a DecodeError that says so`, () => {
    const error = decodeError(() => readRecords(batch, limits))
    assert.ok(error?.message.includes(message), `got: ${error?.message ?? 'no error'}`)
  })
}

test('offsets with gaps are read, as compaction leaves them', () => {
  const builder = new BatchBuilder()
  builder.append(5, null, null)
  builder.skipToOffsetDelta(7)
  builder.append(6, null, null)
  const records = readRecords(builder.build({ baseOffset: 100 }), limits)
  assert.equal(
    records.map(({ offset }) => offset),
    [100, 107],
  )
})

test('an empty batch, as compaction leaves it, has no records whatever its codec bits say', () => {
  const batch = Buffer.concat([batchOf([], { count: 0, lastOffsetDelta: 9 })])
  for (let codec = 0; codec < 5; codec++) {
    batch.writeInt16BE(codec, 21)
    assert.equal(readRecords(batch, limits), [])
  }
})

test('a batch cut off at any byte is a DecodeError', () => {
  for (const { name, bytes } of modern) {
    for (let size = 1; size < bytes.length; size++) {
      const cut = bytes.subarray(0, size)
      const error = decodeError(() => splitBatches([cut]).length)
      const isWholeBatches = error === null
      // Fixtures of several batches may be cut between two of them.
      if (isWholeBatches) assert.ok(splitBatches([bytes]).length > 1, `${name} cut at ${size}`)
    }
  }
})

test('records cut off at any byte, with the header made to fit, are a DecodeError', () => {
  for (const { name, bytes } of modern) {
    const whole = batchAt(bytes)
    for (let size = 61; size < whole.header.sizeBytes; size++) {
      const cut = Buffer.from(bytes.subarray(0, size))
      cut.writeInt32BE(size - 12, 8)
      assert.ok(
        decodeError(() => readRecords(cut, limits)),
        `${name} cut at ${size}`,
      )
    }
  }
})

test('a mutated batch reads or is a DecodeError, never anything else', () => {
  const random = seeded(20)
  for (let round = 0; round < 150; round++) {
    for (const { bytes } of modern) {
      const bad = mutated(bytes, random)
      decodeError(() => {
        for (const batch of splitBatches([bad])) readRecords(batch, limits)
      })
    }
  }
})

for (const codec of codecs) {
  test(`${codec}: records beyond the bound are refused`, () => {
    const builder = new BatchBuilder({ codec })
    builder.append(0, null, Buffer.alloc(5000))
    const batch = builder.build()
    assert.is(readRecords(batch, { maxBytes: 6000 }).length, 1)
    assert.ok(decodeError(() => readRecords(batch, { maxBytes: 4999 })))
  })
}
