import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { murmur2, partitionOfKey } from '../../lib/base/murmur2.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('murmur2')

/** Key in hexadecimal, Java's murmur2 of it, and its partition of 7. */
const vectors: [string, number, number][] = JSON.parse(
  readFileSync(join('fixtures', 'records', 'murmur2.json'), 'utf8'),
)

test("hashes and partitions are the Java client's", () => {
  assert.ok(vectors.length >= 30)
  for (const [hex, hash, partition] of vectors) {
    const key = Buffer.from(hex, 'hex')
    assert.is(murmur2(key), hash, hex)
    assert.is(partitionOfKey(key, 7), partition, hex)
  }
})

test('an empty key has a hash as any other', () => {
  assert.is(murmur2(new Uint8Array(0)), 275646681)
  assert.is(partitionOfKey(new Uint8Array(0), 2), 1)
})

test('a negative hash loses its sign bit, not its sign', () => {
  const key = Buffer.from('a')
  assert.is(murmur2(key), -1563381124)
  assert.is(partitionOfKey(key, 1000), (2 ** 31 - 1563381124) % 1000)
})
