import { groupSegments } from '../../../lib/storage/cleaner/segment-groups.ts'
import { logConfigWith } from '../../../lib/storage/log-config.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('segment-groups')

/** Base offsets with sizes, and the groups by their base offsets. */
const cases: [what: string, segments: [number, number][], groups: number[][]][] = [
  ['none', [], []],
  [
    'all that fit',
    [
      [0, 300],
      [10, 300],
      [20, 300],
    ],
    [[0, 10, 20]],
  ],
  [
    'as many as fit',
    [
      [0, 600],
      [10, 300],
      [20, 300],
      [30, 600],
    ],
    [
      [0, 10],
      [20, 30],
    ],
  ],
  [
    'a large one alone',
    [
      [0, 10],
      [10, 2000],
      [20, 10],
    ],
    [[0], [10], [20]],
  ],
  [
    'empty ones with their neighbours',
    [
      [0, 0],
      [10, 0],
      [20, 1000],
    ],
    [[0, 10, 20]],
  ],
  [
    'not beyond what an index can name',
    [
      [0, 10],
      [2 ** 31 - 1, 10],
      [2 ** 32, 10],
    ],
    [[0], [2 ** 31 - 1], [2 ** 32]],
  ],
]

for (const [what, segments, groups] of cases) {
  test(`grouped: ${what}`, () => {
    const sized = segments.map(([baseOffset, sizeBytes]) => ({ baseOffset, sizeBytes }))
    const config = logConfigWith({ 'segment.bytes': 1000 })
    const found = groupSegments(sized, (segments.at(-1)?.[0] ?? 0) + 10, config)
    assert.equal(
      found.map((group) => group.map(({ baseOffset }) => baseOffset)),
      groups,
    )
  })
}
