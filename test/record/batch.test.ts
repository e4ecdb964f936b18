import { joinChunks } from '../../lib/base/bytes.ts'
import {
  batchAt,
  batchCrc,
  codecOf,
  hasDeleteHorizon,
  patchLogAppendTime,
  patchOffsetAndEpoch,
  readBatchHeader,
  splitBatches,
  timestampTypeOf,
} from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { codecs } from '../../lib/record/compression.ts'
import { readRecords } from '../../lib/record/record.ts'
import { decodeError, goldens } from '../support/records.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('batch')

/** A batch whose only value is `text`. */
function batchOf(text: string): Buffer {
  const builder = new BatchBuilder()
  builder.append(1000, null, Buffer.from(text))
  return Buffer.from(builder.build())
}

/** `bytes` in chunks of `size`, each in memory of its own. */
function inChunks(bytes: Uint8Array, size: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    chunks.push(Buffer.from(bytes.subarray(at, at + size)))
  }
  return chunks
}

test('batches come out whole wherever the chunks were cut', () => {
  const whole = [batchOf('first'), batchOf('x'.repeat(200)), batchOf('last')]
  const all = Buffer.concat(whole)
  for (let size = 1; size <= all.length; size++) {
    const batches = splitBatches(inChunks(all, size))
    assert.equal(
      batches.map(({ chunks }) => Buffer.from(joinChunks(chunks)).toString('hex')),
      whole.map((bytes) => bytes.toString('hex')),
      `chunks of ${size}`,
    )
    for (const batch of batches) {
      assert.is(batchCrc(batch), batch.header.crc)
      assert.ok((batch.chunks[0]?.length ?? 0) >= 61)
      assert.is(readRecords(batch, { maxBytes: 1000 }).length, 1)
    }
  }
})

test('empty chunks anywhere change nothing', () => {
  const all = Buffer.concat([batchOf('first'), batchOf('last')])
  const empty = Buffer.alloc(0)
  const chunks = [empty, all.subarray(0, 30), empty, empty, all.subarray(30, 90), all.subarray(90)]
  assert.is(splitBatches([...chunks, empty]).length, 2)
  assert.equal(splitBatches([]), [])
  assert.equal(splitBatches([empty]), [])
})

test('batches in one chunk are views, and of a split one only the header is copied', () => {
  const body = batchOf('x'.repeat(1000))
  const [first] = splitBatches([body])
  assert.is(first?.chunks[0]?.buffer, body.buffer)
  const cut = [body.subarray(0, 20), body.subarray(20, 500), body.subarray(500)]
  const [second] = splitBatches(cut)
  assert.equal(
    second?.chunks.map(({ length }) => length),
    [61, 439, body.length - 500],
  )
  assert.is(second?.chunks[1]?.buffer, body.buffer)
})

for (const [what, change, message] of [
  ['a size below the header', (bytes: Buffer) => bytes.writeInt32BE(48, 8), 'batch of 60 bytes'],
  ['a negative size', (bytes: Buffer) => bytes.writeInt32BE(-1, 8), 'batch of 11 bytes'],
  ['the least size', (bytes: Buffer) => bytes.writeInt32BE(-(2 ** 31), 8), 'batch of -2147483636'],
  ['a size beyond the end', (bytes: Buffer) => bytes.writeInt32BE(100, 8), 'batch of 112 bytes'],
  ['magic 3', (bytes: Buffer) => bytes.writeInt8(3, 16), 'magic 3'],
  ['magic -1', (bytes: Buffer) => bytes.writeInt8(-1, 16), 'magic -1'],
  ['an old message too small', (bytes: Buffer) => bytes.fill(0, 8, 17), 'message of 12 bytes'],
] as const) {
  test(`${what} is a DecodeError that says so`, () => {
    const bytes = batchOf('text')
    change(bytes)
    assert.match(decodeError(() => splitBatches([bytes]))?.message ?? '', message)
  })
}

test('bytes left over after the last batch are a DecodeError', () => {
  for (const extra of [1, 16, 17, 60]) {
    const bytes = Buffer.concat([batchOf('text'), batchOf('more').subarray(0, extra)])
    assert.ok(decodeError(() => splitBatches([bytes])))
  }
  assert.match(
    decodeError(() => readBatchHeader(Buffer.alloc(60)))?.message ?? '',
    '60 bytes of 61',
  )
})

test('an unknown codec is a DecodeError', () => {
  for (const number of [5, 6, 7]) {
    assert.match(decodeError(() => codecOf(number))?.message ?? '', `unknown codec ${number}`)
  }
  for (const [number, codec] of codecs.entries()) assert.is(codecOf(number | 0x78), codec)
})

test('entries of magic 0 and 1 are reported with their magic and bytes', () => {
  for (const { bytes, batches } of goldens(/magic/)) {
    for (const size of [bytes.length, 7, 30]) {
      const entries = splitBatches(inChunks(bytes, size))
      assert.equal(
        entries.map(({ header }) => [header.magic, header.sizeBytes]),
        batches.map(({ magic, sizeBytes }) => [magic, sizeBytes]),
      )
      const all = Buffer.concat(entries.map(({ chunks }) => joinChunks(chunks)))
      assert.ok(all.equals(bytes))
    }
  }
})

for (const offset of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
  test(`base offset ${offset} and leader epoch are set in place, and the CRC still holds`, () => {
    const bytes = batchOf('text')
    const batch = batchAt(bytes)
    patchOffsetAndEpoch(batch, offset, 7)
    const read = readBatchHeader(bytes)
    assert.equal(read, batch.header)
    assert.is(read.baseOffset, offset)
    assert.is(bytes.readBigInt64BE(0), BigInt(offset))
    assert.is(read.partitionLeaderEpoch, 7)
    assert.is(batchCrc(batch), read.crc)
  })
}

test('append time changes timestamp type, maximum and CRC, in every chunking and codec', () => {
  for (const codec of codecs) {
    const builder = new BatchBuilder({ codec })
    builder.append(5, Buffer.from('key'), Buffer.from('value'))
    builder.append(6, null, Buffer.from('x'.repeat(100)))
    const bytes = builder.build()
    for (const size of [bytes.length, 64, 10]) {
      const [batch] = splitBatches(inChunks(bytes, size))
      if (batch === undefined) throw new Error('no batch')
      patchLogAppendTime(batch, 1_700_000_000_123)
      const joined = joinChunks(batch.chunks)
      const header = readBatchHeader(joined)
      assert.equal(header, batch.header)
      assert.is(timestampTypeOf(header.attributes), 'LogAppendTime')
      assert.is(header.maxTimestamp, 1_700_000_000_123)
      assert.is(header.baseTimestamp, 5)
      assert.is(codecOf(header.attributes), codec)
      assert.is(batchCrc(batchAt(joined)), header.crc)
      const times = readRecords(batch, { maxBytes: 1000 }).map(({ timestamp }) => timestamp)
      assert.equal(times, [1_700_000_000_123, 1_700_000_000_123])
    }
  }
})

test('the CRC notices a flipped bit anywhere after it', () => {
  const bytes = batchOf('some text')
  for (let bit = 21 * 8; bit < bytes.length * 8; bit++) {
    const bad = Buffer.from(bytes)
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    const batch = batchAt(bad)
    assert.is.not(batchCrc(batch), batch.header.crc)
  }
})

test('timestamps of a header beyond 2^53 are rounded, extreme and negative ones included', () => {
  const bytes = batchOf('text')
  for (const time of [-1n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, 1_700_000_000_000n]) {
    bytes.writeBigInt64BE(time, 35)
    assert.is(readBatchHeader(bytes).maxTimestamp, Number(time))
  }
  bytes.writeInt16BE(0x40, 21)
  assert.ok(hasDeleteHorizon(readBatchHeader(bytes).attributes))
})
