import { HalfSipHash } from '../../../lib/storage/cleaner/key-hash.ts'
import { OffsetMap } from '../../../lib/storage/cleaner/offset-map.ts'
import { seeded } from '../../support/records.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('offset-map')

/** HalfSipHash-2-4, 64 bits, key 00 to 07, of the bytes 00, 01, ...: from its authors' test vectors. */
const vectors = ['218d1f59b9b83cc8', 'be552412f8387315']

for (const [size, expected] of vectors.entries()) {
  test(`the hash of ${size} bytes is that of its authors`, () => {
    const hash = new HalfSipHash(0x03020100, 0x07060504)
    const input = Uint8Array.from({ length: size }, (_, index) => index)
    hash.hash(input, 0, size)
    const bytes = Buffer.alloc(8)
    bytes.writeInt32LE(hash.low, 0)
    bytes.writeInt32LE(hash.high, 4)
    assert.is(bytes.toString('hex'), expected)
  })
}

function keyed(text: string, offset = 0) {
  const bytes = Buffer.from(`..${text}.`)
  return { bytes, keyPosition: 2, keySize: bytes.length - 3, offset }
}

test('each key has its last offset, up to the last free slot', () => {
  const map = new OffsetMap({
    maxBytes: 24 * 10_000,
    loadFactor: 0.9,
    keysMax: 1_000_000,
    hashKey: Buffer.alloc(16, 7),
  })
  const random = seeded(5)
  const model = new Map<string, number>()
  for (let offset = 0; !map.isFull; offset++) {
    const key = `key-${random(20_000)}`
    map.put(keyed(key, offset))
    model.set(key, offset)
  }
  assert.is(map.size, model.size)
  assert.ok(map.size > 8_900 && map.size <= 9_000, `${map.size}`)
  for (let n = 0; n < 20_000; n++) {
    const key = `key-${n}`
    assert.is(map.get(keyed(key)), model.get(key) ?? -1)
  }
})

test('a map for few keys takes little memory, and one for none still answers', () => {
  const options = { maxBytes: 134_217_728, loadFactor: 0.9, hashKey: Buffer.alloc(16) }
  assert.ok(new OffsetMap({ ...options, keysMax: 100 }).capacity < 200)
  assert.is(new OffsetMap({ ...options, keysMax: 0 }).get(keyed('a')), -1)
  assert.ok(new OffsetMap({ ...options, keysMax: 1e9 }).capacity > 5_000_000)
})
