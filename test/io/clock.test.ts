import { sleep } from '../../lib/io/clock.ts'
import { MemoryClock } from '../../lib/io/memory/clock.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { nodeClock } from '../../lib/io/node/clock.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('clock')

test('timers run at their time and in order, with the work they lead to', async () => {
  const clock = new MemoryClock()
  const seen: string[] = []
  clock.timer(20, () => seen.push(`b@${clock.monotonicMs()}`))
  clock.timer(10, () => {
    seen.push(`a@${clock.monotonicMs()}`)
    clock.timer(5, () => seen.push(`c@${clock.monotonicMs()}`))
  })
  clock.timer(15, () => seen.push('never')).cancel()
  clock.timer(20, () => seen.push('after b'))
  await clock.advance(19)
  assert.equal(seen, ['a@10', 'c@15'])
  await clock.advance(1)
  assert.equal(seen, ['a@10', 'c@15', 'b@20', 'after b'])
})

test('a jump of the wall clock moves no timer', async () => {
  const clock = new MemoryClock()
  const startMs = clock.nowMs()
  let hasRun = false
  clock.timer(1000, () => (hasRun = true))
  clock.jumpWall(3_600_000)
  await clock.advance(999)
  assert.is(hasRun, false)
  assert.is(clock.nowMs() - startMs, 3_600_999)
})

for (const [name, clock] of [
  ['memory', new MemoryClock()],
  ['node', nodeClock],
] as const) {
  test(`${name}: sleep ends early when its signal aborts`, async () => {
    const abort = new AbortController()
    const sleeping = rejection(sleep(clock, 60_000, abort.signal))
    abort.abort(new Error('enough'))
    assert.is((await sleeping).message, 'enough')
  })
}

test('the same seed gives the same numbers, another seed others', () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed)
    return Array.from({ length: 5 }, () => random.u32())
  }
  assert.equal(draw(7), draw(7))
  assert.not.equal(draw(7), draw(8))
})

test('randomBelow stays below', () => {
  const random = seededRandom(3)
  for (let round = 0; round < 1000; round++) assert.ok(randomBelow(random, 3) < 3)
})
