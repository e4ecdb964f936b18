import { KafkaError } from '../../lib/base/errors.ts'
import { assert, suite } from '../support/suite.ts'
import { batchOf, Scenario } from './support/scenario.ts'

const test = suite('log')

const options = { leaderEpoch: 0 }

test('appends get consecutive offsets before anything is written, and one write takes them all', async () => {
  const { log, env } = await new Scenario().open()
  let writes = 0
  env.disk.beforeEach = (operation, path) => {
    if (operation === 'write' && path.endsWith('.log')) writes++
  }
  const infos = [3, 1, 2].map((count) =>
    log.append(batchOf({ values: Array.from({ length: count }, String) }), options),
  )
  assert.equal(
    infos.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset]),
    [
      [0, 2],
      [3, 3],
      [4, 5],
    ],
  )
  assert.is(log.logEndOffset, 6)
  assert.is(log.writtenEndOffset, 0)
  assert.ok(log.waitingBytes > 0)
  await Promise.all(infos.map(({ written }) => written))
  assert.is(writes, 1)
  assert.is(log.writtenEndOffset, 6)
  assert.is(log.waitingBytes, 0)
  await log.sync()
  assert.is(log.syncedEndOffset, 6)
})

test('every record is read back from every offset, whatever the size of the read', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 600 }).open()
  const all: string[] = []
  for (let n = 0; n < 40; n++) {
    const values = Array.from({ length: (n % 5) + 1 }, (_, i) => `${n}.${i}`.repeat((n % 7) + 1))
    const { baseOffset } = await scenario.append({ values, codec: n % 2 ? 'gzip' : 'none' })
    for (const [index, value] of values.entries()) all.push(`${baseOffset + index}:${value}`)
  }
  assert.ok(scenario.log.segments.length > 3)
  for (let offset = 0; offset < all.length; offset++) {
    assert.equal(await scenario.texts(offset), all.slice(offset))
  }
  for (const maxBytes of [1, 100, 200, 1000, 100_000]) {
    assert.is((await scenario.readAll(0, maxBytes)).length, all.length)
  }
  await scenario.reopen()
  assert.equal(await scenario.texts(), all)
  await scenario.append({ values: ['after'] })
  await scenario.crash()
  assert.equal(await scenario.texts(), [...all, `${all.length}:after`])
  await scenario.close()
})

test('an offset outside the log is refused', async () => {
  const scenario = await new Scenario().open()
  await scenario.append({ values: ['a', 'b'] })
  for (const offset of [3, 100]) {
    try {
      await scenario.log.read(offset, { maxBytes: 1, minOneBatch: true, endOffset: 2 })
      assert.unreachable()
    } catch (error) {
      assert.is(error instanceof KafkaError && error.name, 'OFFSET_OUT_OF_RANGE')
    }
  }
  const read = await scenario.log.read(2, { maxBytes: 1, minOneBatch: true, endOffset: 2 })
  assert.is(read.sizeBytes, 0)
})
