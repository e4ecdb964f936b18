import { joinChunks } from '../../lib/base/bytes.ts'
import { crc32 } from '../../lib/base/crc32c.ts'
import { batchCrc, codecOf, splitBatches, timestampTypeOf } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { type Codec, codecs, compress } from '../../lib/record/compression.ts'
import { readMessages, upConvert } from '../../lib/record/message-set.ts'
import { type Record, readRecords } from '../../lib/record/record.ts'
import {
  decodeError,
  expectedRecords,
  goldens,
  mutated,
  recordsText,
  seeded,
} from '../support/records.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('message-set')
const limits = { maxBytes: 1e6 }
const old = goldens(/magic/)

for (const { name, bytes, batches } of old) {
  test(`${name} reads as Kafka's own reader reads it`, () => {
    splitBatches([bytes]).forEach((entry, index) => {
      const golden = batches[index] ?? batches[0]
      if (golden === undefined) throw new Error('no batch expected')
      const messages = readMessages(entry, limits)
      assert.is(messages.magic, golden.magic)
      assert.is(messages.codec, golden.codec)
      const type = golden.magic === 0 ? 'CreateTime' : golden.timestampType
      assert.is(messages.timestampType, type)
      assert.is(recordsText(messages.records), expectedRecords(golden))
    })
  })

  test(`${name} converts to batches with the same records, codec and offsets`, () => {
    const converted = upConvert([bytes], { ...limits, offsets: 'keep' })
    const records = converted.flatMap((batch) => readRecords(batch, limits))
    assert.is(recordsText(records), batches.map(expectedRecords).join('\n'))
    for (const batch of converted) {
      assert.is(batch.header.magic, 2)
      assert.is(codecOf(batch.header.attributes), batches[0]?.codec)
      assert.is(batchCrc(batch), batch.header.crc)
      const type = batches[0]?.timestampType === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime'
      assert.is(timestampTypeOf(batch.header.attributes), type)
      const times = readRecords(batch, limits).map(({ timestamp }) => Number(timestamp))
      assert.is(batch.header.maxTimestamp, Math.max(...times))
    }
    // Uncompressed neighbours come together; each wrapper stays a batch.
    assert.is(converted.length, batches[0]?.codec === 'none' ? 1 : batches.length)
  })

  test(`${name} with offsets assigned counts from 0 in each batch`, () => {
    for (const batch of upConvert([bytes], { ...limits, offsets: 'assign' })) {
      const records = readRecords(batch, limits)
      assert.equal(
        records.map(({ offset }) => offset),
        records.map((_, index) => index),
      )
      assert.is(batch.header.lastOffsetDelta, records.length - 1)
    }
  })

  test(`${name} cut off at any byte is a DecodeError or whole messages`, () => {
    const [first] = splitBatches([bytes])
    const ends = new Set<number>([0])
    let position = 0
    for (const { sizeBytes } of batches) ends.add((position += sizeBytes))
    assert.ok(first)
    for (let size = 0; size < bytes.length; size++) {
      const error = decodeError(() =>
        upConvert([bytes.subarray(0, size)], { ...limits, offsets: 'keep' }),
      )
      assert.is(error === null, ends.has(size), `cut at ${size}`)
    }
  })
}

test('a mutated set converts or is a DecodeError, never anything else', () => {
  const random = seeded(31)
  for (let round = 0; round < 400; round++) {
    for (const { bytes } of old) {
      const bad = mutated(bytes, random)
      if (round % 2 === 0) repairChecksum(bad)
      for (const offsets of ['keep', 'assign'] as const) {
        decodeError(() => upConvert([bad], { ...limits, offsets }))
      }
    }
  }
})

/** Makes the first message's checksum right, so that what is inside is looked at too. */
function repairChecksum(bytes: Buffer): void {
  if (bytes.length < 18) return
  const end = 12 + bytes.readInt32BE(8)
  if (end > 18 && end <= bytes.length) bytes.writeUInt32BE(crc32(bytes.subarray(16, end)), 12)
}

interface Fields {
  magic?: number
  offset?: number
  codec?: Codec
  isAppendTime?: boolean
  timestamp?: number
  key?: Uint8Array | null
  value?: Uint8Array | null
}

/** A message of magic 0 or 1, with its checksum. */
function message(fields: Fields): Buffer {
  const { magic = 1, offset = 0, codec = 'none', isAppendTime = false, timestamp = 5 } = fields
  const { key = null, value = Buffer.from('value') } = fields
  const head = Buffer.alloc(magic === 0 ? 18 : 26)
  head.writeBigInt64BE(BigInt(offset), 0)
  head.writeInt8(magic, 16)
  head.writeInt8(codecs.indexOf(codec) | (isAppendTime ? 8 : 0), 17)
  if (magic !== 0) head.writeBigInt64BE(BigInt(timestamp), 18)
  const sized = (bytes: Uint8Array | null) => {
    const size = Buffer.alloc(4)
    size.writeInt32BE(bytes?.length ?? -1)
    return Buffer.concat([size, bytes ?? Buffer.alloc(0)])
  }
  const bytes = Buffer.concat([head, sized(key), sized(value)])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(16)), 12)
  return bytes
}

/** A wrapper around `inner` messages. */
function wrapper(inner: Buffer[], fields: Fields = {}): Buffer {
  const codec = fields.codec ?? 'gzip'
  return message({ ...fields, codec, value: compress(codec, Buffer.concat(inner)) })
}

function recordsOf(...messages: Buffer[]): Record[] {
  return splitBatches([Buffer.concat(messages)]).flatMap((one) => readMessages(one, limits).records)
}

test('offsets inside a wrapper: relative to its own in magic 1, absolute in magic 0', () => {
  const inner = (magic: number, offsets: number[]) =>
    offsets.map((offset) => message({ magic, offset }))
  const offsetsOf = (bytes: Buffer) => recordsOf(bytes).map(({ offset }) => offset)
  assert.equal(offsetsOf(wrapper(inner(1, [0, 1, 2]), { offset: 102 })), [100, 101, 102])
  assert.equal(offsetsOf(wrapper(inner(1, [0, 3, 5]), { offset: 105 })), [100, 103, 105])
  assert.equal(offsetsOf(wrapper(inner(1, [0, 1, 2]), { offset: 0 })), [0, 1, 2])
  assert.equal(offsetsOf(wrapper(inner(0, [7, 8, 9]), { magic: 0, offset: 9 })), [7, 8, 9])
})

test('a wrapper with append time gives its timestamp to all, and keeps it when converted', () => {
  const inner = [message({ timestamp: 1 }), message({ offset: 1, timestamp: 2 })]
  const bytes = wrapper(inner, { offset: 1, isAppendTime: true, timestamp: 77 })
  assert.equal(
    recordsOf(bytes).map(({ timestamp }) => timestamp),
    [77, 77],
  )
  const [batch] = upConvert([bytes], { ...limits, offsets: 'assign' })
  assert.is(timestampTypeOf(batch?.header.attributes ?? 0), 'LogAppendTime')
  assert.is(batch?.header.maxTimestamp, 77)
})

test('messages with different append times, or none, do not share a batch', () => {
  const bytes = Buffer.concat([
    message({ offset: 0, isAppendTime: true, timestamp: 7 }),
    message({ offset: 1, isAppendTime: true, timestamp: 7 }),
    message({ offset: 2, isAppendTime: true, timestamp: 8 }),
    message({ offset: 3, timestamp: 8 }),
    message({ offset: 4, timestamp: 9 }),
  ])
  const converted = upConvert([bytes], { ...limits, offsets: 'keep' })
  assert.equal(
    converted.map(({ header }) => [header.baseOffset, header.recordCount, header.maxTimestamp]),
    [
      [0, 2, 7],
      [2, 1, 8],
      [3, 2, 9],
    ],
  )
})

test('gaps between kept offsets stay; a step back, or beyond int32, begins another batch', () => {
  const offsets = [5, 9, 9, 2 ** 31 + 9, 2 ** 31 + 10]
  const bytes = Buffer.concat(offsets.map((offset) => message({ offset })))
  const converted = upConvert([bytes], { ...limits, offsets: 'keep' })
  assert.equal(
    converted.map((batch) => readRecords(batch, limits).map(({ offset }) => offset)),
    [[5, 9], [9], [2 ** 31 + 9, 2 ** 31 + 10]],
  )
})

test('batches of magic 2 among old messages pass untouched and in order', () => {
  const builder = new BatchBuilder()
  builder.append(1, null, Buffer.from('new'))
  const modern = builder.build()
  const bytes = Buffer.concat([message({}), modern, message({ offset: 1 })])
  const converted = upConvert([bytes], { ...limits, offsets: 'assign' })
  assert.equal(
    converted.map(({ header }) => header.recordCount),
    [1, 1, 1],
  )
  assert.ok(Buffer.from(joinChunks(converted[1]?.chunks ?? [])).equals(modern))
})

for (const [what, bytes, error] of [
  ['a wrong checksum', changed(message({}), 12), 'checksum'],
  ['a wrong checksum inside', wrapper([changed(message({}), 12)]), 'checksum'],
  ['no messages inside', wrapper([]), 'holds no messages'],
  ['no value', message({ codec: 'gzip', value: null }), 'without a value'],
  ['bytes that are not gzip', message({ codec: 'gzip', value: Buffer.from('no') }), 'corrupt gzip'],
  ['zstd', message({ codec: 'zstd', value: compress('zstd', message({})) }), 'zstd in a message'],
  ['a wrapper inside a wrapper', wrapper([wrapper([message({})])]), 'gzip, inside one'],
  ['magic 0 inside magic 1', wrapper([message({ magic: 0 })]), 'magic 0, none, inside'],
  [
    'a wrapper offset below the last inside',
    wrapper([message({ offset: 5 })], { offset: 4 }),
    'offset 4',
  ],
  ['a cut message inside', wrapper([message({}).subarray(0, 30)]), 'message of'],
  ['few bytes inside', wrapper([message({}).subarray(0, 17)]), 'cut off'],
  [
    'offsets inside that go back',
    wrapper([message({ offset: 1 }), message({ offset: 1 })], { offset: 1 }),
    'offset 1 after 1',
  ],
] as const) {
  test(`${what}: a DecodeError that says so`, () => {
    const found = decodeError(() => upConvert([bytes], { ...limits, offsets: 'keep' }))
    assert.match(found?.message ?? 'no error', error)
  })
}

/** `bytes` with a bit flipped in the byte at `position`. */
function changed(bytes: Buffer, position: number): Buffer {
  bytes[position] = (bytes[position] ?? 0) ^ 1
  return bytes
}

test('what all wrappers of a set expand to is bounded together', () => {
  const bomb = wrapper([message({ value: Buffer.alloc(600_000) })])
  assert.is(upConvert([bomb], { ...limits, offsets: 'assign' }).length, 1)
  const error = decodeError(() => upConvert([bomb, bomb], { ...limits, offsets: 'assign' }))
  assert.match(error?.message ?? 'no error', 'more than')
})
