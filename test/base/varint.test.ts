import * as fc from 'fast-check'
import { DecodeError } from '../../lib/base/errors.ts'
import {
  narrow,
  VarintReader,
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from '../../lib/base/varint.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('varint')

// As ByteUtils of the Java client writes them.
const golden: [number | bigint, string][] = [
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [-65, '8101'],
  [8191, 'fe7f'],
  [-8192, 'ff7f'],
  [8192, '808001'],
  [1048575, 'feff7f'],
  [1048576, '80808001'],
  [134217727, 'feffff7f'],
  [134217728, '8080808001'],
  [2147483647, 'feffffff0f'],
  [-2147483648, 'ffffffff0f'],
]
const goldenLong: [number | bigint, string][] = [
  [2147483648, '8080808010'],
  [-2147483649, '8180808010'],
  [17179869183, 'feffffff7f'],
  [17179869184, '808080808001'],
  [2 ** 53 - 1, 'feffffffffffff1f'],
  [9223372036854775807n, 'feffffffffffffffff01'],
  [-9223372036854775808n, 'ffffffffffffffffff01'],
]

test('int32 values are written and read as Java does', () => {
  const bytes = Buffer.alloc(10)
  for (const [value, hex] of golden) {
    const end = writeVarint(bytes, 0, Number(value))
    assert.is(bytes.toString('hex', 0, end), hex)
    assert.is(varintSize(Number(value)), end)
    assert.is(new VarintReader(Buffer.from(hex, 'hex')).readVarint(), value)
  }
})

test('int64 values are written and read as Java does', () => {
  const bytes = Buffer.alloc(10)
  for (const [value, hex] of [...golden, ...goldenLong]) {
    const end = writeVarlong(bytes, 0, value)
    assert.is(bytes.toString('hex', 0, end), hex)
    assert.is(varlongSize(value), end)
    assert.is(new VarintReader(Buffer.from(hex, 'hex')).readVarlong(), value)
  }
})

test('every int64 survives the round trip, and reads past nothing', () => {
  const bytes = Buffer.alloc(12)
  const int64 = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc
      .nat(63)
      .chain((bits) => fc.bigInt({ min: -(2n ** BigInt(bits)), max: 2n ** BigInt(bits) - 1n })),
  )
  fc.assert(
    fc.property(int64, (value) => {
      const end = writeVarlong(bytes, 1, narrow(value))
      assert.is(end - 1, varlongSize(value))
      const reader = new VarintReader(bytes, 1)
      assert.is(reader.readVarlong(), narrow(value))
      assert.is(reader.position, end)
    }),
    { numRuns: 5000, seed: 1 },
  )
})

test('longer encodings than needed are read, as Java does', () => {
  assert.is(new VarintReader(Buffer.from('8080808000', 'hex')).readVarint(), 0)
  assert.is(new VarintReader(Buffer.from('82808000', 'hex')).readVarlong(), 1)
  assert.is(new VarintReader(Buffer.from('82808080808080808000', 'hex')).readVarlong(), 1)
})

for (const [what, hex, read] of [
  ['a varint of nothing', '', 'readVarint'],
  ['a varint cut off', '8080', 'readVarint'],
  ['a varint of six bytes', '808080808001', 'readVarint'],
  ['a varlong cut off early', '80', 'readVarlong'],
  ['a varlong cut off late', '808080808080808080', 'readVarlong'],
  ['a varlong of eleven bytes', '8080808080808080808001', 'readVarlong'],
] as const) {
  test(`${what} is a DecodeError`, () => {
    assert.throws(
      () => new VarintReader(Buffer.from(hex, 'hex'))[read](),
      (error: unknown) => error instanceof DecodeError,
    )
  })
}

test('nothing at or after the limit is read', () => {
  const reader = new VarintReader(Buffer.from('8001', 'hex'), 0, 1)
  assert.throws(
    () => reader.readVarint(),
    (error: unknown) => error instanceof DecodeError,
  )
})
