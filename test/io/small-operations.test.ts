import { SmallOperations, smallBytesMax } from '../../lib/io/node/small-operations.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('small operations')

/** Operations that take as long as they say, in a turn that ends when the test says so. */
function world() {
  let nowMs = 0
  const afterTurn: (() => void)[] = []
  const small = new SmallOperations(
    () => nowMs,
    (fn) => afterTurn.push(fn),
  )
  return {
    small,
    takes: (ms: number) => small.run(() => (nowMs += ms)),
    pass: (ms: number) => (nowMs += ms),
    endTurn: () => {
      for (const fn of afterTurn.splice(0)) fn()
    },
  }
}

test('small ones are done at once, until one was slow; then again after a second', () => {
  const { small, takes, pass, endTurn } = world()
  assert.is(small.fits(smallBytesMax), true)
  assert.is(small.fits(smallBytesMax + 1), false)
  takes(1.9)
  endTurn()
  assert.is(small.fits(1), true)
  takes(2)
  endTurn()
  assert.is(small.fits(1), false)
  pass(999)
  assert.is(small.fits(1), false)
  pass(1)
  assert.is(small.fits(1), true)
})

test('one after the other, they leave the turn to others', () => {
  const { small, takes, endTurn } = world()
  for (let turn = 0; turn < 3; turn++) {
    takes(0.6)
    assert.is(small.fits(1), true)
    takes(0.6)
    assert.is(small.fits(1), false)
    endTurn()
    assert.is(small.fits(1), true)
  }
})

test('one that throws is timed too, and throws', () => {
  const { small, pass } = world()
  const fail = () => {
    pass(5)
    throw new Error('EIO')
  }
  assert.throws(() => small.run(fail), /EIO/)
  assert.is(small.fits(1), false)
})
