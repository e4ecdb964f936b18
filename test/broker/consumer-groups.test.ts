/** Consumer groups over the wire: heartbeats, descriptions, commits, settings, and restarts. */

import { errorName } from '../../lib/base/errors.ts'
import { singleNodeConfigs } from '../../lib/config/broker-groups.ts'
import { loadRegexEngine } from '../../lib/coordinator/group/consumer-regex.ts'
import {
  ConsumerGroupDescribe,
  type ConsumerGroupDescribeResponse,
} from '../../lib/protocol/apis/consumer-group-describe.ts'
import {
  ConsumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
} from '../../lib/protocol/apis/consumer-group-heartbeat.ts'
import { CreatePartitions } from '../../lib/protocol/apis/create-partitions.ts'
import { DescribeConfigs } from '../../lib/protocol/apis/describe-configs.ts'
import { FindCoordinator } from '../../lib/protocol/apis/find-coordinator.ts'
import { IncrementalAlterConfigs } from '../../lib/protocol/apis/incremental-alter-configs.ts'
import { ListGroups } from '../../lib/protocol/apis/list-groups.ts'
import { OffsetCommit } from '../../lib/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../lib/protocol/apis/offset-fetch.ts'
import { assert, suite } from '../support/suite.ts'
import { Scenario } from './support/scenario.ts'

// Importing it takes time that the clock of these brokers does not see.
await loadRegexEngine()

const test = suite('consumer groups')

const configs = { ...singleNodeConfigs, 'offsets.topic.num.partitions': '3' }

async function started(extra: Record<string, string> = {}): Promise<Scenario> {
  const topics = ['a:3', 'ab:1']
  const world = await Scenario.start({ topics, configs: { ...configs, ...extra } })
  await world.call(FindCoordinator, 4, { coordinatorKeys: ['g'] })
  return world
}

const joining = { rebalanceTimeoutMs: 60_000, topicPartitions: [] }

async function beat(world: Scenario, request: Partial<ConsumerGroupHeartbeatRequest>, version = 1) {
  const answer = await world.call(ConsumerGroupHeartbeat, version, {
    groupId: 'g',
    memberId: 'm',
    ...request,
  })
  const assigned = answer.assignment?.topicPartitions.map(({ partitions }) => partitions) ?? null
  return { ...answer, error: errorName(answer.errorCode), assigned }
}

async function describe(world: Scenario, groupId = 'g', version = 1) {
  const answer = await world.call(ConsumerGroupDescribe, version, { groupIds: [groupId] })
  const [group] = answer.groups
  if (group === undefined) throw new Error('no group was described')
  return group
}

const topicsOf = (group: ConsumerGroupDescribeResponse['groups'][number]) =>
  group.members.map(({ assignment }) =>
    assignment.topicPartitions.map(({ topicName, partitions }) => `${topicName}:${partitions}`),
  )

test('a member joins, is described, and is there after a restart', async () => {
  const world = await started()
  const joined = await beat(world, { ...joining, subscribedTopicNames: ['a'], rackId: 'r' })
  assert.is(joined.error, 'NONE', joined.errorMessage ?? '')
  assert.is(joined.memberEpoch, 2)
  assert.equal(joined.assigned, [[0, 1, 2]])
  for (const round of ['before', 'after']) {
    const group = await describe(world)
    assert.is(group.groupState, 'Stable', round)
    assert.is(group.assignorName, 'uniform')
    assert.equal([group.groupEpoch, group.assignmentEpoch], [2, 2])
    assert.equal(topicsOf(group), [['a:0,1,2']])
    assert.is(group.members[0]?.rackId, 'r')
    assert.is(group.members[0]?.memberType, 1)
    assert.equal(group.members[0]?.subscribedTopicNames, ['a'])
    const again = await beat(world, { memberEpoch: 2 })
    assert.equal([again.error, again.assigned], ['NONE', null])
    await world.restart()
  }
  const listed = await world.call(ListGroups, 5, {})
  assert.equal(
    listed.groups.map((one) => [one.groupId, one.groupType, one.groupState, one.protocolType]),
    [['g', 'consumer', 'Stable', 'consumer']],
  )
  await world.stop()
})

test('new partitions reach the members by their next heartbeat', async () => {
  const world = await started()
  await beat(world, { ...joining, subscribedTopicNames: ['a'] })
  await world.call(CreatePartitions, 3, {
    topics: [{ name: 'a', count: 5, assignments: null }],
    timeoutMs: 1000,
  })
  const grown = await beat(world, { memberEpoch: 2 })
  assert.is(grown.memberEpoch, 3)
  assert.equal(grown.assigned, [[0, 1, 2, 3, 4]])
  await world.stop()
})

test('subscriptions by expression, and the version that does not know them', async () => {
  const world = await started()
  const joined = await beat(world, { ...joining, subscribedTopicRegex: 'a+b?' })
  assert.equal(joined.assigned?.map((one) => one.length).sort(), [1, 3])
  const bad = await beat(world, { ...joining, memberId: 'n', subscribedTopicRegex: '[' })
  assert.is(bad.error, 'INVALID_REGULAR_EXPRESSION')
  const group = await describe(world)
  assert.is(group.members[0]?.subscribedTopicRegex, 'a+b?')
  const v0 = await beat(world, { ...joining, memberId: '', subscribedTopicNames: ['a'] }, 0)
  assert.is(v0.error, 'NONE')
  assert.match(v0.memberId ?? '', /^.{22}$/)
  await world.stop()
})

test('commits and reads are checked by member epoch', async () => {
  const world = await started()
  await beat(world, { ...joining, subscribedTopicNames: ['a'] })
  await beat(world, { ...joining, memberId: 'n', subscribedTopicNames: ['a', 'ab'] })
  const commit = async (memberId: string, epoch: number, version = 9) => {
    const { topics } = await world.call(OffsetCommit, version, {
      groupId: 'g',
      memberId,
      generationIdOrMemberEpoch: epoch,
      topics: [{ name: 'a', partitions: [{ partitionIndex: 0, committedOffset: 5 }] }],
    })
    return errorName(topics[0]?.partitions[0]?.errorCode ?? 0)
  }
  const read = async (memberId: string | null, memberEpoch: number) => {
    const { groups } = await world.call(OffsetFetch, 9, {
      groups: [{ groupId: 'g', memberId, memberEpoch, topics: null }],
    })
    return errorName(groups[0]?.errorCode ?? 0)
  }
  assert.is(await commit('m', 2), 'NONE')
  assert.is(await commit('m', 3), 'STALE_MEMBER_EPOCH')
  assert.is(await commit('x', 1), 'UNKNOWN_MEMBER_ID')
  assert.is(await commit('m', 2, 8), 'UNSUPPORTED_VERSION')
  assert.is(await commit('', -1), 'UNKNOWN_MEMBER_ID', 'nobody may commit for a group with members')
  assert.is(await read('m', 2), 'NONE')
  assert.is(await read('m', 7), 'STALE_MEMBER_EPOCH')
  assert.is(await read('x', 1), 'UNKNOWN_MEMBER_ID')
  assert.is(await read(null, -1), 'NONE')
  const topicId = await world.topicId('a')
  const moved = await beat(world, {
    memberEpoch: 2,
    topicPartitions: [{ topicId, partitions: [0] }],
  })
  assert.is(moved.memberEpoch, 3)
  assert.is(await commit('m', 2), 'NONE', 'the partition was its own all the time')
  assert.is(await commit('n', 2), 'STALE_MEMBER_EPOCH', 'the partition was never its own')
  for (const memberId of ['m', 'n']) await beat(world, { memberId, memberEpoch: -1 })
  assert.is(await commit('', -1), 'NONE')
  await world.stop()
})

test('groups of another kind or none', async () => {
  const world = await started()
  assert.is(errorName((await describe(world)).errorCode), 'GROUP_ID_NOT_FOUND')
  assert.is((await beat(world, { memberEpoch: 3 })).error, 'GROUP_ID_NOT_FOUND')
  assert.is((await beat(world, { groupId: '' })).error, 'INVALID_REQUEST')
  await world.stop()
  const classic = await started({ 'group.coordinator.rebalance.protocols': 'classic' })
  const refused = await beat(classic, { ...joining, subscribedTopicNames: ['a'] })
  assert.is(refused.error, 'UNSUPPORTED_VERSION')
  await classic.stop()
})

test('settings of a group hold in place of the broker’s', async () => {
  const world = await started()
  const alter = async (name: string, value: string | null, groupId = 'g') => {
    const configOperation = value === null ? 1 : 0
    const { responses } = await world.call(IncrementalAlterConfigs, 1, {
      resources: [
        { resourceType: 32, resourceName: groupId, configs: [{ name, configOperation, value }] },
      ],
    })
    return errorName(responses[0]?.errorCode ?? 0)
  }
  const interval = 'consumer.heartbeat.interval.ms'
  assert.is(await alter(interval, '7000'), 'NONE')
  assert.is(await alter(interval, '1'), 'INVALID_CONFIG')
  assert.is(await alter(interval, 'x'), 'INVALID_CONFIG')
  assert.is(await alter('retention.ms', '1'), 'INVALID_CONFIG')
  assert.is(await alter(interval, '7000', ''), 'INVALID_REQUEST')
  assert.is(await alter(interval, '8000', 'a/b %'), 'NONE')
  await world.restart()
  const joined = await beat(world, { ...joining, subscribedTopicNames: ['a'] })
  assert.is(joined.heartbeatIntervalMs, 7000)
  const shown = async (resourceName: string) => {
    const { results } = await world.call(DescribeConfigs, 4, {
      resources: [{ resourceType: 32, resourceName, configurationKeys: null }],
      includeSynonyms: true,
    })
    return results[0]?.configs.map((one) => [one.name, one.value, one.configSource])
  }
  const session = ['consumer.session.timeout.ms', '45000', 5]
  assert.equal(await shown('g'), [session, [interval, '7000', 8]])
  assert.equal(await shown('a/b %'), [session, [interval, '8000', 8]])
  assert.is(await alter(interval, null), 'NONE')
  assert.equal(await shown('g'), [session, [interval, '5000', 5]])
  await world.stop()
})
