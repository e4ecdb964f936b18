import type { Clock } from '../../../lib/io/clock.ts'
import { CleanerPace } from '../../../lib/storage/cleaner/pace.ts'
import { assert, rejection, suite } from '../../support/suite.ts'

const test = suite('storage/cleaner/pace')
const { signal } = new AbortController()

/** A clock that moves when the cleaner works, when others have a turn, and while it sleeps. */
function world({ rate = Number.MAX_VALUE } = {}) {
  const state = { nowMs: 1000, othersMs: 0, sleptMs: 0 }
  const clock: Clock = {
    nowMs: () => state.nowMs,
    monotonicMs: () => state.nowMs,
    timer(ms, fn) {
      state.nowMs += ms
      state.sleptMs += ms
      queueMicrotask(fn)
      return { cancel() {} }
    },
    endOfTurn(fn) {
      state.nowMs += state.othersMs
      queueMicrotask(fn)
    },
  }
  const pace = new CleanerPace(clock, () => rate)
  /** Works until a rest is due; gives how long that was, and how long the sleep after it. */
  const slice = async () => {
    const startMs = state.nowMs
    while (!pace.isDue) state.nowMs += 0.125
    const workedMs = state.nowMs - startMs
    const sleptMs = state.sleptMs
    await pace.rest(signal)
    return { workedMs, sleptMs: state.sleptMs - sleptMs }
  }
  return { state, pace, slice }
}

test('alone it works in slices of two milliseconds and does not sleep', async () => {
  const { slice } = world()
  for (let times = 0; times < 5; times++) {
    assert.equal(await slice(), { workedMs: 2, sleptMs: 0 })
  }
})

test('beside others it has a sixth of the time, in slices of half a millisecond', async () => {
  const { state, slice } = world()
  state.othersMs = 0.25
  await slice()
  for (let times = 0; times < 5; times++) {
    const { workedMs, sleptMs } = await slice()
    assert.is(workedMs, 0.5)
    assert.ok(sleptMs >= 2.5 && sleptMs < 3.1, `slept ${sleptMs} ms`)
  }
})

test('others count as there for 100 ms after their last turn', async () => {
  const { state, slice } = world()
  state.othersMs = 0.25
  await slice()
  state.othersMs = 0
  const begin = state.nowMs
  while ((await slice()).sleptMs > 0);
  const sinceMs = state.nowMs - begin
  assert.ok(sinceMs > 90 && sinceMs < 105, `${sinceMs} ms`)
  assert.equal(await slice(), { workedMs: 2, sleptMs: 0 })
})

test('it keeps to a rate, and to a new one', async () => {
  const { state, pace } = world({ rate: 1_000_000 })
  const begin = state.nowMs
  for (let times = 0; times < 10; times++) await pace.spend(100_000, signal)
  assert.ok(Math.abs(state.nowMs - begin - 1000) < 10, `${state.nowMs - begin} ms`)
})

test('it ends when it is told to, at the next rest', async () => {
  const { pace } = world()
  const end = new AbortController()
  end.abort(new Error('the log goes'))
  assert.match((await rejection(pace.rest(end.signal))).message, /the log goes/)
  assert.match((await rejection(pace.spend(1, end.signal))).message, /the log goes/)
})
