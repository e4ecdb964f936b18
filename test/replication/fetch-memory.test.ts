import { FetchMemory } from '../../lib/replication/fetch-memory.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('fetch-memory')

test('each read gets what it wants, at most a quarter of what is left', () => {
  const memory = new FetchMemory(1000)
  assert.is(memory.take(100), 100)
  assert.is(memory.take(900), 225)
  assert.is(memory.take(900), 168)
  assert.is(memory.heldBytes, 493)
})

test('what a read did not use is there for others at once, the rest when it was sent', () => {
  const memory = new FetchMemory(1000)
  const granted = memory.take(200)
  memory.settle(granted, 50)
  assert.is(memory.heldBytes, 50)
  memory.give(50)
  assert.is(memory.heldBytes, 0)
})

test('first batches may go beyond it; then nothing more is granted', () => {
  const memory = new FetchMemory(1000)
  memory.settle(memory.take(100), 5000)
  assert.is(memory.take(100), 0)
  memory.give(5000)
  assert.is(memory.take(100), 100)
})
