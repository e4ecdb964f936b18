import { Deadline } from '../../../lib/coordinator/group/deadline.ts'
import type { Timer } from '../../../lib/io/clock.ts'
import { MemoryClock } from '../../../lib/io/memory/clock.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('deadline')

/** Counts the timers that are made. */
class CountingClock extends MemoryClock {
  timers = 0

  override timer(ms: number, fn: () => void): Timer {
    this.timers++
    return super.timer(ms, fn)
  }
}

function made() {
  const clock = new CountingClock()
  const dueAtMs: number[] = []
  const deadline = new Deadline(clock, () => dueAtMs.push(clock.monotonicMs()))
  return { clock, dueAtMs, deadline }
}

type Step = readonly [atMs: number, what: number | 'clear']

const cases: readonly [name: string, steps: readonly Step[], dueAtMs: number[]][] = [
  ['it comes once', [[0, 100]], [100]],
  [
    'pushed back it comes later',
    [
      [0, 100],
      [60, 100],
      [120, 100],
    ],
    [220],
  ],
  [
    'pulled forward it comes earlier',
    [
      [0, 100],
      [10, 20],
    ],
    [30],
  ],
  [
    'pushed back, then pulled forward',
    [
      [0, 100],
      [10, 500],
      [20, 50],
    ],
    [70],
  ],
  [
    'cleared it does not come',
    [
      [0, 100],
      [50, 'clear'],
    ],
    [],
  ],
  [
    'set again after it was cleared',
    [
      [0, 100],
      [50, 'clear'],
      [90, 100],
    ],
    [190],
  ],
  [
    'set again after it came',
    [
      [0, 100],
      [150, 100],
    ],
    [100, 250],
  ],
  ['at once', [[5, 0]], [5]],
  ['a negative time is none', [[5, -10]], [5]],
]

for (const [name, steps, expected] of cases) {
  test(name, async () => {
    const { clock, dueAtMs, deadline } = made()
    for (const [atMs, what] of steps) {
      await clock.advance(atMs - clock.monotonicMs())
      if (what === 'clear') deadline.clear()
      else deadline.set(what)
    }
    await clock.advance(1000)
    assert.equal(dueAtMs, expected)
    assert.is(deadline.isSet, false)
  })
}

test('pushing it back a thousand times within its time makes no timer', async () => {
  const { clock, dueAtMs, deadline } = made()
  for (let beat = 0; beat < 1000; beat++) {
    deadline.set(10_000)
    await clock.advance(1)
  }
  assert.is(clock.timers, 1)
  await clock.advance(9999)
  assert.equal(dueAtMs, [10_999])
  assert.is(clock.timers, 2)
})
