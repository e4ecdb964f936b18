import { crc32, crc32c, tableCrc32, tableCrc32c } from '../../lib/base/crc32c.ts'
import { seeded } from '../support/records.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('crc32c')

// RFC 3720, B.4, and the check value of both polynomials.
for (const [what, bytes, expected] of [
  ['nothing', [], 0],
  ['"123456789"', [...Buffer.from('123456789')], 0xe3069283],
  ['32 zeros', Array.from({ length: 32 }, () => 0), 0x8a9136aa],
  ['32 bytes of 0xff', Array.from({ length: 32 }, () => 0xff), 0x62a8ab43],
  ['0 to 31', Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  ['31 to 0', Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
] as const) {
  test(`of ${what} as published`, () => {
    assert.is(crc32c(Uint8Array.from(bytes)), expected)
    assert.is(tableCrc32c(Uint8Array.from(bytes)), expected)
  })
}

test('IEEE of "123456789" as published', () => {
  assert.is(crc32(Buffer.from('123456789')), 0xcbf43926)
  assert.is(tableCrc32(Buffer.from('123456789')), 0xcbf43926)
})

test('the native package and the tables agree at every size and alignment', () => {
  const random = seeded(4)
  const bytes = Uint8Array.from({ length: 3000 }, () => random(256))
  for (let size = 0; size < 1000; size++) {
    const start = random(64)
    const part = bytes.subarray(start, start + size)
    const seed = random(0xffff_ffff)
    assert.is(crc32c(part, seed), tableCrc32c(part, seed), `${size} bytes`)
    assert.is(crc32(part, seed), tableCrc32(part, seed), `${size} bytes`)
  }
})

test('chained over chunks it is that of the whole', () => {
  const random = seeded(5)
  const bytes = Uint8Array.from({ length: 2000 }, () => random(256))
  for (let round = 0; round < 200; round++) {
    const [first, second] = [random(1000), 1000 + random(1000)]
    const parts = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
    for (const checksum of [crc32c, tableCrc32c, crc32, tableCrc32]) {
      assert.is(
        parts.reduce((crc, part) => checksum(part, crc), 0),
        checksum(bytes),
      )
    }
  }
})
