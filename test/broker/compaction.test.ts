import { errorName } from '../../lib/base/errors.ts'
import { singleNodeConfigs } from '../../lib/config/broker-groups.ts'
import { FindCoordinator } from '../../lib/protocol/apis/find-coordinator.ts'
import { IncrementalAlterConfigs } from '../../lib/protocol/apis/incremental-alter-configs.ts'
import { OffsetCommit } from '../../lib/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../lib/protocol/apis/offset-fetch.ts'
import { splitBatches } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { readRecords } from '../../lib/record/record.ts'
import { assert, suite } from '../support/suite.ts'
import { Scenario } from './support/scenario.ts'

const test = suite('compaction')
const offsetsTopic = '__consumer_offsets'

function keyed(rows: readonly (readonly [string | null, string | null])[]): Buffer {
  const builder = new BatchBuilder()
  for (const [key, value] of rows) {
    builder.append(-1, bytesOf(key), bytesOf(value))
  }
  return Buffer.from(builder.build())
}

function bytesOf(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text)
}

async function recordCount(world: Scenario, topic: string): Promise<number> {
  let count = 0
  for (let offset = 0; ; ) {
    const { bytes } = await world.fetch(topic, offset)
    const batches = splitBatches([bytes])
    const last = batches.at(-1)
    if (last === undefined) return count
    for (const batch of batches) count += readRecords(batch, { maxBytes: 1 << 20 }).length
    offset = last.header.baseOffset + last.header.lastOffsetDelta + 1
  }
}

async function alter(world: Scenario, topic: string, configs: Record<string, string>) {
  const answer = await world.call(IncrementalAlterConfigs, 1, {
    resources: [
      {
        resourceType: 2,
        resourceName: topic,
        configs: Object.entries(configs).map(([name, value]) => ({
          name,
          configOperation: 0,
          value,
        })),
      },
    ],
  })
  assert.is(answer.responses[0]?.errorCode, 0, answer.responses[0]?.errorMessage ?? '')
}

const cleanOften = { 'segment.ms': '1000', 'min.cleanable.dirty.ratio': '0.1' }

test('the offsets topic does not grow with each commit, and keeps what was committed', async () => {
  const world = await Scenario.start({
    topics: ['a:1'],
    configs: { ...singleNodeConfigs, 'offsets.topic.num.partitions': '1' },
  })
  await world.call(FindCoordinator, 4, { coordinatorKeys: ['g'] })
  await alter(world, offsetsTopic, cleanOften)
  for (let committedOffset = 1; committedOffset <= 60; committedOffset++) {
    const answer = await world.call(OffsetCommit, 2, {
      groupId: 'g',
      topics: [{ name: 'a', partitions: [{ partitionIndex: 0, committedOffset }] }],
    })
    assert.is(answer.topics[0]?.partitions[0]?.errorCode, 0)
    await world.env.clock.advance(500)
  }
  await world.env.clock.advance(30_000)
  assert.ok((await recordCount(world, offsetsTopic)) < 15)
  await world.restart()
  const answer = await world.call(OffsetFetch, 7, { groupId: 'g', topics: null })
  assert.is(answer.topics[0]?.partitions[0]?.committedOffset, 60)
  await world.stop()
})

test('a topic is compacted once its policy says so, at the next rest of the cleaner', async () => {
  const world = await Scenario.start({
    topics: ['t:1:segment.ms=1000,min.cleanable.dirty.ratio=0.1'],
  })
  for (let n = 0; n < 20; n++) {
    await world.produce(
      't',
      keyed([
        ['a', `${n}`],
        ['b', null],
      ]),
    )
    await world.env.clock.advance(1100)
  }
  await world.env.clock.advance(20_000)
  assert.is(await recordCount(world, 't'), 40)
  await alter(world, 't', { 'cleanup.policy': 'compact' })
  await world.env.clock.advance(20_000)
  // One of each key in the closed segments, and what the last segment holds.
  assert.is(await recordCount(world, 't'), 4)
  await world.stop()
})

test('a record without a key is refused by a compacted topic, and named', async () => {
  const world = await Scenario.start({ topics: ['t:1:cleanup.policy=compact'] })
  const answer = await world.produce(
    't',
    keyed([
      ['a', '1'],
      [null, '2'],
    ]),
  )
  assert.is(errorName(answer.errorCode), 'INVALID_RECORD')
  assert.equal(
    answer.recordErrors.map(({ batchIndex }) => batchIndex),
    [1],
  )
  await world.stop()
})
