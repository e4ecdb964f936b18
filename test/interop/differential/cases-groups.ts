/** Coordinator lookup, classic groups and their administration. */

import { DeleteGroups } from '../../../lib/protocol/apis/delete-groups.ts'
import { DescribeGroups } from '../../../lib/protocol/apis/describe-groups.ts'
import { FindCoordinator } from '../../../lib/protocol/apis/find-coordinator.ts'
import { Heartbeat } from '../../../lib/protocol/apis/heartbeat.ts'
import { JoinGroup, type JoinGroupRequest } from '../../../lib/protocol/apis/join-group.ts'
import { LeaveGroup } from '../../../lib/protocol/apis/leave-group.ts'
import { ListGroups } from '../../../lib/protocol/apis/list-groups.ts'
import { SyncGroup } from '../../../lib/protocol/apis/sync-group.ts'
import type { Api, Encodable, RequestOf } from '../../../lib/protocol/schema.ts'
import {
  commit,
  type Joined,
  join,
  joinRequest,
  loaded,
  preparing,
  protocols,
  stable,
  subscription,
  sync,
} from './group-setup.ts'
import type { Peer } from './peer.ts'
import { type At, accept, type RowOptions, rowsOf, type Section } from './row.ts'

const finding = rowsOf(FindCoordinator)
const joining = rowsOf(JoinGroup)
const syncing = rowsOf(SyncGroup)
const beating = rowsOf(Heartbeat)
const leaving = rowsOf(LeaveGroup)
const describing = rowsOf(DescribeGroups)
const listing = rowsOf(ListGroups)
const deletion = rowsOf(DeleteGroups)

async function prepare(peer: Peer): Promise<void> {
  await peer.ensure('group-topic', { partitions: 2 })
  await loaded(peer)
}

const find = (name: string, key: string, keyType = 0, options: RowOptions = {}) =>
  finding.ask(
    name,
    ({ version }) => (version >= 4 ? { keyType, coordinatorKeys: [key] } : { keyType, key }),
    { versions: keyType === 0 ? [0, 99] : [1, 99], ...options },
  )

const noTransactions = accept(
  'ottla has no transaction and share coordinators yet',
  /errorCode|errorMessage|nodeId|host|port/,
)

const coordinators = [
  find('a group', 'some group'),
  find('a group without a name', ''),
  find('a transactional id', 'tx', 1, { accepted: [noTransactions] }),
  find('a share partition', 'g:AAAAAAAAAAAAAAAAAAAAAQ:0', 2, { accepted: [noTransactions] }),
  find('a share partition, malformed', 'g', 2, { accepted: [noTransactions] }),
  find('an unknown kind', 'x', 9),
  find('a negative kind', 'x', -1),
  finding.ask('several', () => ({ coordinatorKeys: ['a', 'b', '', 'a'] }), { versions: [4, 99] }),
  finding.ask('none', () => ({ coordinatorKeys: [] }), { versions: [4, 99] }),
]

/** Joins an unknown group with these fields. */
const joinAs = (name: string, fields: Encodable<JoinGroupRequest>, options: RowOptions = {}) =>
  joining.steps(name, ({ topic }, ask) => ask(joinRequest(topic, fields)), options)

/** Joins a stable group of one member. */
const joinStable = (
  name: string,
  fields: (member: Joined) => Encodable<JoinGroupRequest>,
  { first, ...options }: RowOptions & { first?: Encodable<JoinGroupRequest> } = {},
) =>
  joining.steps(
    name,
    async ({ peer, topic }, ask) => {
      const member = await stable(peer, topic, first)
      return ask(joinRequest(topic, fields(member)))
    },
    options,
  )

const statics: RowOptions = { versions: [5, 99] }
const me = { groupInstanceId: 'me' }

const joins = [
  joinAs('a new group', {}),
  joining.steps('a new group, with the id that was given', async ({ topic }, ask) => {
    const first = await ask(joinRequest(topic))
    if (typeof first === 'string') return first
    return [first, await ask(joinRequest(topic, { memberId: first.memberId }))]
  }),
  joinAs('an unknown member', { memberId: 'nobody' }),
  ...[-1, 0, 5999, 6000, 1_800_000, 1_800_001].map((sessionTimeoutMs) =>
    joinAs(`session timeout ${sessionTimeoutMs}`, { sessionTimeoutMs }),
  ),
  joinAs('rebalance timeout -1', { rebalanceTimeoutMs: -1 }, { versions: [1, 99] }),
  joinAs('no group', { groupId: '' }),
  joinAs('no protocol type', { protocolType: '' }),
  joinAs('no protocols', { protocols: [] }),
  joinAs('another protocol type', { protocolType: 'connect' }),
  joinAs('a static member', me, statics),
  joinAs('a static member that is unknown', { ...me, memberId: 'nobody' }, statics),
  joinStable('a full first member again, nothing new', ({ memberId }) => ({ memberId })),
  joinStable('the leader with other metadata', ({ memberId }) => ({
    memberId,
    protocols: [{ name: 'range', metadata: subscription('other') }],
  })),
  joinStable('a stranger to a stable group', () => ({ memberId: 'nobody' })),
  joinStable('no common protocol', () => ({
    protocols: [{ name: 'other', metadata: subscription('x') }],
  })),
  joinStable('another protocol type', () => ({ protocolType: 'connect' })),
  joinStable('the protocols of the member change', ({ memberId }) => ({
    memberId,
    protocols: [{ name: 'other', metadata: subscription('x') }],
  })),
  joinStable('a static member comes back', () => me, { ...statics, first: me }),
  joinStable('a static member comes back with its id', ({ memberId }) => ({ ...me, memberId }), {
    ...statics,
    first: me,
  }),
  joinStable('a static member comes back with another id', () => ({ ...me, memberId: 'other' }), {
    ...statics,
    first: me,
  }),
  joinStable(
    'a static member comes back with other metadata',
    () => ({ ...me, protocols: [{ name: 'range', metadata: subscription('other') }] }),
    { ...statics, first: me },
  ),
  joinStable('a dynamic member as a static one', ({ memberId }) => ({ ...me, memberId }), statics),
  joining.steps('two members', async ({ peer, topic }, ask) => {
    const { memberId, second } = await preparing(peer, topic)
    const answers = [await ask(joinRequest(topic, { memberId })), await second]
    const sizes = answers.map((answer) =>
      typeof answer === 'object' && 'members' in answer ? answer.members : answer,
    )
    return { answers, sizes }
  }),
]

/** Something asked by a member of a group in the state that `setUp` makes. */
function inGroup<A extends Api>(
  rows: ReturnType<typeof rowsOf<A>>,
  setUp: (peer: Peer, group: string) => Promise<Joined>,
  body: (member: Joined, group: string) => Encodable<RequestOf<A>>,
) {
  return (name: string, options: RowOptions = {}) =>
    rows.steps(
      name,
      async ({ peer, topic }, ask) => ask(body(await setUp(peer, topic), topic)),
      options,
    )
}

const stableStatic = (peer: Peer, group: string) => stable(peer, group, me)
const syncOf =
  (fields: (member: Joined) => Encodable<RequestOf<typeof SyncGroup>>) =>
  (member: Joined, groupId: string) => ({
    groupId,
    memberId: member.memberId,
    generationId: member.generationId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: [{ memberId: member.memberId, assignment: Buffer.from('all of it') }],
    ...fields(member),
  })
const v5: RowOptions = { versions: [5, 99] }
const v3: RowOptions = { versions: [3, 99] }

const syncs = [
  inGroup(
    syncing,
    join,
    syncOf(() => ({})),
  )('the leader'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ assignments: [] })),
  )('the leader, without assignments'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ assignments: [{ memberId: 'nobody' }] })),
  )('for a stranger'),
  inGroup(
    syncing,
    stable,
    syncOf(() => ({})),
  )('again'),
  inGroup(
    syncing,
    stable,
    syncOf(() => ({ assignments: [] })),
  )('again, without assignments'),
  inGroup(
    syncing,
    preparing,
    syncOf(() => ({})),
  )('while preparing'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ generationId: 7 })),
  )('a later generation'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ generationId: -1 })),
  )('no generation'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ memberId: 'nobody' })),
  )('a stranger'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ memberId: '' })),
  )('without a member id'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ groupId: 'unknown' })),
  )('an unknown group'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ groupId: '' })),
  )('no group'),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ protocolType: 'other' })),
  )('another protocol type', v5),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ protocolName: 'other' })),
  )('another protocol', v5),
  inGroup(
    syncing,
    join,
    syncOf(() => ({ protocolName: null })),
  )('no protocol name', v5),
  inGroup(
    syncing,
    stableStatic,
    syncOf(() => me),
  )('a static member', v3),
  inGroup(
    syncing,
    stableStatic,
    syncOf(() => ({ ...me, memberId: 'other' })),
  )('fenced', v3),
  inGroup(
    syncing,
    stable,
    syncOf(() => me),
  )('an unknown instance', v3),
]

type BeatFields = Encodable<RequestOf<typeof Heartbeat>>
const beat =
  (fields: BeatFields) =>
  ({ memberId, generationId }: Joined, groupId: string) => ({
    groupId,
    memberId,
    generationId,
    ...fields,
  })

const heartbeats = [
  inGroup(beating, stable, beat({}))('stable'),
  inGroup(beating, join, beat({}))('completing'),
  inGroup(beating, preparing, beat({}))('preparing'),
  inGroup(beating, preparing, beat({ generationId: 9 }))('preparing, another generation'),
  inGroup(beating, stable, beat({ generationId: 9 }))('another generation'),
  inGroup(beating, stable, beat({ memberId: 'nobody' }))('a stranger'),
  inGroup(beating, stable, beat({ memberId: '' }))('without a member id'),
  inGroup(beating, stable, beat({ groupId: 'unknown' }))('an unknown group'),
  inGroup(beating, stable, beat({ groupId: '' }))('no group'),
  inGroup(beating, stableStatic, beat(me))('a static member', v3),
  inGroup(beating, stableStatic, beat({ ...me, memberId: 'other' }))('fenced', v3),
  inGroup(beating, stable, beat(me))('an unknown instance', v3),
]

type Leaver = { memberId?: string; groupInstanceId?: string }
/** In old versions a request has one member. */
const leave = (
  leavers: (member: Joined) => readonly Leaver[],
  fields: { groupId?: string } = {},
) => ({
  row: (name: string, setUp = stable, options: RowOptions = {}) =>
    leaving.steps(
      name,
      async ({ peer, topic, version }, ask) => {
        const member = await setUp(peer, topic)
        const members = leavers(member)
        const memberId = members[0]?.memberId ?? ''
        const answer = await ask({
          groupId: topic,
          ...(version >= 3 ? { members } : { memberId }),
          ...fields,
        })
        const { groups } = await peer.call(DescribeGroups, 4, { groups: [topic] })
        return [answer, groups]
      },
      options,
    ),
})

const leaves = [
  leave(({ memberId }) => [{ memberId }]).row('the only member'),
  leave(({ memberId }) => [{ memberId }]).row('a member, while preparing', preparing),
  leave(({ memberId }) => [{ memberId }]).row('before sync', join),
  leave(() => [{ memberId: 'nobody' }]).row('a stranger'),
  leave(() => [{ memberId: '' }]).row('without a member id'),
  leave(() => [{ memberId: 'x' }], { groupId: 'unknown' }).row('an unknown group'),
  leave(() => [{ memberId: 'x' }], { groupId: '' }).row('no group'),
  leave(() => [{ groupInstanceId: 'me' }]).row('by instance', stableStatic, v3),
  leave(({ memberId }) => [{ memberId, groupInstanceId: 'me' }]).row('by both', stableStatic, v3),
  leave(() => [{ memberId: 'x', groupInstanceId: 'me' }]).row('fenced', stableStatic, v3),
  leave(() => [{ groupInstanceId: 'who' }]).row('an unknown instance', stable, v3),
  leave(({ memberId }) => [{ memberId }, { memberId: 'x' }, { memberId }]).row(
    'several',
    stable,
    v3,
  ),
  leave(() => []).row('nobody', stable, v3),
]

const states: readonly (readonly [string, (peer: Peer, group: string) => Promise<unknown>])[] = [
  ['unknown', async () => {}],
  ['joining', join],
  ['stable', stable],
  ['stable, static', stableStatic],
  ['preparing', preparing],
  [
    'empty',
    async (peer, groupId) => {
      const { memberId } = await stable(peer, groupId)
      await peer.call(LeaveGroup, 2, { groupId, memberId })
    },
  ],
  ['of another protocol type', (peer, group) => stable(peer, group, { protocolType: 'connect' })],
  ['of offsets alone', (peer, group) => commit(peer, group, [['group-topic', 0, 3]])],
  [
    'stable with protocols in common',
    async (peer, group) => {
      const { memberId, second } = await preparing(peer, group)
      const again = { memberId, protocols: protocols.slice(1) }
      const first = await peer.call(JoinGroup, 5, joinRequest(group, again))
      await second
      await sync(peer, group, first)
    },
  ],
]

const describes = [
  ...states.map(([state, setUp]) =>
    describing.steps(`a group that is ${state}`, async ({ peer, topic }, ask) => {
      await setUp(peer, topic)
      return ask({ groups: [topic] })
    }),
  ),
  describing.ask('no name', () => ({ groups: [''] })),
  describing.ask('none', () => ({ groups: [] })),
  describing.ask('one twice', () => ({ groups: ['unknown', 'unknown'] }), {
    accepted: [accept('a group that is asked for twice is answered once by ottla', /groups\[1\]/)],
  }),
  describing.steps(
    'with what is allowed',
    async ({ peer, topic }, ask) => {
      await stable(peer, topic)
      return ask({ groups: [topic, 'unknown'], includeAuthorizedOperations: true })
    },
    { versions: [3, 99] },
  ),
]

/** The groups that this row made. */
const list = (
  name: string,
  fields: Encodable<RequestOf<typeof ListGroups>>,
  options: RowOptions = {},
) =>
  listing.steps(
    name,
    async ({ peer, topic }: At, ask) => {
      for (const [state, setUp] of states) await setUp(peer, `${topic} ${state}`)
      const answer = await ask(fields)
      if (typeof answer === 'string') return answer
      const groups = answer.groups.filter(({ groupId }) => groupId.startsWith(topic))
      return { ...answer, groups }
    },
    options,
  )

const v4: RowOptions = { versions: [4, 99] }
const lists = [
  list('all', {}),
  list('stable ones', { statesFilter: ['Stable'] }, v4),
  list('states in lower case', { statesFilter: ['stable', 'empty'] }, v4),
  list('an unknown state', { statesFilter: ['Nonsense'] }, v4),
  list('classic ones', { typesFilter: ['classic'] }, v5),
  list('types in upper case', { typesFilter: ['CLASSIC'] }, v5),
  list('consumer ones', { typesFilter: ['consumer'] }, v5),
  list('an unknown type', { typesFilter: ['nonsense'] }, v5),
]

const deletions = [
  ...states.map(([state, setUp]) =>
    deletion.steps(`a group that is ${state}`, async ({ peer, topic }, ask) => {
      await setUp(peer, topic)
      const answers = [await ask({ groupsNames: [topic] }), await ask({ groupsNames: [topic] })]
      const { groups } = await peer.call(DescribeGroups, 5, { groups: [topic] })
      return [answers, groups]
    }),
  ),
  deletion.ask('no name', () => ({ groupsNames: [''] })),
  deletion.ask('none', () => ({ groupsNames: [] })),
  deletion.ask('one twice', () => ({ groupsNames: ['unknown', 'unknown'] })),
]

export const groupsSection: Section = {
  name: 'groups',
  prepare,
  rows: [
    ...coordinators,
    ...joins,
    ...syncs,
    ...heartbeats,
    ...leaves,
    ...describes,
    ...lists,
    ...deletions,
  ],
}
