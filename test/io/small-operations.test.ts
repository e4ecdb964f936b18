import { SmallOperations, smallBytesMax } from '../../lib/io/node/small-operations.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('small operations')

test('small ones are done at once, until one was slow; then again after a second', () => {
  let nowMs = 0
  const small = new SmallOperations(() => nowMs)
  assert.is(small.fits(smallBytesMax), true)
  assert.is(small.fits(smallBytesMax + 1), false)
  const takes = (ms: number) => small.run(() => (nowMs += ms))
  takes(1.9)
  assert.is(small.fits(1), true)
  takes(2)
  assert.is(small.fits(1), false)
  nowMs += 999
  assert.is(small.fits(1), false)
  nowMs += 1
  assert.is(small.fits(1), true)
})

test('one that throws is timed too, and throws', () => {
  let nowMs = 0
  const small = new SmallOperations(() => nowMs)
  const fail = () => {
    nowMs += 5
    throw new Error('EIO')
  }
  assert.throws(() => small.run(fail), /EIO/)
  assert.is(small.fits(1), false)
})
