import { errorCode } from '../../../lib/base/errors.ts'
import { singleNodeConfigs } from '../../../lib/config/broker-groups.ts'
import type { HeldByShard } from '../../../lib/coordinator/group/group-memory.ts'
import { GroupMemory } from '../../../lib/coordinator/group/group-memory.ts'
import { MemoryClock } from '../../../lib/io/memory/clock.ts'
import { ConsumerGroupHeartbeat } from '../../../lib/protocol/apis/consumer-group-heartbeat.ts'
import { FindCoordinator } from '../../../lib/protocol/apis/find-coordinator.ts'
import { JoinGroup } from '../../../lib/protocol/apis/join-group.ts'
import { OffsetCommit } from '../../../lib/protocol/apis/offset-commit.ts'
import { Scenario } from '../../broker/support/scenario.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('group memory')

const small = { 'ottla.groups.memory.bytes': String(8 * 1024 * 1024) }

test('what was let in counts at once, and what went at the next measure', async () => {
  const clock = new MemoryClock()
  let held = 600
  const shards = (): HeldByShard[] => [{ groups: new Map(), offsets: { heldBytes: held } }]
  const memory = new GroupMemory({ clock, shards, bytesMax: () => 1000 })
  assert.equal([memory.take(300), memory.take(200), memory.take(100)], [true, false, true])
  held = 0
  assert.is(memory.take(1), false, 'not measured anew yet')
  await clock.advance(1000)
  assert.equal([memory.take(1000), memory.take(1)], [true, false])
})

test('groups that anybody names end somewhere, whatever they are made of; known members go on', async () => {
  const configs = {
    ...singleNodeConfigs,
    ...small,
    'offsets.topic.num.partitions': '3',
  }
  const world = await Scenario.start({ topics: ['a:1'], configs })
  await world.call(FindCoordinator, 4, { coordinatorKeys: ['g'] })
  const metadata = new Uint8Array(100_000)
  const client = await world.connect()
  const join = (groupId: string, memberId = '') =>
    client.call(JoinGroup, 3, {
      groupId,
      memberId,
      protocolType: 'consumer',
      sessionTimeoutMs: 1_800_000,
      rebalanceTimeoutMs: 60_000,
      protocols: [{ name: 'range', metadata }],
    })
  const first = join('g0')
  await world.env.clock.advance(5000)
  const { memberId } = await first
  let joined = 1
  for (; joined < 1000; joined++) {
    const other = await world.connect()
    other.send(JoinGroup, 3, {
      groupId: `g${joined}`,
      protocolType: 'consumer',
      sessionTimeoutMs: 1_800_000,
      rebalanceTimeoutMs: 60_000,
      protocols: [{ name: 'range', metadata }],
    })
    await world.env.clock.settle()
    if (other.frames.length === 0) continue
    const { errorCode: code } = await other.answer(JoinGroup, 3)
    assert.is(code, errorCode('GROUP_MAX_SIZE_REACHED'))
    break
  }
  assert.ok(joined > 70 && joined < 85, `${joined} groups of 100 kB`)
  const topicNames = Array.from({ length: 20_000 }, (_, n) => `topic-${n}`)
  const heartbeat = await world.call(ConsumerGroupHeartbeat, 1, {
    groupId: 'new',
    memberId: 'm',
    rebalanceTimeoutMs: 1000,
    subscribedTopicNames: topicNames,
    topicPartitions: [],
  })
  assert.is(heartbeat.errorCode, errorCode('GROUP_MAX_SIZE_REACHED'))
  const again = join('g0', memberId)
  await world.env.clock.advance(5000)
  assert.is((await again).errorCode, 0)
  await world.stop()
})

test('offsets end there too; those that are there can be committed anew', async () => {
  const configs = { ...singleNodeConfigs, 'offset.metadata.max.bytes': '40000', ...small }
  const world = await Scenario.start({ topics: ['a:3'], configs })
  await world.call(FindCoordinator, 4, { coordinatorKeys: ['g'] })
  const committedMetadata = 'm'.repeat(32_000)
  const commit = async (groupId: string) => {
    const partitions = Array.from({ length: 3 }, (_, partitionIndex) => ({
      partitionIndex,
      committedOffset: 1,
      committedMetadata,
    }))
    const answer = await world.call(OffsetCommit, 2, {
      groupId,
      topics: [{ name: 'a', partitions }],
    })
    return answer.topics[0]?.partitions.at(-1)?.errorCode
  }
  let count = 0
  while (count < 400 && (await commit(`g${count}`)) === 0) count++
  assert.ok(count > 70 && count < 90, `${count} groups`)
  assert.is(await commit('other'), errorCode('INVALID_COMMIT_OFFSET_SIZE'))
  assert.is(await commit('g0'), 0)
  await world.stop()
})
