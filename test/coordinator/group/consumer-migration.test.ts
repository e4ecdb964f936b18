/** A classic group becomes a consumer group when a new member joins, and back when the last one goes. */

import { KafkaError } from '../../../lib/base/errors.ts'
import { ClassicGroup } from '../../../lib/coordinator/group/classic-group.ts'
import type { JoinAnswer } from '../../../lib/coordinator/group/classic-member.ts'
import {
  heartbeatAnyGroup,
  joinAnyGroup,
  leaveAnyGroup,
  syncAnyGroup,
} from '../../../lib/coordinator/group/consumer-classic.ts'
import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
} from '../../../lib/protocol/consumer-protocol.ts'
import { assert, suite } from '../../support/suite.ts'
import { GroupHarness, shown, topicId } from './consumer-harness.ts'

const test = suite('coordinator/group/consumer-migration')

const client = { clientId: 'c', clientHost: '/1.2.3.4', apiVersion: 3 }

function joinRequest(memberId: string, { instanceId = null as string | null, owned = [0] } = {}) {
  const ownedPartitions = owned.length === 0 ? [] : [{ topic: 'a', partitions: owned }]
  return {
    groupId: 'group',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    memberId,
    groupInstanceId: instanceId,
    protocolType: 'consumer',
    protocols: [
      { name: 'range', metadata: encodeSubscription({ topics: ['a'], ownedPartitions }) },
    ],
    reason: null,
  }
}

function syncRequest(memberId: string, generationId: number) {
  return {
    groupId: 'group',
    generationId,
    memberId,
    groupInstanceId: null,
    protocolType: null,
    protocolName: null,
    assignments: [{ memberId, assignment: assignmentOf([0, 1, 2, 3]) }],
  }
}

const assignmentOf = (partitions: number[]) =>
  encodeAssignment({ assignedPartitions: [{ topic: 'a', partitions }] })

/** A Stable classic group of one member that has all four partitions. */
async function classicGroup(config = {}): Promise<{ harness: GroupHarness; memberId: string }> {
  const harness = new GroupHarness({ config: { 'group.initial.rebalance.delay.ms': 0, ...config } })
  harness.topics({ a: 4 })
  const joining = harness.run((shard) =>
    joinAnyGroup(shard, joinRequest('', { owned: [] }), client),
  )
  await harness.env.clock.advance(1)
  const { memberId = '', generationId = 0 } = (await joining) as JoinAnswer
  await harness.run((shard) => syncAnyGroup(shard, syncRequest(memberId, generationId)))
  assert.is(harness.shard.groups.get('group')?.state, 'Stable')
  return { harness, memberId }
}

const beat = (harness: GroupHarness, memberId: string, generationId: number) => {
  const request = { groupId: 'group', memberId, generationId, groupInstanceId: null }
  try {
    void harness.run((shard) => heartbeatAnyGroup(shard, request))
    return 0
  } catch (error) {
    if (error instanceof KafkaError) return error.code
    throw error
  }
}

const owns = (partitions: number[]) => [{ topicId: topicId('a'), partitions }]

test('upgrade: a new member joins; the old one goes on with its own protocol', async () => {
  const { harness, memberId } = await classicGroup()
  const joined = harness.join('new')
  assert.is(joined.memberEpoch, 2)
  assert.is(shown(joined.assignment), '')
  assert.is(harness.group().members.size, 2)
  assert.is(harness.group().classicMembers, 1)
  assert.is(beat(harness, memberId, 1), 27)
  const again = (await harness.run((shard) =>
    joinAnyGroup(shard, joinRequest(memberId, { owned: [0, 1, 2, 3] }), client),
  )) as JoinAnswer
  assert.is(again.generationId, 1, 'it has to let go first')
  assert.is(again.protocolName, 'range')
  const kept = await harness.run((shard) => syncAnyGroup(shard, syncRequest(memberId, 1)))
  const partitions = decodeAssignment(kept.assignment ?? new Uint8Array()).assignedPartitions
  assert.equal(partitions, [{ topic: 'a', partitions: [0, 1] }])
  assert.is(beat(harness, memberId, 1), 27)
  const third = (await harness.run((shard) =>
    joinAnyGroup(shard, joinRequest(memberId, { owned: [0, 1] }), client),
  )) as JoinAnswer
  assert.is(third.generationId, 2)
  await harness.run((shard) => syncAnyGroup(shard, syncRequest(memberId, 2)))
  assert.is(beat(harness, memberId, 2), 0)
  const after = harness.heartbeat({ memberId: 'new', memberEpoch: 2, topicPartitions: [] })
  assert.is(shown(after.assignment), 'a2 a3')
  assert.is(harness.group().state, 'Stable')
  harness.restart()
  assert.is(harness.group().classicMembers, 1)
  assert.is(beat(harness, memberId, 2), 0)
  await harness.env.clock.advance(10_001)
  assert.equal([...harness.group().members.keys()], ['new'], 'its own, shorter session')
})

test('upgrade: whoever waits in the classic rebalance is sent into the new one', async () => {
  const harness = new GroupHarness({ config: { 'group.initial.rebalance.delay.ms': 3000 } })
  harness.topics({ a: 4 })
  const waiting = harness.run((shard) =>
    joinAnyGroup(shard, joinRequest('', { owned: [] }), client),
  )
  await harness.env.clock.advance(1000)
  assert.is(shown(harness.join('new').assignment), 'a2 a3')
  const { memberId = '', generationId = -1, errorCode = 0 } = (await waiting) as JoinAnswer
  assert.equal([errorCode, generationId], [0, 0])
  let code = 0
  try {
    void harness.run((shard) => syncAnyGroup(shard, syncRequest(memberId, generationId)))
  } catch (error) {
    code = error instanceof KafkaError ? error.code : -1
  }
  assert.is(code, 27)
  const again = (await harness.run((shard) =>
    joinAnyGroup(shard, joinRequest(memberId, { owned: [] }), client),
  )) as JoinAnswer
  const synced = await harness.run((shard) =>
    syncAnyGroup(shard, syncRequest(memberId, again.generationId ?? -1)),
  )
  const { assignedPartitions } = decodeAssignment(synced.assignment ?? new Uint8Array())
  assert.equal(assignedPartitions, [{ topic: 'a', partitions: [0, 1] }])
  await harness.env.clock.advance(20_000)
  assert.is(harness.group().members.size, 1, 'its session of 10 s is over, nothing else came of it')
})

test('downgrade: the last new member leaves, is silent, or comes back as a classic one', async () => {
  const rows: [how: string, run: (harness: GroupHarness) => unknown][] = [
    [
      'leaves',
      (harness) => harness.heartbeat({ memberId: 'new', memberEpoch: -1, instanceId: 'i' }),
    ],
    [
      'replaced',
      (harness) =>
        harness.run((s) => joinAnyGroup(s, joinRequest('', { instanceId: 'i' }), client)),
    ],
  ]
  for (const [how, run] of rows) {
    const { harness, memberId } = await classicGroup()
    harness.join('new', { instanceId: 'i' })
    await run(harness)
    const group = harness.shard.groups.get('group')
    if (!(group instanceof ClassicGroup)) throw new Error(how)
    assert.ok(group.members.has(memberId), how)
    assert.is(group.generationId, 2, how)
    assert.is(group.state, how === 'leaves' ? 'PreparingRebalance' : 'Stable', how)
    assert.is(group.members.size, how === 'leaves' ? 1 : 2, how)
    harness.restart()
    const reloaded = harness.shard.groups.get('group')
    assert.instance(reloaded, ClassicGroup)
    assert.is(reloaded?.state, 'Stable', how)
  }
})

test('downgrade: silence of the last new member', async () => {
  const { harness, memberId } = await classicGroup()
  harness.join('new')
  for (let at = 0; at < 10; at++) {
    await harness.env.clock.advance(5000)
    beat(harness, memberId, 1)
  }
  const group = harness.shard.groups.get('group')
  assert.instance(group, ClassicGroup)
})

test('the policy says which way groups may go', async () => {
  for (const [policy, isUpgraded] of [
    ['disabled', false],
    ['downgrade', false],
    ['upgrade', true],
    ['bidirectional', true],
  ] as const) {
    const { harness } = await classicGroup({ 'group.consumer.migration.policy': policy })
    let code = 0
    try {
      harness.join('new')
    } catch (error) {
      code = error instanceof KafkaError ? error.code : -1
    }
    assert.is(code, isUpgraded ? 0 : 69, policy)
    if (!isUpgraded) continue
    harness.heartbeat({ memberId: 'new', memberEpoch: -1 })
    assert.is(
      harness.shard.groups.get('group')?.type,
      policy === 'upgrade' ? 'consumer' : 'classic',
    )
  }
})

test('an empty group of either kind makes room for the other', async () => {
  const { harness, memberId } = await classicGroup()
  const leaving = { memberId, groupInstanceId: null, reason: null }
  void harness.run((shard) => leaveAnyGroup(shard, { groupId: 'group', members: [leaving] }))
  await harness.env.clock.advance(1)
  assert.is(harness.shard.groups.get('group')?.state, 'Empty')
  assert.is(shown(harness.join('new').assignment), 'a0 a1 a2 a3')
  harness.heartbeat({ memberId: 'new', memberEpoch: -1 })
  assert.is(harness.group().state, 'Empty')
  void harness.run((shard) => joinAnyGroup(shard, joinRequest('', { owned: [] }), client))
  assert.is(harness.shard.groups.get('group')?.type, 'classic')
  harness.restart()
  assert.is(harness.shard.groups.get('group')?.type, 'classic')
})

test('what a classic member may not do in a consumer group', async () => {
  const { harness, memberId } = await classicGroup()
  harness.join('new', { topicPartitions: owns([]).slice(1) })
  assert.is(beat(harness, memberId, 7), 22)
  assert.is(beat(harness, 'nobody', 1), 25)
  assert.is(beat(harness, 'new', 2), 25)
  const other = { ...joinRequest('x'), protocols: [{ name: 'other', metadata: new Uint8Array(2) }] }
  const removed = joinRequest('gone')
  const unknown = joinRequest('', { owned: [] })
  const rows = [
    [other, 3, 23],
    [{ ...joinRequest('x'), protocolType: 'connect' }, 3, 23],
    [removed, 9, 25],
    [unknown, 9, 79],
  ] as const
  for (const [request, apiVersion, expected] of rows) {
    let code: number | undefined
    try {
      const answer = await harness.run((s) => joinAnyGroup(s, request, { ...client, apiVersion }))
      code = answer.errorCode
    } catch (error) {
      if (error instanceof KafkaError) code = error.code
    }
    assert.is(code, expected)
  }
})
