import { errorName } from '../../lib/base/errors.ts'
import { singleNodeConfigs } from '../../lib/config/broker-groups.ts'
import { DeleteGroups } from '../../lib/protocol/apis/delete-groups.ts'
import { DescribeGroups } from '../../lib/protocol/apis/describe-groups.ts'
import { FindCoordinator } from '../../lib/protocol/apis/find-coordinator.ts'
import { Heartbeat } from '../../lib/protocol/apis/heartbeat.ts'
import { JoinGroup, type JoinGroupRequest } from '../../lib/protocol/apis/join-group.ts'
import { LeaveGroup } from '../../lib/protocol/apis/leave-group.ts'
import { ListGroups } from '../../lib/protocol/apis/list-groups.ts'
import { SyncGroup } from '../../lib/protocol/apis/sync-group.ts'
import type { Encodable } from '../../lib/protocol/schema.ts'
import { assert, suite } from '../support/suite.ts'
import { Scenario } from './support/scenario.ts'

const test = suite('classic groups')

const configs = {
  ...singleNodeConfigs,
  'offsets.topic.num.partitions': '2',
  'group.initial.rebalance.delay.ms': '0',
}
const metadata = Buffer.from('what it wants')
const assignment = Buffer.from('what it got')
const protocol = { protocolType: 'consumer', protocolName: 'range' }

async function started(): Promise<Scenario> {
  const world = await Scenario.start({ topics: ['t:1'], configs })
  await world.until(world.call(FindCoordinator, 4, { coordinatorKeys: ['g'] }))
  return world
}

function join(world: Scenario, version: number, request: Encodable<JoinGroupRequest> = {}) {
  const asked = world.call(JoinGroup, version, {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    ...(version >= 1 && { rebalanceTimeoutMs: 20_000 }),
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
    ...request,
  })
  return world.until(asked)
}

/** The life of a member, with each API in the version of the same age, or its newest. */
for (let version = 0; version <= 9; version++) {
  test(`a member's life, JoinGroup v${version}`, async () => {
    const world = await started()
    const at = (newest: number) => Math.min(version, newest)
    const first = await join(world, version)
    const isIdFirst = errorName(first.errorCode) === 'MEMBER_ID_REQUIRED'
    assert.is(isIdFirst, version >= 4)
    const joined = isIdFirst ? await join(world, version, { memberId: first.memberId }) : first
    const { memberId, generationId } = joined
    assert.is(joined.errorCode, 0)
    assert.is(joined.leader, memberId)
    assert.is(joined.protocolName, 'range')
    assert.is(joined.protocolType, version >= 7 ? 'consumer' : null)
    assert.equal(
      joined.members.map(({ metadata: own }) => Buffer.from(own)),
      [metadata],
    )

    const identity = { groupId: 'g', memberId, generationId }
    const synced = await world.call(SyncGroup, at(5), {
      ...identity,
      assignments: [{ memberId, assignment }],
      ...(at(5) >= 5 && protocol),
    })
    assert.is(synced.errorCode, 0)
    assert.equal(Buffer.from(synced.assignment), assignment)
    assert.is(synced.protocolName, at(5) >= 5 ? 'range' : null)

    assert.is((await world.call(Heartbeat, at(4), identity)).errorCode, 0)

    const { groups } = await world.call(DescribeGroups, at(6), { groups: ['g', 'x'] })
    assert.equal(
      groups.map(({ groupState, errorCode }) => [groupState, errorName(errorCode)]),
      [
        ['Stable', 'NONE'],
        ['Dead', at(6) >= 6 ? 'GROUP_ID_NOT_FOUND' : 'NONE'],
      ],
    )
    assert.is(groups[0]?.members[0]?.clientHost, '/127.0.0.1')
    assert.equal(Buffer.from(groups[0]?.members[0]?.memberAssignment ?? []), assignment)

    const listed = await world.call(ListGroups, at(5), {})
    assert.equal(listed.groups, [
      {
        groupId: 'g',
        protocolType: 'consumer',
        groupState: at(5) >= 4 ? 'Stable' : '',
        groupType: at(5) >= 5 ? 'classic' : '',
      },
    ])

    const removed = async () =>
      (await world.call(DeleteGroups, at(2), { groupsNames: ['g', 'g'] })).results.map(
        ({ errorCode }) => errorName(errorCode),
      )
    assert.equal(await removed(), ['NON_EMPTY_GROUP'])
    const leaving = at(5) >= 3 ? { members: [{ memberId }] } : { memberId }
    const left = await world.call(LeaveGroup, at(5), { groupId: 'g', ...leaving })
    assert.is(left.errorCode, 0)
    assert.equal(
      left.members.map(({ errorCode }) => errorCode),
      at(5) >= 3 ? [0] : [],
    )
    assert.equal(await removed(), ['NONE'])
    assert.equal(await removed(), ['GROUP_ID_NOT_FOUND'])
    await world.stop()
  })
}

const refusals: readonly [
  name: string,
  version: number,
  request: Encodable<JoinGroupRequest>,
  error: string,
][] = [
  ['no group id', 9, { groupId: '', memberId: 'x' }, 'INVALID_GROUP_ID'],
  ['a short session', 9, { sessionTimeoutMs: 5999 }, 'INVALID_SESSION_TIMEOUT'],
  ['a long session', 0, { sessionTimeoutMs: 1_800_001 }, 'INVALID_SESSION_TIMEOUT'],
  ['a stranger', 9, { memberId: 'x' }, 'UNKNOWN_MEMBER_ID'],
]

for (const [name, version, request, error] of refusals) {
  test(`join v${version} refused: ${name}`, async () => {
    const world = await started()
    const answer = await join(world, version, request)
    assert.is(errorName(answer.errorCode), error)
    assert.is(answer.memberId, request.memberId ?? '')
    assert.is(answer.protocolName, version >= 7 ? null : '')
    await world.stop()
  })
}

test('SyncGroup v5 has to name the protocol', async () => {
  const world = await started()
  const request = { groupId: 'g', memberId: 'x', generationId: 1 }
  const answer = await world.call(SyncGroup, 5, request)
  assert.is(errorName(answer.errorCode), 'INCONSISTENT_GROUP_PROTOCOL')
  await world.stop()
})

for (const version of [0, 2, 3, 5]) {
  test(`LeaveGroup v${version} of a group that is not there: an error per member, if it can`, async () => {
    const world = await started()
    const leaving = version >= 3 ? { members: [{ memberId: 'x' }] } : { memberId: 'x' }
    const answer = await world.call(LeaveGroup, version, { groupId: 'x', ...leaving })
    const codes = [answer.errorCode, ...answer.members.map(({ errorCode }) => errorCode)]
    const unknown = ['UNKNOWN_MEMBER_ID']
    assert.equal(codes.map(errorName), version >= 3 ? ['NONE', ...unknown] : unknown)
    await world.stop()
  })
}

test('a broker that stops does not leave a join or a sync waiting', async () => {
  const world = await started()
  const [a, b] = await Promise.all([join(world, 3), join(world, 3)])
  const follower = a.leader === a.memberId ? b : a
  const { memberId, generationId } = follower
  const client = await world.connect()
  const waiting = client.call(SyncGroup, 3, { groupId: 'g', memberId, generationId })
  await world.env.clock.settle()
  const ended = waiting.then(
    ({ errorCode }) => errorName(errorCode),
    () => 'closed',
  )
  await world.stop()
  assert.ok(['NOT_COORDINATOR', 'closed'].includes(await ended))
})

test('a broker that starts again goes on with the group', async () => {
  const world = await started()
  const { memberId, generationId } = await join(world, 3)
  const identity = { groupId: 'g', memberId, generationId }
  const assignments = [{ memberId, assignment }]
  await world.call(SyncGroup, 3, { ...identity, assignments })
  await world.restart()
  await world.env.clock.advance(1000)
  assert.is((await world.call(Heartbeat, 3, identity)).errorCode, 0)
  const again = await world.call(SyncGroup, 3, identity)
  assert.equal(Buffer.from(again.assignment), assignment)
  await world.stop()
})
