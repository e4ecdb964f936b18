/** Groups of the new protocol (KIP-848), and members of both kinds in one group. */

import { ConsumerGroupDescribe } from '../../../lib/protocol/apis/consumer-group-describe.ts'
import {
  ConsumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../../lib/protocol/apis/consumer-group-heartbeat.ts'
import { DescribeGroups } from '../../../lib/protocol/apis/describe-groups.ts'
import { ListGroups } from '../../../lib/protocol/apis/list-groups.ts'
import { OffsetCommit } from '../../../lib/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../../lib/protocol/apis/offset-fetch.ts'
import type { Encodable } from '../../../lib/protocol/schema.ts'
import { commit, join, loaded, stable, subscription } from './group-setup.ts'
import type { Peer } from './peer.ts'
import { accept, type RowOptions, rowsOf, type Section } from './row.ts'

const beating = rowsOf(ConsumerGroupHeartbeat)
const describing = rowsOf(ConsumerGroupDescribe)
const topicName = 'group-topic'
type Beat = Encodable<ConsumerGroupHeartbeatRequest>

async function prepare(peer: Peer): Promise<void> {
  await peer.ensure(topicName, { partitions: 2 })
  await peer.ensure('group-other')
  await loaded(peer)
}

/** The first heartbeat of a member. */
function joinBeat(groupId: string, memberId: string, fields: Beat = {}): Beat {
  return {
    groupId,
    memberId,
    memberEpoch: 0,
    rebalanceTimeoutMs: 30_000,
    subscribedTopicNames: [topicName],
    topicPartitions: [],
    ...fields,
  }
}

const nextJoin = (peer: Peer, groupId: string, memberId: string, fields: Beat = {}) =>
  peer.call(ConsumerGroupHeartbeat, 1, joinBeat(groupId, memberId, fields))

/** A member's own heartbeat after its first: takes what it is given until nothing changes. */
async function reconciled(
  peer: Peer,
  groupId: string,
  first: ConsumerGroupHeartbeatResponse,
): Promise<ConsumerGroupHeartbeatResponse> {
  let answer = first
  for (let attempt = 0; attempt < 5; attempt++) {
    const { memberId, memberEpoch, assignment } = answer
    answer = await peer.call(ConsumerGroupHeartbeat, 1, {
      groupId,
      memberId: memberId ?? '',
      memberEpoch,
      topicPartitions: assignment?.topicPartitions ?? null,
    })
  }
  return answer
}

/** One request after the other; each may look at the answer before. */
function beats(
  name: string,
  requests: readonly ((before: ConsumerGroupHeartbeatResponse | null, group: string) => Beat)[],
  options: RowOptions = {},
) {
  return beating.steps(
    name,
    async ({ peer, topic }, ask) => {
      const answers = []
      let before: ConsumerGroupHeartbeatResponse | null = null
      for (const request of requests) {
        const answer = await ask(request(before, topic))
        answers.push(answer)
        if (typeof answer === 'string') break
        if (answer.errorCode === 0) before = answer
      }
      const { groups } = await peer.call(ConsumerGroupDescribe, 1, { groupIds: [topic] })
      return { answers, groups }
    },
    options,
  )
}

const first =
  (fields: Beat = {}) =>
  (_: unknown, group: string) =>
    joinBeat(group, 'one', fields)
const next =
  (fields: Beat = {}) =>
  (before: ConsumerGroupHeartbeatResponse | null, groupId: string): Beat => ({
    groupId,
    memberId: 'one',
    memberEpoch: before?.memberEpoch ?? 1,
    topicPartitions: before?.assignment?.topicPartitions ?? null,
    ...fields,
  })

const resolvesLater = accept(
  'ottla finds the topics of a pattern at once, Kafka in the background and an epoch later',
  /[eE]poch$|assignment|targetAssignment|groupState/,
)
const firstEpoch = accept(
  'a new group begins with epoch 2 in ottla, in Kafka with 1 while nobody names a topic',
  /[eE]poch$/,
)

const heartbeats = [
  beats('joins', [first(), next(), next()]),
  beats('joins twice', [first(), first()]),
  beats('no group', [first({ groupId: '' })]),
  beats('no member id', [first({ memberId: '' })], { versions: [1, 99] }),
  beating.steps(
    'no member id, which the broker then makes',
    async ({ topic }, ask) => ask(joinBeat(topic, '')),
    { versions: [0, 0] },
  ),
  beats('no rebalance timeout', [first({ rebalanceTimeoutMs: -1 })]),
  beats('no subscription', [first({ subscribedTopicNames: null })]),
  beats('an empty subscription', [first({ subscribedTopicNames: [] }), next()], {
    accepted: [firstEpoch],
  }),
  beats('no list of partitions', [first({ topicPartitions: null })]),
  beats('partitions at the first', [
    first({ topicPartitions: [{ topicId: 'QUJDREVGR0hJSktMTU5PUA', partitions: [0] }] }),
  ]),
  beats('an unknown topic', [first({ subscribedTopicNames: ['zz-unknown'] }), next()]),
  beats('an empty instance', [first({ instanceId: '' })]),
  beats('an empty rack', [first({ rackId: '' })]),
  beats('a rack', [first({ rackId: 'r1' }), next()]),
  ...['uniform', 'range', 'nonsense', ''].map((serverAssignor) =>
    beats(`assignor ${serverAssignor}`, [first({ serverAssignor }), next()]),
  ),
  ...['group-.*', 'group-topic|x', '(', '', 'zz.*'].map((subscribedTopicRegex) =>
    beats(
      `pattern ${subscribedTopicRegex}, refused or not`,
      [first({ subscribedTopicNames: null, subscribedTopicRegex })],
      { versions: [1, 99], accepted: [resolvesLater] },
    ),
  ),
  beats('unknown group, epoch 3', [next({ memberEpoch: 3 })]),
  beats('unknown group, leaving', [next({ memberEpoch: -1 })]),
  beats('epoch -3', [next({ memberEpoch: -3 })]),
  beats('epoch -2 without an instance', [first(), next({ memberEpoch: -2 })]),
  beats('a later epoch', [first(), next({ memberEpoch: 9 })]),
  beats('an earlier epoch', [
    first(),
    next(),
    next({ subscribedTopicNames: ['group-other'] }),
    next({ memberEpoch: 1 }),
  ]),
  beats('a stranger', [first(), next({ memberId: 'two', memberEpoch: 1 })]),
  beats('leaves', [first(), next({ memberEpoch: -1 }), next({ memberEpoch: 1 })]),
  beats('changes its topics', [
    first(),
    next({ subscribedTopicNames: ['group-other'] }),
    next(),
    next(),
  ]),
  beats('a full request', [
    first(),
    next(),
    next({ rebalanceTimeoutMs: 30_000, subscribedTopicNames: [topicName] }),
  ]),
  beats('owns what it was not given', [
    first(),
    next({ topicPartitions: [{ topicId: 'QUJDREVGR0hJSktMTU5PUA', partitions: [0] }] }),
  ]),
  beats('static: joins, steps out, comes back', [
    first({ instanceId: 'me' }),
    next({ instanceId: 'me' }),
    next({ instanceId: 'me', memberEpoch: -2 }),
    (_, group) => joinBeat(group, 'two', { instanceId: 'me' }),
  ]),
  beats('static: an instance in use', [
    first({ instanceId: 'me' }),
    (_, group) => joinBeat(group, 'two', { instanceId: 'me' }),
  ]),
  beats('static: fenced', [
    first({ instanceId: 'me' }),
    next({ instanceId: 'me', memberEpoch: -2 }),
    (_, group) => joinBeat(group, 'two', { instanceId: 'me' }),
    next({ instanceId: 'me', memberEpoch: 1 }),
  ]),
  beats('static: an unknown instance', [first(), next({ instanceId: 'who' })]),
  beating.steps('two members share', async ({ peer, topic }, ask) => {
    const one = await reconciled(peer, topic, await nextJoin(peer, topic, 'one'))
    const answers = [one, await ask(joinBeat(topic, 'two'))]
    for (let round = 0; round < 4; round++) {
      for (const memberId of ['one', 'two']) {
        const epochs = await peer.call(ConsumerGroupDescribe, 1, { groupIds: [topic] })
        const member = epochs.groups[0]?.members.find((of) => of.memberId === memberId)
        const topicPartitions = member?.assignment.topicPartitions ?? []
        const memberEpoch = member?.memberEpoch ?? 0
        answers.push(await ask({ groupId: topic, memberId, memberEpoch, topicPartitions }))
      }
    }
    const { groups } = await peer.call(ConsumerGroupDescribe, 1, { groupIds: [topic] })
    return { answers, groups }
  }),
  beating.steps('a group with classic members is taken over', async ({ peer, topic }, ask) => {
    const classic = await stable(peer, topic, {
      protocols: [{ name: 'range', metadata: subscription(topicName) }],
    })
    const answer = await ask(joinBeat(topic, 'two'))
    const { groups } = await peer.call(ConsumerGroupDescribe, 1, { groupIds: [topic] })
    const again = await join(peer, topic, { memberId: classic.memberId })
    return { answer, groups, code: again.errorCode }
  }),
  beating.steps('a group of another protocol type', async ({ peer, topic }, ask) => {
    await stable(peer, topic, { protocolType: 'connect' })
    return ask(joinBeat(topic, 'two'))
  }),
  beating.steps('a group of offsets alone', async ({ peer, topic }, ask) => {
    await commit(peer, topic, [[topicName, 0, 3]])
    return ask(joinBeat(topic, 'two'))
  }),
]

const epochs = [
  ...[-1, 0, 1, 2, 9].map((memberEpoch) =>
    beating.steps(`offsets at member epoch ${memberEpoch}`, async ({ peer, topic }) => {
      const { memberEpoch: own } = await reconciled(peer, topic, await nextJoin(peer, topic, 'one'))
      const partitions = [{ partitionIndex: 0, committedOffset: 4, committedMetadata: '' }]
      const group = { groupId: topic, memberId: 'one' }
      const asked = { ...group, generationIdOrMemberEpoch: memberEpoch }
      const topics = [{ name: topicName, partitions }]
      const fetched = [{ name: topicName, partitionIndexes: [0] }]
      return [
        own,
        await peer.call(OffsetCommit, 9, { ...asked, topics }),
        await peer.call(OffsetCommit, 8, { ...asked, topics }),
        await peer.call(OffsetFetch, 9, { groups: [{ ...group, memberEpoch, topics: fetched }] }),
      ]
    }),
  ),
]

const describes = [
  describing.ask('an unknown group', () => ({ groupIds: ['unknown'] })),
  describing.ask('no name', () => ({ groupIds: [''] })),
  describing.ask('none', () => ({ groupIds: [] })),
  describing.ask('one twice', () => ({ groupIds: ['unknown', 'unknown'] }), {
    accepted: [accept('a group that is asked for twice is answered once by ottla', /groups\[1\]/)],
  }),
  describing.steps('a classic group', async ({ peer, topic }, ask) => {
    await stable(peer, topic)
    return ask({ groupIds: [topic] })
  }),
  describing.steps('a group, and the old way', async ({ peer, topic }, ask) => {
    await reconciled(peer, topic, await nextJoin(peer, topic, 'one', { rackId: 'r' }))
    const listed = await peer.call(ListGroups, 5, {})
    return [
      await ask({ groupIds: [topic, 'unknown'], includeAuthorizedOperations: true }),
      await peer.call(DescribeGroups, 5, { groups: [topic] }),
      listed.groups.filter(({ groupId }) => groupId === topic),
    ]
  }),
  describing.steps('an empty group', async ({ peer, topic }, ask) => {
    await nextJoin(peer, topic, 'one')
    await nextJoin(peer, topic, 'one', { memberEpoch: -1 })
    return ask({ groupIds: [topic] })
  }),
]

export const nextGroupsSection: Section = {
  name: 'groups, new protocol',
  prepare,
  rows: [...heartbeats, ...epochs, ...describes],
}
