import * as fc from 'fast-check'
import { type LagInput, lagOf, worstSeconds } from '../../lib/client/lag-model.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('lag-model')
const nowMs = 1_800_000_000_000

const plain: LagInput = {
  committed: 90,
  logStart: 0,
  logEnd: 100,
  newestData: 99,
  lastStable: null,
  firstUnreadMs: null,
  nowMs,
}

// committed, start, end, newest data -> lag, effective lag, expired, flag
const cases: [
  [committed: number | null, logStart: number, logEnd: number, newestData: number | null],
  [lag: number, effectiveLag: number, expired: number, flag: string | null],
][] = [
  [[90, 0, 100, 99], [10, 10, 0, null]],
  [[null, 40, 100, 99], [60, 60, 0, 'nocommit']],
  [[20, 40, 100, 99], [60, 60, 20, 'expired']],
  [[99, 0, 100, 98], [1, 0, 0, null]],
  [[120, 0, 100, 99], [0, 0, 0, 'ahead']],
  [[100, 100, 100, null], [0, 0, 0, null]],
  [[null, 0, 0, null], [0, 0, 0, 'nocommit']],
  [[null, 40, 42, 39], [2, 0, 0, 'nocommit']],
  [[20, 40, 42, 39], [2, 0, 20, 'expired']],
  [[20, 40, 40, null], [0, 0, 20, 'expired']],
  [[0, 0, 2 ** 53 - 1, null], [2 ** 53 - 1, 2 ** 53 - 1, 0, null]],
] // biome-ignore format: a table

test('lag, effective lag, expired records and flag', () => {
  for (const [[committed, logStart, logEnd, newestData], want] of cases) {
    const got = lagOf({ ...plain, committed, logStart, logEnd, newestData })
    const line = JSON.stringify([committed, logStart, logEnd, newestData])
    assert.equal([got.lag, got.effectiveLag, got.expired, got.flag], want, line)
  }
})

test('seconds: from the first unread record; 0 when nothing is left; never negative', () => {
  const of = (more: Partial<LagInput>) => lagOf({ ...plain, ...more }).seconds
  assert.is(of({ firstUnreadMs: nowMs - 2500 }), 2.5)
  assert.is(of({ firstUnreadMs: null }), null)
  assert.is(of({ firstUnreadMs: nowMs + 60_000 }), 0)
  assert.is(of({ committed: 100 }), 0)
  assert.is(of({ committed: 99, newestData: 98, firstUnreadMs: null }), 0)
})

test('blocked at the last stable offset is no stalled reader', () => {
  const of = (more: Partial<LagInput>) => lagOf({ ...plain, ...more }).flag
  assert.is(of({ lastStable: 90 }), 'blocked')
  assert.is(of({ lastStable: 95 }), null)
  assert.is(of({ committed: 100, lastStable: 100 }), null)
  assert.is(of({ committed: null, logStart: 90, lastStable: 90 }), 'nocommit')
})

test('whatever the numbers are: 0 <= effective <= lag <= end - start', () => {
  const offset = fc.nat({ max: 1000 })
  const maybe = fc.option(offset)
  fc.assert(
    fc.property(
      fc.record({
        committed: maybe,
        logStart: offset,
        size: offset,
        newestData: maybe,
        lastStable: maybe,
        firstUnreadMs: fc.option(fc.integer({ min: -5000, max: 5000 })),
      }),
      ({ size, ...rest }) => {
        const input = { ...rest, logEnd: rest.logStart + size, nowMs: 0 }
        const { lag, effectiveLag, expired, seconds, flag } = lagOf(input)
        assert.ok(effectiveLag >= 0 && effectiveLag <= lag && lag <= size)
        assert.ok(effectiveLag === 0 || effectiveLag === lag)
        assert.ok(expired >= 0 && expired > 0 === (flag === 'expired'))
        assert.ok(seconds === null || seconds >= 0)
        if (effectiveLag === 0) assert.is(seconds, 0)
        if (input.committed === null) assert.is(lag, size)
        if (input.committed === input.logEnd) assert.is(lag, 0)
        // Committing further never makes a group further behind.
        if (input.committed !== null) {
          assert.ok(lagOf({ ...input, committed: input.committed + 1 }).lag <= lag)
        }
      },
    ),
  )
})

test('the worst of several times; unknown beside nothing known', () => {
  assert.is(worstSeconds([]), 0)
  assert.is(worstSeconds([0, 3, 2]), 3)
  assert.is(worstSeconds([0, null]), null)
  assert.is(worstSeconds([5, null]), 5)
  assert.is(worstSeconds([null]), null)
})
