import { errorName, KafkaError } from '../../../lib/base/errors.ts'
import type { BrokerConfig } from '../../../lib/config/broker.ts'
import { describeGroup } from '../../../lib/coordinator/group/classic-describe.ts'
import type { ClassicGroup } from '../../../lib/coordinator/group/classic-group.ts'
import type { JoinAnswer } from '../../../lib/coordinator/group/classic-member.ts'
import { deleteGroup, listGroups } from '../../../lib/coordinator/group/group-admin.ts'
import type { JoinGroupRequest } from '../../../lib/protocol/apis/join-group.ts'
import { GroupMetadata } from '../../../lib/protocol/coordinator/classic-group-records.ts'
import { encodeGroupRecord } from '../../../lib/protocol/coordinator/group-records.ts'
import { assert, suite } from '../../support/suite.ts'
import {
  type Call,
  type ClassicWorld,
  classicWorld,
  subscription,
} from './support/classic-world.ts'

const test = suite('classic group')

const noDelay = { 'group.initial.rebalance.delay.ms': 0 }
const world = (config: Partial<BrokerConfig> = {}) => classicWorld({ ...noDelay, ...config })

/** The answer of a call that was answered. */
function answerOf<R>(call: Call<R>): R {
  if (call.error !== null) throw call.error
  if (call.answer === null) throw new Error('it is not answered yet')
  return call.answer
}

const errorOf = (call: Call<{ errorCode?: number | undefined }>) =>
  errorName(answerOf(call).errorCode ?? 0)
const protocols = (...names: string[]) =>
  names.map((name) => ({ name, metadata: subscription([name]) }))

/** Members in the order of their joins, at the end of the join phase. */
async function joined(
  w: ClassicWorld,
  requests: readonly Partial<JoinGroupRequest>[],
  apiVersion = 3,
): Promise<JoinAnswer[]> {
  const calls = requests.map((request) => w.join(request, apiVersion))
  await w.advance(0)
  return calls.map(answerOf)
}

/** A Stable group in which each member was given its own id. */
async function stable(
  w: ClassicWorld,
  requests: readonly Partial<JoinGroupRequest>[],
): Promise<JoinAnswer[]> {
  const members = await joined(w, requests)
  await synced(w, members)
  return members
}

async function synced(w: ClassicWorld, members: readonly JoinAnswer[]): Promise<void> {
  const own = Object.fromEntries(members.map(({ memberId = '' }) => [memberId, memberId]))
  const calls = members.map((member) =>
    w.sync(member, member.leader === member.memberId ? own : {}),
  )
  await w.advance(0)
  calls.forEach((call, index) => {
    const { errorCode = 0, assignment = [] } = answerOf(call)
    assert.is(errorCode, 0)
    assert.is(Buffer.from(assignment).toString(), members[index]?.memberId)
  })
}

/** Whoever is parked, by member. */
function parked(group: ClassicGroup): string[] {
  return [...group.members.values()]
    .filter(({ parkedJoin, parkedSync }) => parkedJoin !== null || parkedSync !== null)
    .map(({ memberId }) => memberId)
}

test('the first member waits for the initial delay, then leads generation 1', async () => {
  const w = await classicWorld({ 'group.initial.rebalance.delay.ms': 3000 })
  const call = w.join({}, 3)
  await w.advance(2999)
  assert.is(call.answer, null)
  assert.is(w.group().state, 'PreparingRebalance')
  await w.advance(1)
  const answer = answerOf(call)
  assert.is(answer.generationId, 1)
  assert.is(answer.leader, answer.memberId)
  assert.is(answer.protocolName, 'range')
  assert.is(answer.protocolType, 'consumer')
  assert.is(answer.members?.length, 1)
  assert.is(w.group().state, 'CompletingRebalance')
})

test('the initial delay is extended while members come, up to their rebalance time-out', async () => {
  const w = await classicWorld({ 'group.initial.rebalance.delay.ms': 3000 })
  const calls = [w.join({ rebalanceTimeoutMs: 7000 }, 3)]
  for (let second = 0; second < 6; second += 2) {
    await w.advance(2000)
    calls.push(w.join({ rebalanceTimeoutMs: 7000 }, 3))
  }
  await w.advance(999)
  assert.is(w.group().state, 'PreparingRebalance')
  await w.advance(1)
  assert.equal(
    calls.map((call) => answerOf(call).generationId),
    [1, 1, 1, 1],
  )
  assert.is(calls.filter((call) => (answerOf(call).members ?? []).length > 0).length, 1)
})

test('only the leader is told of the members, and gives each its assignment', async () => {
  const w = await world()
  const members = await stable(w, [{}, {}, {}])
  assert.equal(
    members.map((member) => member.members?.length),
    [3, 0, 0],
  )
  assert.is(w.group().state, 'Stable')
  assert.equal(parked(w.group()), [])
})

test('the assignment is handed out when it is committed, not before', async () => {
  const w = await world()
  const [leader = {}, follower = {}] = await joined(w, [{}, {}])
  w.log.commitMs = () => 500
  const waiting = w.sync(follower)
  const bringing = w.sync(leader, { [follower.memberId ?? '']: 'f' })
  await w.advance(499)
  assert.is(waiting.answer, null)
  assert.is(w.group().state, 'CompletingRebalance')
  assert.is(w.commit(follower.memberId ?? '', 1), 'REBALANCE_IN_PROGRESS')
  await w.advance(1)
  assert.is(Buffer.from(answerOf(waiting).assignment ?? []).toString(), 'f')
  assert.is(answerOf(bringing).assignment?.length, 0)
  assert.is(w.group().state, 'Stable')
  assert.is(w.commit(follower.memberId ?? '', 1), 'NONE')
})

test('a member that joins while the assignment is stored: it is not handed out', async () => {
  const w = await world()
  const [leader = {}] = await joined(w, [{}])
  w.log.commitMs = () => 500
  const bringing = w.sync(leader, { [leader.memberId ?? '']: 'all' })
  await w.advance(100)
  const second = w.join({}, 3)
  await w.advance(1000)
  assert.is(errorOf(bringing), 'REBALANCE_IN_PROGRESS')
  assert.is(w.group().state, 'PreparingRebalance')
  const again = w.join({ memberId: leader.memberId ?? '' })
  await w.advance(500)
  assert.is(answerOf(again).generationId, 2)
  assert.is(answerOf(second).generationId, 2)
})

test('a leader that sends its assignment twice has it stored once', async () => {
  const w = await world()
  const [leader = {}] = await joined(w, [{}])
  w.log.commitMs = () => 500
  const first = w.sync(leader, { [leader.memberId ?? '']: 'one' })
  await w.advance(10)
  const second = w.sync(leader, { [leader.memberId ?? '']: 'two' })
  await w.advance(1000)
  assert.is(errorOf(first), 'REBALANCE_IN_PROGRESS')
  assert.is(Buffer.from(answerOf(second).assignment ?? []).toString(), 'one')
})

test('from v4 on a dynamic member is told its id first', async () => {
  const w = await world()
  const first = w.join({}, 4)
  await w.advance(0)
  assert.is(errorOf(first), 'MEMBER_ID_REQUIRED')
  const { memberId = '' } = answerOf(first)
  assert.match(
    memberId,
    /^app-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  assert.is(w.group().state, 'Empty')
  const second = w.join({ memberId }, 4)
  await w.advance(0)
  assert.is(answerOf(second).memberId, memberId)
  assert.is(answerOf(second).generationId, 1)
})

test('a rebalance waits for a pending member, for as long as its session', async () => {
  const w = await world()
  const [leader = {}] = await stable(w, [{}])
  const pending = w.join({ sessionTimeoutMs: 6000 }, 4)
  await w.advance(0)
  assert.is(errorOf(pending), 'MEMBER_ID_REQUIRED')
  const again = w.join({ memberId: leader.memberId ?? '' })
  await w.advance(5999)
  assert.is(again.answer, null)
  await w.advance(1)
  assert.is(answerOf(again).generationId, 2)
  const late = w.join({ memberId: answerOf(pending).memberId ?? '' })
  await w.advance(0)
  assert.is(errorOf(late), 'UNKNOWN_MEMBER_ID')
})

test('a member that is silent for its session is removed, and the others rebalance', async () => {
  const w = await world()
  const [a = {}, b = {}] = await stable(w, [{ sessionTimeoutMs: 6000 }, { sessionTimeoutMs: 6000 }])
  for (let beat = 0; beat < 3; beat++) {
    await w.advance(2000)
    if (beat < 2) assert.is(await w.heartbeat(a), 'NONE')
  }
  assert.is(await w.heartbeat(a), 'REBALANCE_IN_PROGRESS')
  assert.is(await w.heartbeat(b), 'UNKNOWN_MEMBER_ID')
  const again = w.join({ memberId: a.memberId ?? '' })
  await w.advance(0)
  assert.is(answerOf(again).members?.length, 1)
})

test('a commit is a sign of life as good as a heartbeat', async () => {
  const w = await world()
  const [a = {}] = await stable(w, [{ sessionTimeoutMs: 6000 }])
  for (let commits = 0; commits < 4; commits++) {
    await w.advance(5000)
    assert.is(w.commit(a.memberId ?? '', 1), 'NONE')
  }
  assert.is(w.group().members.size, 1)
})

test('a member whose JoinGroup waits does not expire', async () => {
  const w = await world()
  const [a = {}, b = {}] = await stable(w, [
    { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 60_000 },
    { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 60_000 },
  ])
  const again = w.join({ memberId: a.memberId ?? '', sessionTimeoutMs: 6000 })
  await w.advance(25_000)
  assert.is(again.answer, null)
  assert.is(await w.heartbeat(b), 'REBALANCE_IN_PROGRESS')
  const other = w.join({ memberId: b.memberId ?? '' })
  await w.advance(0)
  assert.is(answerOf(again).generationId, 2)
  assert.is(answerOf(other).generationId, 2)
})

test('a new member whose join waits for five minutes is told to come anew', async () => {
  const w = await world()
  const [a = {}] = await stable(w, [{ sessionTimeoutMs: 1_000_000, rebalanceTimeoutMs: 1_000_000 }])
  const newcomer = w.join({ rebalanceTimeoutMs: 1_000_000 }, 3)
  await w.advance(299_999)
  assert.is(newcomer.answer, null)
  await w.advance(1)
  assert.is(errorOf(newcomer), 'UNKNOWN_MEMBER_ID')
  assert.is(w.group().members.size, 1)
  assert.ok(w.group().members.has(a.memberId ?? ''))
})

test('who does not join again within the rebalance time-out is dropped', async () => {
  const w = await world()
  const long = { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 20_000 }
  const [a = {}, b = {}] = await stable(w, [long, long])
  const again = w.join({ memberId: b.memberId ?? '', protocols: protocols('range', 'x') })
  await w.advance(29_999)
  assert.is(again.answer, null)
  await w.advance(1)
  const answer = answerOf(again)
  assert.is(answer.leader, b.memberId)
  assert.is(answer.members?.length, 1)
  assert.is(await w.heartbeat(a), 'UNKNOWN_MEMBER_ID')
})

test('who does not send SyncGroup within the rebalance time-out is dropped', async () => {
  const w = await world()
  const long = { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 20_000 }
  const [a = {}, b = {}] = await joined(w, [long, long])
  const waiting = w.sync(b)
  await w.advance(19_999)
  assert.is(waiting.answer, null)
  await w.advance(1)
  assert.is(errorOf(waiting), 'REBALANCE_IN_PROGRESS')
  assert.equal([...w.group().members.keys()], [b.memberId])
  const again = w.join({ memberId: b.memberId ?? '' })
  await w.advance(0)
  assert.is(answerOf(again).leader, b.memberId)
  assert.is(await w.heartbeat(a), 'UNKNOWN_MEMBER_ID')
})

test('in Stable a join without news is answered at once; of the leader it is a rebalance', async () => {
  const w = await world()
  const [a = {}, b = {}] = await stable(w, [{}, {}])
  const follower = w.join({ memberId: b.memberId ?? '' })
  await w.advance(0)
  assert.is(answerOf(follower).generationId, 1)
  assert.is(w.group().state, 'Stable')
  const leader = w.join({ memberId: a.memberId ?? '' })
  await w.advance(0)
  assert.is(leader.answer, null)
  assert.is(await w.heartbeat(b), 'REBALANCE_IN_PROGRESS')
})

test('a join that is sent again ends the one that waits', async () => {
  const w = await world()
  const [a = {}] = await stable(w, [{}, {}])
  const first = w.join({ memberId: a.memberId ?? '' })
  await w.advance(10)
  const second = w.join({ memberId: a.memberId ?? '' })
  await w.advance(0)
  assert.is(errorOf(first), 'REBALANCE_IN_PROGRESS')
  assert.is(second.answer, null)
  assert.is(w.group().awaitingJoinCount, 1)
})

test('the leader keeps its office when it joins again, whoever comes first', async () => {
  const w = await world()
  const [a = {}, b = {}] = await stable(w, [{}, {}])
  const calls = [
    w.join({}, 3),
    w.join({ memberId: b.memberId ?? '' }),
    w.join({ memberId: a.memberId ?? '' }),
  ]
  await w.advance(0)
  assert.equal(new Set(calls.map((call) => answerOf(call).leader)), new Set([a.memberId]))
})

const votes: readonly [name: string, members: string[][], winner: string][] = [
  ['one member', [['b', 'a']], 'b'],
  [
    'the majority',
    [
      ['a', 'b'],
      ['b', 'a'],
      ['b', 'a'],
    ],
    'b',
  ],
  [
    'only what all support',
    [
      ['a', 'c'],
      ['a', 'c'],
      ['b', 'c'],
    ],
    'c',
  ],
  [
    'the first on a draw',
    [
      ['a', 'b'],
      ['b', 'a'],
    ],
    'a',
  ],
  [
    'a name that comes twice counts once',
    [
      ['a', 'a', 'b'],
      ['b', 'a'],
    ],
    'a',
  ],
]

for (const [name, members, winner] of votes) {
  test(`vote: ${name}`, async () => {
    const w = await world()
    const answers = await joined(
      w,
      members.map((names) => ({ protocols: protocols(...names) })),
    )
    assert.equal(new Set(answers.map(({ protocolName }) => protocolName)), new Set([winner]))
    assert.equal(w.group().subscribedTopics, new Set([winner]))
  })
}

const refusals: readonly [
  name: string,
  before: number,
  request: Partial<JoinGroupRequest>,
  error: string,
][] = [
  ['a member id in a group that is not there', 0, { memberId: 'x' }, 'UNKNOWN_MEMBER_ID'],
  ['a member id that is not known', 1, { memberId: 'x' }, 'UNKNOWN_MEMBER_ID'],
  [
    'an instance that is not known',
    1,
    { memberId: 'x', groupInstanceId: 'i' },
    'UNKNOWN_MEMBER_ID',
  ],
  ['no protocol', 0, { protocols: [] }, 'INCONSISTENT_GROUP_PROTOCOL'],
  ['no protocol type', 0, { protocolType: '' }, 'INCONSISTENT_GROUP_PROTOCOL'],
  ['another protocol type', 1, { protocolType: 'connect' }, 'INCONSISTENT_GROUP_PROTOCOL'],
  ['no common protocol', 1, { protocols: protocols('x') }, 'INCONSISTENT_GROUP_PROTOCOL'],
  ['more members than allowed', 3, {}, 'GROUP_MAX_SIZE_REACHED'],
  [
    'metadata larger than a batch may be',
    0,
    { protocols: [{ name: 'range', metadata: new Uint8Array(1_100_000) }] },
    'MESSAGE_TOO_LARGE',
  ],
]

for (const [name, before, request, error] of refusals) {
  test(`join refused: ${name}`, async () => {
    const w = await world({ 'group.max.size': 3 })
    if (before > 0)
      await stable(
        w,
        Array.from({ length: before }, () => ({})),
      )
    const call = w.join(request, 3)
    await w.advance(0)
    assert.is(errorOf(call), error)
    if (before > 0) assert.is(w.group().members.size, before)
  })
}

test('sync refused: stranger, old generation, other protocol, while it rebalances', async () => {
  const w = await world()
  const [a = {}] = await joined(w, [{}])
  const cases: [Call<{ errorCode?: number | undefined }>, string][] = [
    [w.sync({ memberId: 'x', generationId: 1 }), 'UNKNOWN_MEMBER_ID'],
    [w.sync({ ...a, generationId: 0 }), 'ILLEGAL_GENERATION'],
    [w.sync({ ...a, generationId: 2 }), 'ILLEGAL_GENERATION'],
    [w.sync(a, {}, { protocolType: 'connect' }), 'INCONSISTENT_GROUP_PROTOCOL'],
    [w.sync(a, {}, { protocolName: 'x' }), 'INCONSISTENT_GROUP_PROTOCOL'],
    [w.sync(a, {}, { groupInstanceId: 'i' }), 'UNKNOWN_MEMBER_ID'],
    [w.sync(a, {}, { groupId: 'other' }), 'UNKNOWN_MEMBER_ID'],
  ]
  await w.advance(0)
  for (const [call, error] of cases) assert.is(errorOf(call), error)
  w.join({}, 3)
  await w.advance(0)
  const call = w.sync(a)
  await w.advance(0)
  assert.is(errorOf(call), 'REBALANCE_IN_PROGRESS')
})

test('commits: who may, in which state', async () => {
  const w = await world()
  const [a = {}] = await joined(w, [{}])
  const id = a.memberId ?? ''
  assert.is(w.commit(id, 1), 'REBALANCE_IN_PROGRESS')
  await synced(w, [a])
  const cases: [string, number, string | null, string][] = [
    [id, 1, null, 'NONE'],
    [id, 0, null, 'ILLEGAL_GENERATION'],
    [id, 2, null, 'ILLEGAL_GENERATION'],
    [id, -1, null, 'ILLEGAL_GENERATION'],
    ['x', 1, null, 'UNKNOWN_MEMBER_ID'],
    ['', -1, null, 'UNKNOWN_MEMBER_ID'],
    [id, 1, 'i', 'UNKNOWN_MEMBER_ID'],
  ]
  for (const [member, generation, instance, error] of cases) {
    assert.is(w.commit(member, generation, instance), error, `${member} ${generation}`)
  }
  w.join({}, 3)
  await w.advance(0)
  assert.is(w.group().state, 'PreparingRebalance')
  assert.is(w.commit(id, 1), 'NONE')
  await w.leave([{ memberId: id }]).done
  await w.advance(0)
  assert.is(w.commit('', -1), 'UNKNOWN_MEMBER_ID')
  await w.advance(310_000)
  assert.is(w.group().state, 'Empty')
  assert.is(w.commit('', -1), 'NONE')
  assert.is(w.commit(id, 1), 'UNKNOWN_MEMBER_ID')
})

test('leave: by member id, by instance id, by both, of a pending member, of strangers', async () => {
  const w = await world()
  const [a = {}, b = {}] = await stable(w, [
    {},
    { groupInstanceId: 'b' },
    { groupInstanceId: 'c' },
    {},
  ])
  const pending = w.join({}, 4)
  await w.advance(0)
  const call = w.leave([
    { memberId: a.memberId ?? '' },
    { memberId: a.memberId ?? '' },
    { memberId: 'x', groupInstanceId: 'b' },
    { memberId: b.memberId ?? '', groupInstanceId: 'b' },
    { groupInstanceId: 'c' },
    { groupInstanceId: 'nobody' },
    { memberId: answerOf(pending).memberId ?? '' },
    {},
  ])
  await w.advance(0)
  assert.equal(
    answerOf(call).map(({ errorCode }) => errorName(errorCode)),
    [
      'NONE',
      'UNKNOWN_MEMBER_ID',
      'FENCED_INSTANCE_ID',
      'NONE',
      'NONE',
      'UNKNOWN_MEMBER_ID',
      'NONE',
      'UNKNOWN_MEMBER_ID',
    ],
  )
  assert.is(w.group().members.size, 1)
  assert.is(w.group().state, 'PreparingRebalance')
})

test('a member that is taken out while it waits is told so', async () => {
  const w = await world()
  const [a = {}, b = {}, c = {}] = await stable(w, [{}, { groupInstanceId: 'b' }, {}])
  const waiting = w.join({
    memberId: b.memberId ?? '',
    groupInstanceId: 'b',
    protocols: protocols('range', 'y'),
  })
  await w.advance(0)
  w.leave([{ groupInstanceId: 'b' }])
  await w.advance(0)
  assert.is(errorOf(waiting), 'UNKNOWN_MEMBER_ID')
  const calls = [a, c].map(({ memberId = '' }) => w.join({ memberId }))
  await w.advance(0)
  const sync = w.sync(answerOf(calls[1] ?? w.join({})))
  await w.advance(0)
  w.leave([{ memberId: c.memberId ?? '' }])
  await w.advance(0)
  assert.is(errorOf(sync), 'UNKNOWN_MEMBER_ID')
})

test('the last member leaves: the group is empty, and a restart finds it so', async () => {
  const w = await world()
  const [a = {}] = await stable(w, [{}])
  await w.advance(1234)
  await w.leave([{ memberId: a.memberId ?? '', reason: 'done' }]).done
  const emptySinceMs = w.env.clock.nowMs()
  for (const restarts of [0, 1]) {
    if (restarts === 1) await w.restart()
    const { state, generationId, protocolType, protocolName, leaderId, members } = w.group()
    assert.equal(
      { state, generationId, protocolType, protocolName, leaderId },
      {
        state: 'Empty',
        generationId: 2,
        protocolType: 'consumer',
        protocolName: null,
        leaderId: null,
      },
    )
    assert.is(members.size, 0)
    assert.is(w.group().emptySinceMs, emptySinceMs)
    assert.is(w.group().isSubscribedTo('t'), false)
  }
})

test('static: who comes back without its id takes its place without a rebalance', async () => {
  const w = await world()
  const [a = {}, b = {}] = await stable(w, [{}, { groupInstanceId: 'b' }])
  const back = w.join({ groupInstanceId: 'b' }, 9)
  await w.advance(0)
  const answer = answerOf(back)
  assert.match(answer.memberId ?? '', /^b-/)
  assert.is.not(answer.memberId, b.memberId)
  assert.is(answer.generationId, 1)
  assert.is(answer.leader, a.memberId)
  assert.is(answer.skipAssignment, false)
  assert.is(w.group().state, 'Stable')
  const sync = w.sync(answer, {}, { groupInstanceId: 'b' })
  await w.advance(0)
  assert.is(Buffer.from(answerOf(sync).assignment ?? []).toString(), b.memberId)
  const old = { memberId: b.memberId ?? '', groupInstanceId: 'b' }
  assert.is(await w.heartbeat(b, 'b'), 'FENCED_INSTANCE_ID')
  assert.is(await w.heartbeat(b), 'UNKNOWN_MEMBER_ID')
  assert.is(w.commit(old.memberId, 1, 'b'), 'FENCED_INSTANCE_ID')
  const fenced = [w.join(old), w.sync(b, {}, { groupInstanceId: 'b' })]
  await w.advance(0)
  for (const call of fenced) assert.is(errorOf(call), 'FENCED_INSTANCE_ID')
})

for (const [apiVersion, skipAssignment] of [
  [9, true],
  [8, undefined],
] as const) {
  test(`static: the leader comes back, v${apiVersion}`, async () => {
    const w = await world()
    const [a = {}] = await stable(w, [{ groupInstanceId: 'a' }, {}])
    const back = w.join({ groupInstanceId: 'a' }, apiVersion)
    await w.advance(0)
    const { leader, memberId, members = [], ...answer } = answerOf(back)
    assert.is(answer.skipAssignment, skipAssignment)
    // Before v9 it must not find its own id there, or it would make an assignment.
    assert.is(leader, apiVersion >= 9 ? memberId : a.memberId)
    assert.is(members.length, apiVersion >= 9 ? 2 : 0)
    assert.is(w.group().leaderId, memberId)
  })
}

test('static: back with other protocols of its choice, so that the vote changes: a rebalance', async () => {
  const w = await world()
  await stable(w, [{ groupInstanceId: 'a', protocols: protocols('range', 'sticky') }])
  const back = w.join({ groupInstanceId: 'a', protocols: protocols('sticky', 'range') })
  await w.advance(0)
  assert.is(answerOf(back).generationId, 2)
  assert.is(answerOf(back).protocolName, 'sticky')
})

test('static: back while the leader has the old id in hand: a rebalance', async () => {
  const w = await world()
  const [a = {}, b = {}] = await joined(w, [{}, { groupInstanceId: 'b' }])
  const waiting = w.sync(b, {}, { groupInstanceId: 'b' })
  await w.advance(0)
  const back = w.join({ groupInstanceId: 'b' })
  await w.advance(0)
  assert.is(errorOf(waiting), 'FENCED_INSTANCE_ID')
  assert.is(w.group().state, 'PreparingRebalance')
  const again = w.join({ memberId: a.memberId ?? '' })
  await w.advance(0)
  assert.is(answerOf(again).generationId, 2)
  assert.is(answerOf(back).generationId, 2)
})

test('static: late members are kept until their session ends', async () => {
  const w = await world()
  const long = { sessionTimeoutMs: 50_000, rebalanceTimeoutMs: 20_000 }
  const [a = {}] = await stable(w, [long, { ...long, groupInstanceId: 'b' }])
  const again = w.join({ memberId: a.memberId ?? '', ...long })
  await w.advance(20_000)
  assert.is(answerOf(again).members?.length, 2)
  await synced(w, [answerOf(again)])
  assert.is(w.group().state, 'Stable')
})

test('static: all members are late: their sessions decide', async () => {
  const w = await world()
  const long = { sessionTimeoutMs: 50_000, rebalanceTimeoutMs: 20_000 }
  const [, b = {}] = await stable(w, [{ ...long, groupInstanceId: 'a' }, long])
  w.leave([{ memberId: b.memberId ?? '' }])
  await w.advance(49_999)
  assert.is(w.group().state, 'PreparingRebalance')
  await w.advance(1)
  assert.is(w.group().state, 'Empty')
})

test('static: the new id is not stored: the old one stays', async () => {
  const w = await world()
  const [, b = {}] = await stable(w, [{}, { groupInstanceId: 'b' }])
  w.log.refuses = new KafkaError('KAFKA_STORAGE_ERROR', 'the disk is full')
  const back = w.join({ groupInstanceId: 'b' })
  await w.advance(0)
  assert.is(back.error?.name, 'NOT_COORDINATOR')
  w.log.refuses = null
  assert.is(await w.heartbeat(b, 'b'), 'NONE')
  assert.equal(parked(w.group()), [])
})

test('a restarted broker goes on with a Stable group, and gives each member a new session', async () => {
  const w = await world()
  const [a = {}, b = {}] = await stable(w, [
    { sessionTimeoutMs: 20_000 },
    { groupInstanceId: 'b', sessionTimeoutMs: 20_000, rebalanceTimeoutMs: 40_000 },
  ])
  const before = describeGroup(w.shard, 'g')
  await w.advance(19_000)
  await w.restart()
  assert.equal(describeGroup(w.shard, 'g'), before)
  assert.is(w.group().rebalanceTimeoutMs, 40_000)
  assert.equal(w.group().subscribedTopics, new Set(['t']))
  await w.advance(19_000)
  assert.is(await w.heartbeat(a), 'NONE')
  assert.is(w.commit(b.memberId ?? '', 1, 'b'), 'NONE')
  await w.advance(19_000)
  const sync = w.sync(b, {}, { groupInstanceId: 'b' })
  await w.advance(0)
  assert.is(Buffer.from(answerOf(sync).assignment ?? []).toString(), b.memberId)
  await w.advance(40_000)
  assert.is(w.group().state, 'Empty')
})

test('a group that is loaded with more members than allowed loses the last who come', async () => {
  const w = await world()
  const members = await stable(w, [{}, {}, {}, {}])
  w.config = { ...w.config, 'group.max.size': 2 }
  await w.restart()
  assert.is(await w.heartbeat(members[0] ?? {}), 'REBALANCE_IN_PROGRESS')
  const calls = members.map(({ memberId = '' }) => w.join({ memberId }))
  await w.advance(0)
  assert.equal(calls.map(errorOf), [
    'NONE',
    'NONE',
    'GROUP_MAX_SIZE_REACHED',
    'GROUP_MAX_SIZE_REACHED',
  ])
  assert.is(w.group().members.size, 2)
})

test('the shard is given up: whoever is parked is sent to look for the coordinator', async () => {
  const w = await world()
  const [, b = {}] = await joined(w, [{}, {}])
  const sync = w.sync(b)
  const other = w.join({ groupId: 'h' }, 3)
  const w2 = await classicWorld({ 'group.initial.rebalance.delay.ms': 3000 })
  const join = w2.join({}, 3)
  await w.advance(0)
  await w2.advance(0)
  await w.restart()
  await w2.restart()
  assert.is(errorOf(sync), 'NOT_COORDINATOR')
  assert.is(errorOf(join), 'NOT_COORDINATOR')
  assert.is(errorOf(other), 'NONE')
})

test('an assignment that is too large: everybody is told, the group goes on without it', async () => {
  const w = await world()
  const [a = {}, b = {}] = await joined(w, [{}, {}])
  const waiting = w.sync(b)
  const bringing = w.sync(a, { [a.memberId ?? '']: 'x'.repeat(1_200_000) })
  await w.advance(0)
  assert.is(bringing.error?.name, 'UNKNOWN_SERVER_ERROR')
  assert.is(errorOf(waiting), 'UNKNOWN_SERVER_ERROR')
  assert.is(w.group().state, 'PreparingRebalance')
  const calls = [a, b].map(({ memberId = '' }) => w.join({ memberId }))
  await w.advance(0)
  await synced(w, calls.map(answerOf))
})

test('the log takes nothing: a new group is not kept', async () => {
  const w = await world()
  w.log.refuses = new KafkaError('KAFKA_STORAGE_ERROR', 'the disk is full')
  const call = w.join({}, 3)
  await w.advance(0)
  assert.is(call.error?.name, 'NOT_COORDINATOR')
  assert.is(w.shard.groups.size, 0)
})

test('metadata that is no subscription: the group works, every topic may be read', async () => {
  const w = await world()
  await stable(w, [{ protocols: [{ name: 'range', metadata: Buffer.from('junk') }] }])
  assert.is(w.group().subscribedTopics, null)
  assert.is(w.group().isSubscribedTo('anything'), true)
  await w.restart()
  assert.is(w.group().isSubscribedTo('anything'), true)
})

test('a group that is not of consumers reads no topic', async () => {
  const w = await world()
  await stable(w, [{ protocolType: 'connect' }])
  assert.is(w.group().isSubscribedTo('t'), false)
})

test('describe: metadata once Stable, strangers are Dead', async () => {
  const w = await world()
  const [a = {}] = await joined(w, [{}])
  assert.is(describeGroup(w.shard, 'g').groupState, 'CompletingRebalance')
  assert.is(describeGroup(w.shard, 'g').members?.[0]?.memberMetadata?.length, 0)
  await synced(w, [a])
  assert.equal(describeGroup(w.shard, 'g'), {
    groupId: 'g',
    groupState: 'Stable',
    protocolType: 'consumer',
    protocolData: 'range',
    members: [
      {
        memberId: a.memberId,
        groupInstanceId: null,
        clientId: 'app',
        clientHost: '/127.0.0.1',
        memberMetadata: new Uint8Array(subscription(['t'])),
        memberAssignment: new Uint8Array(Buffer.from(a.memberId ?? '')),
      },
    ],
  })
  const unknown = describeGroup(w.shard, 'x')
  assert.is(unknown.groupState, 'Dead')
  assert.is(errorName(unknown.errorCode ?? 0), 'GROUP_ID_NOT_FOUND')
})

const filters: readonly [states: string[], types: string[], found: number][] = [
  [[], [], 1],
  [['stable'], [], 1],
  [[' STABLE '], ['Classic'], 1],
  [['Empty'], [], 0],
  [[], ['consumer'], 0],
  [['Empty', 'Stable'], ['consumer', 'classic'], 1],
  [[], ['nonsense'], 0],
]

for (const [states, types, found] of filters) {
  test(`list: states [${states}], types [${types}]: ${found}`, async () => {
    const w = await world()
    await stable(w, [{}])
    assert.is(listGroups([w.shard], { states, types }).length, found)
  })
}

test('delete: not while there are members; then a restart knows nothing of it', async () => {
  const w = await world()
  const [a = {}] = await stable(w, [{}])
  const remove = () => w.write((shard) => deleteGroup(shard, 'g'))
  const errorOfRemoval = async () => {
    const call = remove()
    await w.advance(0)
    return call.error?.name ?? 'NONE'
  }
  assert.is(await errorOfRemoval(), 'NON_EMPTY_GROUP')
  await w.leave([{ memberId: a.memberId ?? '' }]).done
  assert.is(await errorOfRemoval(), 'NONE')
  assert.is(await errorOfRemoval(), 'GROUP_ID_NOT_FOUND')
  await w.restart()
  assert.is(w.shard.groups.size, 0)
})

test('ids that nobody uses are bounded', async () => {
  const w = await world()
  const first = w.join({ sessionTimeoutMs: 1_000_000 }, 4)
  for (let count = 0; count < 10_000; count++) w.join({ sessionTimeoutMs: 1_000_000 }, 4)
  await w.advance(0)
  assert.is(w.group().pendingJoins.size, 10_000)
  assert.is(w.group().pendingJoins.has(answerOf(first).memberId ?? ''), false)
})

test('what the members of a group say is bounded', async () => {
  const w = await world()
  const large = [{ name: 'range', metadata: new Uint8Array(1_000_000) }]
  for (let count = 0; count < 8; count++) w.join({ protocols: large }, 3)
  const last = w.join({ protocols: large }, 3)
  await w.advance(0)
  assert.is(errorOf(last), 'GROUP_MAX_SIZE_REACHED')
  assert.is(w.group().members.size, 8)
})

test('a long client id is cut in the ids of members', async () => {
  const w = await world()
  const call = w.join({}, 4, 'x'.repeat(30_000))
  await w.advance(0)
  assert.is(answerOf(call).memberId?.length, 255 + 37)
})

test('a record with a member twice, and an instance twice: the first counts', async () => {
  const w = await world()
  const member = {
    clientId: 'app',
    clientHost: '/127.0.0.1',
    rebalanceTimeout: -1,
    sessionTimeout: 10_000,
    subscription: subscription(['t']),
    assignment: new Uint8Array(0),
  }
  const value = {
    protocolType: 'consumer',
    generation: 7,
    protocol: 'range',
    leader: 'gone',
    members: [
      { ...member, memberId: 'a' },
      { ...member, memberId: 'a', sessionTimeout: 1 },
      { ...member, memberId: 'b', groupInstanceId: 'i' },
      { ...member, memberId: 'c', groupInstanceId: 'i' },
      { ...member, memberId: 'd' },
    ],
  }
  const record = encodeGroupRecord(GroupMetadata, { group: 'g' }, value)
  await w.write(() => ({ records: [record], response: undefined })).done
  await w.restart()
  assert.equal([...w.group().members.keys()], ['a', 'b', 'd'])
  assert.is(w.group().members.get('a')?.rebalanceTimeoutMs, 10_000)
  await w.advance(60_000)
  assert.is(w.group().state, 'Empty')
  assert.equal(w.fatal, [])
})
