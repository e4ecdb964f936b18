import { type OffsetRange, parseOffsetSpec } from '../../../commands/records/offset-spec.ts'
import { parsePartitionList, partitionRanges } from '../../../commands/records/partition-list.ts'
import { BadValue } from '../../../commands/values.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('offset spec')

const start = { kind: 'start' }
const end = { kind: 'end' }
const offset = (n: number) => ({ kind: 'offset', offset: n })
const at = (atMs: number) => ({ kind: 'time', time: { atMs } })
const ago = (agoMs: number) => ({ kind: 'time', time: { agoMs } })
const noon = Date.UTC(2026, 10, 20, 12)

for (const [text, from, to] of [
  ['start', start, null],
  ['beginning', start, null],
  ['end', end, null],
  ['0', offset(0), null],
  ['9007199254740991', offset(9007199254740991), null],
  ['+5', { kind: 'forward', count: 5 }, null],
  ['-5', { kind: 'back', count: 5 }, null],
  ['@1732154400000', at(1732154400000), null],
  ['@1732154400', at(1732154400000), null],
  ['@2026-11-20', at(Date.UTC(2026, 10, 20)), null],
  ['@2026-11-20T12:00:00Z', at(noon), null],
  ['@2026-11-20T14:00:00+02:00', at(noon), null],
  ['@-24h', ago(86_400_000), null],
  ['10:20', offset(10), offset(20)],
  ['10:', offset(10), null],
  [':20', start, offset(20)],
  [':end', start, end],
  ['start:+3', start, { kind: 'forward', count: 3 }],
  ['-10:end', { kind: 'back', count: 10 }, end],
  ['@-1h:end', ago(3_600_000), end],
  ['@-2h:@-1h', ago(7_200_000), ago(3_600_000)],
  ['@-2h:-1h', ago(7_200_000), ago(3_600_000)],
  ['@2026-11-20T12:00:00Z:1h', at(noon), { kind: 'duration', ms: 3_600_000 }],
  ['@2026-11-20T12:00:1h', at(noon), { kind: 'duration', ms: 3_600_000 }],
  ['@2026-11-20T12:00:00Z:2026-11-20T12:30:00Z', at(noon), at(noon + 1_800_000)],
  ['@1732154400000:1732154500000', at(1732154400000), at(1732154500000)],
  [':@1732154400000', start, at(1732154400000)],
  ['s@1732154400000', at(1732154400000), null],
  ['e@1732154400000', start, at(1732154400000)],
  ['s@1732154400000,e@1732154500000', at(1732154400000), at(1732154500000)],
  ['e@1732154500000,s@1732154400000', at(1732154400000), at(1732154500000)],
] as const) {
  test(text, () => {
    const { range, partitions } = parseOffsetSpec([text])
    assert.equal(range, { from, to } as OffsetRange)
    assert.is(partitions.size, 0)
  })
}

test('nothing given is everything, followed', () => {
  assert.equal(parseOffsetSpec([]).range, { from: start, to: null } as OffsetRange)
})

test('kcat gives both ends as two options', () => {
  const { range } = parseOffsetSpec(['s@1732154400000', 'e@1732154500000'])
  assert.equal(range, { from: at(1732154400000), to: at(1732154500000) } as OffsetRange)
})

test('a list names partitions; a range beside it holds for the others', () => {
  const listed = parseOffsetSpec(['0=10,1=20:30'])
  assert.is(listed.range, null)
  assert.equal([...listed.partitions], [
    [0, { from: offset(10), to: null }],
    [1, { from: offset(20), to: offset(30) }],
  ] as [number, OffsetRange][])
  assert.equal(parseOffsetSpec(['0=10', 'end']).range, { from: end, to: null } as OffsetRange)
})

for (const text of [
  'yesterday',
  '',
  ':',
  '1.5',
  '0x10',
  '1e3',
  '--5',
  '+-5',
  '9007199254740992',
  '@',
  '@soon',
  '@2026-13-01',
  's@',
  's@tomorrow',
  '10:x',
  'x:10',
  '10:20:30',
  '20:10',
  'start,end',
  '0=',
  '0=x',
  '0=1,0=2',
  '0:committed',
  ':stored',
]) {
  test(`refused: "${text}"`, () => {
    assert.throws(
      () => parseOffsetSpec([text]),
      (error: Error) => error instanceof BadValue,
    )
  })
}

test('the refusal says what it wants', () => {
  assert.throws(
    () => parseOffsetSpec(['yesterday']),
    'want start, end, committed, N, +N, -N, @TIME or FROM:TO, for example @-24h',
  )
})

for (const [text, expected] of [
  ['0', [0]],
  ['0,3-5', [0, 3, 4, 5]],
  ['5,1,1', [1, 5]],
  ['2-2', [2]],
] as const) {
  test(`partitions ${text}`, () => assert.equal(parsePartitionList(text), [...expected]))
}

for (const text of ['', 'foo', '-1', '1-', '3-1', '1,', '0-4000000000', '1.5']) {
  test(`no partitions: "${text}"`, () => {
    assert.throws(
      () => parsePartitionList(text),
      (error: Error) => error instanceof BadValue,
    )
  })
}

test('ranges of partitions for people', () => {
  assert.is(partitionRanges([0, 1, 2]), '0-2')
  assert.is(partitionRanges([4, 0, 5, 6]), '0, 4-6')
  assert.is(partitionRanges([]), 'none')
})
