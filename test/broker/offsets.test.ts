import { errorCode } from '../../lib/base/errors.ts'
import { DeleteRecords } from '../../lib/protocol/apis/delete-records.ts'
import { ListOffsets } from '../../lib/protocol/apis/list-offsets.ts'
import { assert, suite } from '../support/suite.ts'
import { batch, Scenario } from './support/scenario.ts'

const test = suite('offsets')

const start = Date.UTC(2026, 0, 1)

/** Offsets 0 and 1 at start + 1000, 2 at start + 3000, 3 at start + 2000. */
async function filled(): Promise<Scenario> {
  const world = await Scenario.start({ topics: ['a:1', 'c:1:cleanup.policy=compact', 'empty:1'] })
  await world.produce('a', batch(['0', '1'], { timestamp: start + 1000 }))
  await world.produce('a', batch(['2'], { timestamp: start + 3000 }))
  await world.produce('a', batch(['3'], { timestamp: start + 2000 }))
  return world
}

async function ask(
  world: Scenario,
  timestamp: number,
  { version = 11, topic = 'a', currentLeaderEpoch = -1 } = {},
) {
  const { topics } = await world.call(ListOffsets, version, {
    replicaId: -1,
    topics: [
      {
        name: topic,
        partitions: [{ partitionIndex: 0, timestamp, ...(version >= 4 && { currentLeaderEpoch }) }],
      },
    ],
  })
  const found = topics[0]?.partitions[0]
  return [found?.errorCode, found?.offset, found?.timestamp]
}

const unsupported = errorCode('UNSUPPORTED_VERSION')
const cases: readonly (readonly [
  timestamp: number,
  version: number,
  code: number,
  offset: number,
  time: number,
])[] = [
  [-1, 1, 0, 4, -1],
  [-1, 11, 0, 4, -1],
  [-2, 1, 0, 0, -1],
  [-3, 7, 0, 2, start + 3000],
  [-3, 6, unsupported, -1, -1],
  [-4, 8, 0, 0, -1],
  [-4, 7, unsupported, -1, -1],
  [-5, 9, 0, -1, -1],
  [-5, 8, unsupported, -1, -1],
  [-6, 11, 0, -1, -1],
  [-6, 10, unsupported, -1, -1],
  [-7, 11, unsupported, -1, -1],
  [0, 5, 0, 0, start + 1000],
  [start + 1000, 5, 0, 0, start + 1000],
  [start + 1001, 5, 0, 2, start + 3000],
  [start + 3001, 5, 0, -1, -1],
]
test('special timestamps and times', async () => {
  const world = await filled()
  for (const [timestamp, version, code, offset, time] of cases) {
    const answer = await ask(world, timestamp, { version })
    assert.equal(answer, [code, offset, time], `${timestamp} v${version}`)
  }
  assert.equal(await ask(world, -3, { topic: 'empty' }), [0, -1, -1])
  assert.equal(await ask(world, -1, { topic: 'nope' }), [
    errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
    -1,
    -1,
  ])
  assert.equal(await ask(world, -1, { currentLeaderEpoch: 99 }), [
    errorCode('UNKNOWN_LEADER_EPOCH'),
    -1,
    -1,
  ])
  await world.stop()
})

test('v0 answers with a list', async () => {
  const world = await filled()
  const { topics } = await world.call(ListOffsets, 0, {
    replicaId: -1,
    topics: [{ name: 'a', partitions: [{ partitionIndex: 0, timestamp: -1, maxNumOffsets: 1 }] }],
  })
  assert.equal(topics[0]?.partitions[0]?.oldStyleOffsets, [4])
  await world.stop()
})

test('a partition that is asked for twice is refused', async () => {
  const world = await filled()
  const twice = { partitionIndex: 0, timestamp: -1 }
  const { topics } = await world.call(ListOffsets, 5, {
    replicaId: -1,
    topics: [{ name: 'a', partitions: [twice, twice] }],
  })
  for (const partition of topics[0]?.partitions ?? []) {
    assert.is(partition.errorCode, errorCode('INVALID_REQUEST'))
  }
  await world.stop()
})

test('DeleteRecords moves the log start, and says what it refuses', async () => {
  const world = await filled()
  const remove = async (offset: number, topic = 'a') => {
    const { topics } = await world.call(DeleteRecords, 2, {
      timeoutMs: 1000,
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset }] }],
    })
    const { errorCode, lowWatermark } = topics[0]?.partitions[0] ?? {}
    return [errorCode, lowWatermark]
  }
  assert.equal(await remove(5), [errorCode('OFFSET_OUT_OF_RANGE'), -1])
  assert.equal(await remove(-2), [errorCode('OFFSET_OUT_OF_RANGE'), -1])
  assert.equal(await remove(0, 'c'), [errorCode('POLICY_VIOLATION'), -1])
  assert.equal(await remove(0, 'nope'), [errorCode('UNKNOWN_TOPIC_OR_PARTITION'), -1])
  assert.equal(await remove(2), [0, 2])
  assert.equal(await remove(1), [0, 2])
  assert.equal(await ask(world, -2), [0, 2, -1])
  assert.is((await world.fetch('a', 1)).errorCode, errorCode('OFFSET_OUT_OF_RANGE'))
  assert.is((await world.fetch('a', 2)).logStartOffset, 2)
  await world.restart()
  assert.equal(await ask(world, -2), [0, 2, -1])
  assert.equal(await remove(-1), [0, 4])
  assert.equal(await ask(world, -2), [0, 4, -1])
  await world.stop()
})
