/** Offsets of groups: commit, fetch, delete. */

import { LeaveGroup } from '../../../lib/protocol/apis/leave-group.ts'
import { OffsetCommit, type OffsetCommitRequest } from '../../../lib/protocol/apis/offset-commit.ts'
import { OffsetDelete } from '../../../lib/protocol/apis/offset-delete.ts'
import { OffsetFetch, type OffsetFetchRequest } from '../../../lib/protocol/apis/offset-fetch.ts'
import type { Encodable } from '../../../lib/protocol/schema.ts'
import { commit, type Joined, join, loaded, preparing, stable } from './group-setup.ts'
import type { Peer } from './peer.ts'
import { type At, type RowOptions, rowsOf, type Section } from './row.ts'

const committing = rowsOf(OffsetCommit)
const fetching = rowsOf(OffsetFetch)
const deletion = rowsOf(OffsetDelete)
const topicName = 'group-topic'

async function prepare(peer: Peer): Promise<void> {
  await peer.ensure(topicName, { partitions: 2 })
  await peer.ensure('group-other')
  await loaded(peer)
}

type Part = Encodable<OffsetCommitRequest['topics'][number]['partitions'][number]>
type Topics = readonly (readonly [topic: string, partitions: readonly Part[]])[]
const one: Topics = [
  [topicName, [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'm' }]],
]

/** By name, or by id in the versions that do. */
async function commitTopics({ peer, version }: At, topics: Topics) {
  const asked = []
  for (const [name, partitions] of topics) {
    asked.push(
      version >= 10 ? { topicId: await peer.idOf(name), partitions } : { name, partitions },
    )
  }
  return asked
}

/** Everything that the group has committed. */
function committed(peer: Peer, groupId: string) {
  return peer.call(OffsetFetch, 8, { groups: [{ groupId, topics: null }] })
}

/** A commit to the group in the state that `setUp` makes, and what the group has then. */
function commits(
  name: string,
  {
    setUp = async () => ({ memberId: '', generationId: -1, errorCode: 0 }),
    topics = one,
    fields = () => ({}),
    ...options
  }: RowOptions & {
    setUp?: (peer: Peer, group: string) => Promise<Joined>
    topics?: Topics
    fields?: (member: Joined) => Encodable<OffsetCommitRequest>
  } = {},
) {
  return committing.steps(
    name,
    async (at, ask) => {
      const { peer, topic } = at
      const member = await setUp(peer, topic)
      const answer = await ask({
        groupId: topic,
        generationIdOrMemberEpoch: member.generationId,
        memberId: member.memberId,
        topics: await commitTopics(at, topics),
        ...fields(member),
      })
      return [answer, await committed(peer, topic)]
    },
    options,
  )
}

const statics: RowOptions = { versions: [7, 99] }
const v1: RowOptions = { versions: [1, 99] }
const me = { groupInstanceId: 'me' }
const part = (fields: Part): Topics => [
  [topicName, [{ partitionIndex: 0, committedMetadata: '', ...fields }]],
]

const offsetCommits = [
  commits('without a member'),
  commits('no group', { fields: () => ({ groupId: '' }) }),
  commits('a generation, no such group', {
    fields: () => ({ generationIdOrMemberEpoch: 5 }),
    ...v1,
  }),
  commits('a member, no such group', { fields: () => ({ memberId: 'nobody' }), ...v1 }),
  commits('a member', { setUp: stable, ...v1 }),
  commits('a static member', {
    setUp: (peer, group) => stable(peer, group, me),
    fields: () => me,
    ...statics,
  }),
  commits('fenced', {
    setUp: (peer, group) => stable(peer, group, me),
    fields: () => ({ ...me, memberId: 'other' }),
    ...statics,
  }),
  commits('without a member, into a stable group', {
    setUp: stable,
    fields: () => ({ memberId: '', generationIdOrMemberEpoch: -1 }),
  }),
  commits('a stranger', { setUp: stable, fields: () => ({ memberId: 'nobody' }), ...v1 }),
  commits('another generation', {
    setUp: stable,
    fields: () => ({ generationIdOrMemberEpoch: 9 }),
    ...v1,
  }),
  commits('generation -1 of a member', {
    setUp: stable,
    fields: () => ({ generationIdOrMemberEpoch: -1 }),
    ...v1,
  }),
  commits('before sync', { setUp: join, ...v1 }),
  commits('while preparing', { setUp: preparing, ...v1 }),
  commits('no topics', { topics: [] }),
  commits('an unknown topic', { topics: [['zz-unknown', one[0]?.[1] ?? []]] }),
  commits('an unknown partition', { topics: part({ partitionIndex: 9, committedOffset: 1 }) }),
  commits('a negative partition', { topics: part({ partitionIndex: -1, committedOffset: 1 }) }),
  commits('a known and an unknown one', { topics: [...one, ['zz-unknown', one[0]?.[1] ?? []]] }),
  commits('offset -1', { topics: part({ committedOffset: -1 }) }),
  commits('offset -2', { topics: part({ committedOffset: -2 }) }),
  commits('an offset beyond the end', { topics: part({ committedOffset: 1e12 }) }),
  commits('metadata of 4096', { topics: part({ committedMetadata: 'm'.repeat(4096) }) }),
  commits('metadata of 4097', { topics: part({ committedMetadata: 'm'.repeat(4097) }) }),
  commits('metadata of 4097, and a good one', {
    topics: [...part({ committedMetadata: 'm'.repeat(4097) }), ['group-other', one[0]?.[1] ?? []]],
  }),
  commits('no metadata', { topics: part({ committedMetadata: null }) }),
  commits('an epoch', { topics: part({ committedLeaderEpoch: 3 }), versions: [6, 99] }),
  commits('a partition twice', {
    topics: [
      [
        topicName,
        [
          { partitionIndex: 0, committedOffset: 1 },
          { partitionIndex: 0, committedOffset: 2 },
        ],
      ],
    ],
  }),
  commits('kept for a while', { fields: () => ({ retentionTimeMs: 1000 }), versions: [2, 4] }),
]

type FetchTopics = readonly (readonly [topic: string, partitions: readonly number[]])[] | null

async function fetchBody(
  { peer, version, topic: groupId }: At,
  topics: FetchTopics,
  fields: { groupId?: string; memberId?: string; memberEpoch?: number } = {},
): Promise<Encodable<OffsetFetchRequest>> {
  const asked = []
  for (const [name, partitionIndexes] of topics ?? []) {
    asked.push(
      version >= 10
        ? { topicId: await peer.idOf(name), partitionIndexes }
        : { name, partitionIndexes },
    )
  }
  const group = { groupId, topics: topics === null ? null : asked, ...fields }
  if (version >= 8) return { groups: [group] }
  return { groupId: group.groupId, topics: topics === null ? null : asked.map(named) }
}

function named(topic: { name?: string; partitionIndexes: readonly number[] }) {
  return { name: topic.name ?? '', partitionIndexes: [...topic.partitionIndexes] }
}

/** What a group with two commits answers. */
function fetches(
  name: string,
  topics: FetchTopics,
  { fields = {}, ...options }: RowOptions & { fields?: Parameters<typeof fetchBody>[2] } = {},
) {
  return fetching.steps(
    name,
    async (at, ask) => {
      await commit(at.peer, at.topic, [
        [topicName, 0, 3],
        ['group-other', 0, 4],
      ])
      return ask(await fetchBody(at, topics, fields))
    },
    { versions: [1, 99], ...options },
  )
}

const offsetFetches = [
  fetches('known and unknown partitions', [[topicName, [0, 1, 9, -1]]]),
  fetches('several topics', [
    [topicName, [0]],
    ['group-other', [0]],
  ]),
  fetches('an unknown topic', [['zz-unknown', [0]]]),
  fetches('no topics', []),
  fetches('all topics', null, { versions: [2, 99] }),
  fetches('an unknown group', [[topicName, [0]]], { fields: { groupId: 'unknown' } }),
  fetches('all of an unknown group', null, { fields: { groupId: 'unknown' }, versions: [2, 99] }),
  fetches('no group', [[topicName, [0]]], { fields: { groupId: '' } }),
  fetches('a stranger', [[topicName, [0]]], {
    fields: { memberId: 'nobody', memberEpoch: 3 },
    versions: [9, 99],
  }),
  fetching.steps(
    'as a member of a stable group',
    async (at, ask) => {
      const { memberId } = await stable(at.peer, at.topic)
      const member = { memberId, memberEpoch: 1 }
      return [
        await ask(await fetchBody(at, [[topicName, [0]]], member)),
        await ask(await fetchBody(at, [[topicName, [0]]], { ...member, memberEpoch: 7 })),
        await ask(await fetchBody(at, [[topicName, [0]]], { memberId: 'nobody', memberEpoch: 1 })),
      ]
    },
    { versions: [9, 99] },
  ),
  fetching.steps(
    'stable offsets alone',
    async (at, ask) => {
      await commit(at.peer, at.topic, [[topicName, 0, 3]])
      return ask({ ...(await fetchBody(at, [[topicName, [0, 1]]])), requireStable: true })
    },
    { versions: [7, 99] },
  ),
  fetching.steps(
    'several groups',
    async (at, ask) => {
      await commit(at.peer, at.topic, [[topicName, 0, 3]])
      const bodies = [
        await fetchBody(at, [[topicName, [0]]]),
        await fetchBody(at, null, { groupId: 'unknown' }),
        await fetchBody(at, null),
      ]
      return ask({ groups: bodies.flatMap(({ groups = [] }) => groups) })
    },
    { versions: [8, 99] },
  ),
]

type Partitions = readonly (readonly [topic: string, partitions: readonly number[]])[]
function deletes(
  name: string,
  setUp: (peer: Peer, group: string) => Promise<unknown>,
  topics: Partitions,
  groupId?: string,
) {
  return deletion.steps(name, async ({ peer, topic }, ask) => {
    await setUp(peer, topic)
    const answer = await ask({
      groupId: groupId ?? topic,
      topics: topics.map(([of, partitions]) => ({
        name: of,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex })),
      })),
    })
    return [answer, await committed(peer, topic)]
  })
}

const offsets = (peer: Peer, group: string) =>
  commit(peer, group, [
    [topicName, 0, 3],
    [topicName, 1, 4],
    ['group-other', 0, 5],
  ])
const withMember = async (peer: Peer, group: string) => {
  await offsets(peer, group)
  return stable(peer, group)
}

const offsetDeletes = [
  deletes('a partition', offsets, [[topicName, [0]]]),
  deletes('all of a topic', offsets, [[topicName, [0, 1]]]),
  deletes('everything', offsets, [
    [topicName, [0, 1]],
    ['group-other', [0]],
  ]),
  deletes('an unknown partition', offsets, [[topicName, [9]]]),
  deletes('an unknown topic', offsets, [['zz-unknown', [0]]]),
  deletes('nothing', offsets, []),
  deletes('of an unknown group', offsets, [[topicName, [0]]], 'unknown'),
  deletes('no group', offsets, [[topicName, [0]]], ''),
  deletes('of a topic with a subscriber', withMember, [[topicName, [0]]]),
  deletes('of a topic without a subscriber', withMember, [['group-other', [0]]]),
  deletes(
    'once the subscriber has gone',
    async (peer, groupId) => {
      const { memberId } = await withMember(peer, groupId)
      await peer.call(LeaveGroup, 2, { groupId, memberId })
    },
    [[topicName, [0]]],
  ),
  deletes(
    'of a group of another protocol type',
    async (peer, group) => {
      await offsets(peer, group)
      await stable(peer, group, { protocolType: 'connect' })
    },
    [[topicName, [0]]],
  ),
]

export const groupOffsetsSection: Section = {
  name: 'group offsets',
  prepare,
  rows: [...offsetCommits, ...offsetFetches, ...offsetDeletes],
}
