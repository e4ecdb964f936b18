/** Members of a consumer group join, report, leave and are lost, one request after the other. */

import { KafkaError } from '../../../lib/base/errors.ts'
import { assert, suite } from '../../support/suite.ts'
import { GroupHarness, shown, topicId } from './consumer-harness.ts'

const test = suite('coordinator/group/consumer-heartbeat')

const owns = (text: string) =>
  text
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => ({ topicId: topicId(one.slice(0, 1)), partitions: [Number(one.slice(1))] }))

function codeOf(fn: () => unknown): number {
  try {
    fn()
  } catch (error) {
    if (error instanceof KafkaError) return error.code
    throw error
  }
  return 0
}

test('a first member gets everything at once, and later answers say nothing new', () => {
  const harness = new GroupHarness()
  harness.topics({ a: 3 })
  const joined = harness.join('m1')
  assert.is(joined.memberEpoch, 2)
  assert.is(joined.heartbeatIntervalMs, 5000)
  assert.is(shown(joined.assignment), 'a0 a1 a2')
  const next = harness.heartbeat({
    memberId: 'm1',
    memberEpoch: 2,
    topicPartitions: owns('a0 a1 a2'),
  })
  assert.is(shown(next.assignment), '-')
  assert.is(next.memberEpoch, 2)
  assert.is(harness.group().state, 'Stable')
  const written = harness.records.length
  harness.heartbeat({ memberId: 'm1', memberEpoch: 2 })
  assert.is(harness.records.length, written, 'a heartbeat without news writes nothing')
})

test('a partition goes to its new owner only after the old one has let go', () => {
  const harness = new GroupHarness()
  harness.topics({ a: 4 })
  harness.join('m1')
  const second = harness.join('m2')
  assert.is(second.memberEpoch, 3)
  assert.is(shown(second.assignment), '')
  const first = harness.heartbeat({
    memberId: 'm1',
    memberEpoch: 2,
    topicPartitions: owns('a0 a1 a2 a3'),
  })
  assert.is(first.memberEpoch, 2, 'stays at its epoch until it has let go')
  assert.is(shown(first.assignment), 'a0 a1')
  assert.is(harness.group().state, 'Reconciling')
  assert.is(shown(harness.heartbeat({ memberId: 'm2', memberEpoch: 3 }).assignment), '-')
  const letGo = harness.heartbeat({
    memberId: 'm1',
    memberEpoch: 2,
    topicPartitions: owns('a0 a1'),
  })
  assert.is(letGo.memberEpoch, 3)
  assert.is(shown(harness.heartbeat({ memberId: 'm2', memberEpoch: 3 }).assignment), 'a2 a3')
  assert.is(harness.group().state, 'Stable')
})

test('a repeated or overtaken heartbeat is taken when the member can have missed an answer', () => {
  const harness = new GroupHarness()
  harness.topics({ a: 2 })
  harness.join('m1')
  harness.topics({ a: 4 })
  const grown = harness.heartbeat({
    memberId: 'm1',
    memberEpoch: 2,
    topicPartitions: owns('a0 a1'),
  })
  assert.is(grown.memberEpoch, 3)
  assert.is(shown(grown.assignment), 'a0 a1 a2 a3')
  const again = harness.heartbeat({
    memberId: 'm1',
    memberEpoch: 2,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: ['a'],
    topicPartitions: owns('a0 a1'),
  })
  assert.is(again.memberEpoch, 3)
  assert.is(shown(again.assignment), 'a0 a1 a2 a3')
  const rows: [epoch: number, owned: string | null, code: number][] = [
    [2, null, 110],
    [2, 'b0', 110],
    [4, 'a0', 110],
    [3, 'a0', 0],
  ]
  for (const [memberEpoch, owned, code] of rows) {
    const topicPartitions = owned === null ? null : owns(owned)
    const got = codeOf(() => harness.heartbeat({ memberId: 'm1', memberEpoch, topicPartitions }))
    assert.is(got, code, `epoch ${memberEpoch} with ${owned}`)
  }
})

test('requests that are wrong in themselves', () => {
  const harness = new GroupHarness()
  harness.topics({ a: 1 })
  harness.join('m1')
  const rows: [what: string, run: () => unknown, code: number][] = [
    ['no member id', () => harness.join(''), 42],
    ['no rebalance timeout', () => harness.join('x', { rebalanceTimeoutMs: -1 }), 42],
    ['partitions in hand', () => harness.join('x', { topicPartitions: owns('a0') }), 42],
    ['partitions not said', () => harness.join('x', { topicPartitions: null }), 42],
    ['no subscription', () => harness.join('x', { subscribedTopicNames: null }), 42],
    ['epoch -3', () => harness.heartbeat({ memberId: 'm1', memberEpoch: -3 }), 42],
    ['-2 without an instance', () => harness.heartbeat({ memberId: 'm1', memberEpoch: -2 }), 42],
    ['empty instance', () => harness.join('x', { instanceId: '' }), 42],
    ['empty rack', () => harness.join('x', { rackId: '' }), 42],
    ['assignor', () => harness.join('x', { serverAssignor: 'sticky' }), 112],
    [
      'no such group',
      () => harness.heartbeat({ memberId: 'm1', memberEpoch: 2, groupId: 'other' }),
      69,
    ],
    ['no such member', () => harness.heartbeat({ memberId: 'm9', memberEpoch: 2 }), 25],
    ['leave of nobody', () => harness.heartbeat({ memberId: 'm9', memberEpoch: -1 }), 25],
    ['expression', () => harness.join('x', { subscribedTopicRegex: '(' }), 128],
  ]
  const written = harness.records.length
  for (const [what, run, code] of rows) assert.is(codeOf(run), code, what)
  assert.is(harness.records.length, written)
  const old = harness.heartbeat(
    { memberId: '', rebalanceTimeoutMs: 1, subscribedTopicNames: ['a'], topicPartitions: [] },
    0,
  )
  assert.match(old.memberId ?? '', /^[A-Za-z0-9_-]{22}$/)
})

test('a group that is full takes no one, but its members may come back', () => {
  const harness = new GroupHarness({ config: { 'group.consumer.max.size': 1 } })
  harness.topics({ a: 1 })
  harness.join('m1')
  assert.is(
    codeOf(() => harness.join('m2')),
    81,
  )
  assert.is(shown(harness.join('m1').assignment), 'a0')
})

test('leaving, silence, and slowness free the partitions', async () => {
  const harness = new GroupHarness()
  harness.topics({ a: 3 })
  for (const memberId of ['m1', 'm2', 'm3']) harness.join(memberId)
  const epoch = harness.group().groupEpoch
  assert.is(harness.heartbeat({ memberId: 'm3', memberEpoch: -1 }).memberEpoch, -1)
  assert.is(harness.group().groupEpoch, epoch + 1)
  harness.heartbeat({ memberId: 'm1', memberEpoch: 2, topicPartitions: owns('a0 a1 a2') })
  await harness.env.clock.advance(44_000)
  harness.heartbeat({ memberId: 'm1', memberEpoch: 2, topicPartitions: owns('a0 a1 a2') })
  await harness.env.clock.advance(2000)
  assert.equal([...harness.group().members.keys()], ['m1'], 'm2 was silent')
  harness.heartbeat({ memberId: 'm1', memberEpoch: 2, topicPartitions: owns('a0 a1 a2') })
  await harness.env.clock.advance(44_000)
  assert.is(harness.group().members.size, 0, 'm1 did not give up its partitions in 60 s')
  assert.is(harness.group().state, 'Empty')
})

test('a static member leaves, comes back under a new id, and finds its partitions', () => {
  const harness = new GroupHarness()
  harness.topics({ a: 4 })
  harness.join('m1', { instanceId: 'i1' })
  harness.join('m2', { instanceId: 'i2' })
  harness.heartbeat({
    memberId: 'm1',
    memberEpoch: 2,
    instanceId: 'i1',
    topicPartitions: owns('a0 a1 a2 a3'),
  })
  harness.heartbeat({
    memberId: 'm1',
    memberEpoch: 2,
    instanceId: 'i1',
    topicPartitions: owns('a0 a1'),
  })
  assert.is(
    codeOf(() => harness.join('m3', { instanceId: 'i1' })),
    111,
  )
  const epoch = harness.group().groupEpoch
  const left = harness.heartbeat({ memberId: 'm1', memberEpoch: -2, instanceId: 'i1' })
  assert.is(left.memberEpoch, -2)
  const back = harness.join('m3', { instanceId: 'i1' })
  assert.is(shown(back.assignment), 'a0 a1')
  assert.is(back.memberEpoch, epoch)
  assert.is(harness.group().groupEpoch, epoch, 'no rebalance')
  assert.is(
    codeOf(() => harness.heartbeat({ memberId: 'm1', memberEpoch: 3, instanceId: 'i1' })),
    82,
  )
  assert.is(
    codeOf(() => harness.heartbeat({ memberId: 'm1', memberEpoch: 3 })),
    25,
  )
  assert.equal([...harness.group().members.keys()].sort(), ['m2', 'm3'])
})

test('subscriptions by expression follow the topics', async () => {
  const harness = new GroupHarness()
  harness.topics({ aa: 1, ab: 1, b: 1 })
  const joined = harness.join('m1', { subscribedTopicRegex: 'a.*' })
  assert.is(shown(joined.assignment), 'aa0 ab0')
  harness.topics({ ac: 1 })
  const soon = harness.heartbeat({ memberId: 'm1', memberEpoch: joined.memberEpoch })
  assert.is(shown(soon.assignment), '-', 'looked at again after ten seconds')
  await harness.env.clock.advance(10_001)
  const later = harness.heartbeat({ memberId: 'm1', memberEpoch: joined.memberEpoch })
  assert.is(shown(later.assignment), 'aa0 ab0 ac0')
  harness.heartbeat({ memberId: 'm1', memberEpoch: -1 })
  assert.is(harness.group().resolvedRegexes.size, 0)
})

test('what is no longer read is taken away at once', () => {
  const harness = new GroupHarness()
  harness.topics({ a: 1, b: 1 })
  const { memberEpoch } = harness.join('m1', { subscribedTopicNames: ['a', 'b'] })
  const after = harness.heartbeat({
    memberId: 'm1',
    memberEpoch,
    subscribedTopicNames: ['b'],
    topicPartitions: owns('a0 b0'),
  })
  assert.is(shown(after.assignment), 'b0')
  harness.topics({ b: 0 })
  const gone = harness.heartbeat({
    memberId: 'm1',
    memberEpoch: after.memberEpoch,
    topicPartitions: owns('b0'),
  })
  assert.is(shown(gone.assignment), '')
})

test('a restart keeps epochs, assignments, and time-outs', async () => {
  const harness = new GroupHarness()
  harness.topics({ a: 4 })
  harness.join('m1')
  harness.join('m2', { instanceId: 'i', subscribedTopicRegex: 'a' })
  harness.heartbeat({ memberId: 'm1', memberEpoch: 2, topicPartitions: owns('a0 a1 a2 a3') })
  const before = harness.group()
  harness.restart()
  const after = harness.group()
  assert.equal([...after.members], [...before.members])
  assert.equal([...after.targets], [...before.targets])
  assert.equal([...after.resolvedRegexes], [...before.resolvedRegexes])
  assert.equal([...after.staticMembers], [...before.staticMembers])
  assert.is(after.groupEpoch, before.groupEpoch)
  assert.is(after.assignmentEpoch, before.assignmentEpoch)
  assert.is(after.metadataHash, before.metadataHash)
  assert.is(after.state, before.state)
  harness.heartbeat({ memberId: 'm1', memberEpoch: 2, topicPartitions: owns('a0 a1') })
  const two = harness.heartbeat({ memberId: 'm2', memberEpoch: 3, instanceId: 'i' })
  assert.is(shown(two.assignment), 'a2 a3')
  await harness.env.clock.advance(46_000)
  assert.is(harness.group().members.size, 0)
})
