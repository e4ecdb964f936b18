import { MemoryClock } from '../../lib/io/memory/clock.ts'
import { Purgatory } from '../../lib/replication/purgatory.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('purgatory')

interface Key {
  value: number
}

function watch(purgatory: Purgatory<Key>, keys: readonly Key[], timeoutMs = 1000) {
  const ends: string[] = []
  const waiting = purgatory.wait({ keys, isDone: (key) => key.value > 0, timeoutMs })
  void waiting.ended.then((how) => ends.push(how))
  return { ends, cancel: () => waiting.cancel() }
}

test('a wait ends when one of its keys is woken and done, and not before', async () => {
  const clock = new MemoryClock()
  const purgatory = new Purgatory<Key>(clock)
  const [a, b] = [{ value: 0 }, { value: 0 }]
  const { ends } = watch(purgatory, [a, b])
  purgatory.wake(a)
  await clock.settle()
  assert.equal(ends, [])
  b.value = 1
  purgatory.wake(b)
  await clock.settle()
  assert.equal(ends, ['done'])
  assert.is(purgatory.size, 0)
})

test('what is done already does not wait', async () => {
  const clock = new MemoryClock()
  const purgatory = new Purgatory<Key>(clock)
  const { ends } = watch(purgatory, [{ value: 0 }, { value: 1 }])
  await clock.settle()
  assert.equal(ends, ['done'])
})

test('the deadline ends a wait, once', async () => {
  const clock = new MemoryClock()
  const purgatory = new Purgatory<Key>(clock)
  const key = { value: 0 }
  const { ends } = watch(purgatory, [key], 50)
  await clock.advance(49)
  assert.equal(ends, [])
  await clock.advance(1)
  key.value = 1
  purgatory.wake(key)
  await clock.settle()
  assert.equal(ends, ['expired'])
})

test('a deadline that has passed, or is further than any timer', async () => {
  const clock = new MemoryClock()
  const purgatory = new Purgatory<Key>(clock)
  const past = watch(purgatory, [{ value: 0 }], 0)
  const negative = watch(purgatory, [{ value: 0 }], -1)
  const far = watch(purgatory, [{ value: 0 }], 2 ** 40)
  await clock.settle()
  assert.equal([past.ends, negative.ends, far.ends], [['expired'], ['expired'], []])
  purgatory.close()
})

test('cancelling and closing end waits; later ones end at once', async () => {
  const clock = new MemoryClock()
  const purgatory = new Purgatory<Key>(clock)
  const key = { value: 0 }
  const first = watch(purgatory, [key])
  const second = watch(purgatory, [key])
  first.cancel()
  await clock.settle()
  assert.equal([first.ends, second.ends], [['cancelled'], []])
  purgatory.close()
  const third = watch(purgatory, [key])
  await clock.settle()
  assert.equal([second.ends, third.ends], [['cancelled'], ['cancelled']])
})

test('above its bound the oldest wait expires early', async () => {
  const clock = new MemoryClock()
  const purgatory = new Purgatory<Key>(clock, { waitsMax: 2 })
  const waits = [1, 2, 3].map(() => watch(purgatory, [{ value: 0 }]))
  await clock.settle()
  assert.equal(
    waits.map(({ ends }) => ends),
    [['expired'], [], []],
  )
  purgatory.close()
})

test('ten thousand abandoned waits leave nothing behind', async () => {
  const clock = new MemoryClock()
  const purgatory = new Purgatory<Key>(clock)
  const keys = Array.from({ length: 100 }, () => ({ value: 0 }))
  for (let index = 0; index < 10_000; index++) watch(purgatory, [keys[index % 100] ?? { value: 0 }])
  assert.is(purgatory.size, 10_000)
  for (const key of keys) {
    key.value = 1
    purgatory.wake(key)
  }
  assert.is(purgatory.size, 0)
})
