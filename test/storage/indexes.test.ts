import { DecodeError } from '../../lib/base/errors.ts'
import {
  decodeMetaProperties,
  decodeOffsetCheckpoint,
  decodePartitionMetadata,
  encodeMetaProperties,
  encodeOffsetCheckpoint,
  encodePartitionMetadata,
} from '../../lib/storage/checkpoint.ts'
import {
  decodeLeaderEpochs,
  encodeLeaderEpochs,
  LeaderEpochCache,
} from '../../lib/storage/leader-epochs.ts'
import { OffsetIndex, readOffsetIndex } from '../../lib/storage/offset-index.ts'
import {
  directoryKind,
  markedDirectoryName,
  parseSegmentFileName,
  segmentFileName,
} from '../../lib/storage/segment-files.ts'
import { readTimeIndex, TimeIndex } from '../../lib/storage/time-index.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('indexes')

function offsetIndex(): OffsetIndex {
  const index = new OffsetIndex(100)
  for (const [offset, position] of [
    [104, 500],
    [110, 1000],
    [120, 2000],
  ] as const) {
    index.append(offset, position)
  }
  return index
}

test('the offset index finds the last entry at or before an offset', () => {
  const index = offsetIndex()
  const found = [99, 100, 103, 104, 105, 110, 119, 120, 5000].map((offset) => index.floor(offset))
  assert.equal(found, [0, 0, 0, 500, 500, 1000, 1000, 2000, 2000])
  index.truncateToPosition(2000)
  assert.is(index.floor(5000), 1000)
})

test('zeros behind the last entry of an index file are left out', () => {
  const { bytes } = offsetIndex()
  const padded = Buffer.concat([bytes, Buffer.alloc(800)])
  assert.equal(readOffsetIndex(100, padded, 3000)?.bytes, Buffer.from(bytes))
  assert.is(readOffsetIndex(100, Buffer.alloc(80), 3000)?.entryCount, 0)
})

const badIndexes: [string, (bytes: Buffer) => void][] = [
  ['an offset that falls', (bytes) => bytes.writeInt32BE(1, 16)],
  ['a position that falls', (bytes) => bytes.writeInt32BE(1, 20)],
  ['a position beyond the log', (bytes) => bytes.writeInt32BE(3000, 20)],
  ['zeros in the middle', (bytes) => bytes.fill(0, 8, 16)],
]
for (const [what, damage] of badIndexes) {
  test(`an offset index with ${what} is not believed`, () => {
    const bytes = Buffer.from(offsetIndex().bytes)
    damage(bytes)
    assert.is(readOffsetIndex(100, bytes, 3000), null)
  })
}

test('the time index finds an offset before which everything is older', () => {
  const index = new TimeIndex(100)
  index.maybeAppend(1000, 105)
  index.maybeAppend(1000, 108)
  index.maybeAppend(900, 109)
  index.maybeAppend(2000, 110)
  assert.is(index.entryCount, 2)
  assert.equal(
    [0, 1000, 1001, 2000, 2001].map((timestamp) => index.floor(timestamp)),
    [100, 100, 105, 105, 110],
  )
  const padded = Buffer.concat([index.bytes, Buffer.alloc(120)])
  assert.is(readTimeIndex(100, padded)?.last.timestamp, 2000)
  padded.writeInt32BE(0, 0)
  padded.writeInt32BE(5000, 4)
  assert.is(readTimeIndex(100, padded), null)
})

test('epochs answer where they end', () => {
  const epochs = new LeaderEpochCache()
  for (const [epoch, start] of [
    [0, 0],
    [2, 10],
    [3, 10],
    [7, 30],
    [5, 40],
  ] as const) {
    epochs.assign(epoch, start)
  }
  const ends = [-1, 0, 1, 2, 3, 5, 7, 8].map((epoch) => {
    const { leaderEpoch, endOffset } = epochs.endOffsetFor(epoch, 50)
    return [leaderEpoch, endOffset]
  })
  assert.equal(ends, [
    [-1, -1],
    [0, 10],
    [0, 10],
    [2, 10],
    [3, 30],
    [3, 30],
    [7, 50],
    [-1, -1],
  ])
  assert.equal(decodeLeaderEpochs(encodeLeaderEpochs(epochs.entries)), [...epochs.entries])
  epochs.truncateFromEnd(30)
  assert.is(epochs.latestEpoch, 3)
  epochs.truncateFromStart(15)
  assert.equal([...epochs.entries], [{ epoch: 3, startOffset: 15 }])
})

test('an epoch without records at the end survives a recovery', () => {
  const epochs = new LeaderEpochCache([
    { epoch: 0, startOffset: 0 },
    { epoch: 1, startOffset: 10 },
    { epoch: 2, startOffset: 11 },
  ])
  epochs.cutBeyond(10)
  assert.is(epochs.latestEpoch, 1)
})

const badTexts: [string, (text: Uint8Array) => unknown, string][] = [
  ['epochs that fall', decodeLeaderEpochs, '0\n2\n3 5\n2 9\n'],
  ['a count too large', decodeLeaderEpochs, '0\n3\n1 5\n2 9\n'],
  ['another version', decodeOffsetCheckpoint, '1\n0\n'],
  ['words for numbers', decodeOffsetCheckpoint, '0\n1\ntopic 0 x\n'],
  ['an offset beyond 2^53', decodeOffsetCheckpoint, '0\n1\ntopic 0 99999999999999999999\n'],
  ['no topic id', decodePartitionMetadata, 'version: 0\ntopic_id: \n'],
  ['no cluster id', decodeMetaProperties, 'version=1\nnode.id=1\n'],
  ['ZooKeeper times', decodeMetaProperties, 'version=0\nbroker.id=1\ncluster.id=x\n'],
  [
    'a format from the future',
    decodeMetaProperties,
    'version=1\nnode.id=1\ncluster.id=x\nottla.format=9\n',
  ],
]
for (const [what, decode, text] of badTexts) {
  test(`a file with ${what} is refused`, () => {
    assert.throws(
      () => decode(Buffer.from(text)),
      (error: Error) => error instanceof DecodeError,
    )
  })
}

test('the text files read back as they were written', () => {
  const entries = [
    { topic: 'a.b_c-d', partition: 0, offset: 0 },
    { topic: 'x', partition: 12, offset: 2 ** 53 - 1 },
  ]
  assert.equal(decodeOffsetCheckpoint(encodeOffsetCheckpoint(entries)), entries)
  assert.equal(decodeOffsetCheckpoint(new Uint8Array(0)), [])
  const id = 'rHhEuM_rRum3h5MzkJsVrw'
  assert.is(decodePartitionMetadata(encodePartitionMetadata(id)), id)
  const meta = { version: 1, clusterId: id, nodeId: 3, directoryId: id, isOurs: true }
  assert.equal(decodeMetaProperties(encodeMetaProperties(meta)), meta)
})

test('names of files and directories', () => {
  assert.is(segmentFileName(42, '.log'), '00000000000000000042.log')
  assert.equal(parseSegmentFileName('00000000000000000042.timeindex.deleted'), {
    baseOffset: 42,
    suffix: '.timeindex',
    mark: '.deleted',
  })
  assert.is(parseSegmentFileName('42.log'), null)
  assert.is(parseSegmentFileName('99999999999999999999.log'), null)
  const unique = new Uint8Array(16).fill(0xab)
  const long = { topic: 't'.repeat(249), partition: 7 }
  const deleted = markedDirectoryName(long, unique, 'delete')
  assert.is(deleted.length, 255)
  const kinds: [string, string][] = [
    ['orders-0', 'log'],
    ['a-b-12', 'log'],
    ['-0', 'other'],
    ['..-0', 'other'],
    ['.-0', 'other'],
    ['orders', 'other'],
    ['orders-01', 'other'],
    ['orders-99999999999', 'other'],
    ['metadata', 'other'],
    [deleted, 'deleted'],
    [`o-0.${'ab'.repeat(16)}-stray`, 'stray'],
    [`o-0.${'ab'.repeat(16)}-future`, 'future'],
  ]
  for (const [name, kind] of kinds) assert.is(directoryKind(name).kind, kind, name)
})
