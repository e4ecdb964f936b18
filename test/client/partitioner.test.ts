import { utf8 } from '../../lib/base/bytes.ts'
import { type PartitionerName, TopicPartitioner } from '../../lib/client/partitioner.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('partitioner')

function make(name: PartitionerName, count: number, available?: number[]): TopicPartitioner {
  const partitioner = new TopicPartitioner(name, seededRandom(1), 't')
  partitioner.update(count, available ?? Array.from({ length: count }, (_, index) => index))
  return partitioner
}

// (toPositive(murmur2(key)) % 100) with kafka-clients 4.3.1's Utils.
for (const [key, hash] of [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
] as const) {
  test(`murmur2 puts "${key}" where the Java client does`, () => {
    assert.is(make('murmur2', 100).choose(utf8(key)), (hash & 0x7fffffff) % 100)
  })
}

test('an empty key is a key for murmur2, and none for crc32', () => {
  const murmur2 = make('murmur2', 50)
  const crc32 = make('crc32', 50)
  const places = { murmur2: new Set<number>(), crc32: new Set<number>() }
  for (let batch = 0; batch < 20; batch++) {
    places.murmur2.add(murmur2.choose(utf8('')))
    const place = crc32.choose(utf8(''))
    places.crc32.add(place)
    crc32.onBatchFull(place)
  }
  assert.is(places.murmur2.size, 1)
  assert.ok(places.crc32.size > 3)
})

test('crc32 is the IEEE polynomial, as in librdkafka', () => {
  assert.is(make('crc32', 1000).choose(utf8('123456789')), 0xcbf43926 % 1000)
})

test('records without a key stay for a batch, then move to another partition with a leader', () => {
  const partitioner = make('murmur2', 5, [0, 2, 4])
  let place = partitioner.choose(null)
  for (let batch = 0; batch < 30; batch++) {
    assert.ok([0, 2, 4].includes(place))
    for (let record = 0; record < 10; record++) assert.is(partitioner.choose(null), place)
    partitioner.onBatchFull(place)
    assert.is.not(partitioner.choose(null), place)
    place = partitioner.choose(null)
  }
})

test('a full batch elsewhere moves nobody', () => {
  const partitioner = make('murmur2', 5)
  const place = partitioner.choose(null)
  partitioner.onBatchFull((place + 1) % 5)
  assert.is(partitioner.choose(null), place)
})

test('a partition that lost its leader is left', () => {
  const partitioner = make('murmur2', 3)
  const place = partitioner.choose(null)
  const others = [0, 1, 2].filter((other) => other !== place)
  partitioner.update(3, others)
  assert.ok(others.includes(partitioner.choose(null)))
})

test('rr takes turns, random does not, keys or not', () => {
  const rr = make('rr', 4)
  const turns = Array.from({ length: 8 }, () => rr.choose(utf8('same')))
  assert.equal(new Set(turns.slice(0, 4)).size, 4)
  assert.equal(turns.slice(0, 4), turns.slice(4))
  const random = make('random', 4)
  assert.is(new Set(Array.from({ length: 60 }, () => random.choose(utf8('same')))).size, 4)
})

test('one of your own is asked with the number of partitions and the topic', () => {
  const partitioner = new TopicPartitioner(
    (key, count, topic) => (key?.length ?? 0) + count + topic.length,
    seededRandom(1),
    'topic',
  )
  partitioner.update(7, [])
  assert.is(partitioner.choose(utf8('abc')), 15)
})
