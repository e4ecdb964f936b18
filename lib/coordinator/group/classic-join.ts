/**
 * JoinGroup of a classic group. A join that changes the group waits (its answer is parked) until the
 * others have joined too; one that changes nothing is answered with the generation as it is.
 *
 *   member id ""   static: takes the place of the instance, or joins; dynamic: joins, or from v4 on
 *                  is told its id first (KIP-394) and joins with it
 *   a pending id   joins
 *   a member's id  Stable: a rebalance if it leads or brings new metadata; else the same again
 *
 * Source: apache/kafka: group-coordinator/.../group/GroupMetadataManager.java, KIP-345, KIP-814.
 */

import { KafkaError } from '../../base/errors.ts'
import type { Random } from '../../io/random.ts'
import type { JoinGroupRequest } from '../../protocol/apis/join-group.ts'
import type { ShardRecord, ShardResult } from '../../shard/shard.ts'
import { ClassicGroup, joinError } from './classic-group.ts'
import {
  type ClassicMember,
  type JoinAnswer,
  type JoinProtocol,
  type Parked,
  saidBytesOf,
} from './classic-member.ts'
import {
  awaitPending,
  type ClassicShard,
  completeJoinIfAllJoined,
  currentJoinAnswer,
  lenient,
  prepareRebalance,
  rebalanceOrCompleteJoin,
  removeMember,
  touchMember,
} from './classic-rebalance.ts'
import { groupRecord, newGroupRecord } from './classic-records.ts'
import { groupBytes, memberBytes } from './group-memory.ts'

/** Who sent the request. */
export interface GroupClient {
  readonly clientId: string
  /** As Kafka writes it: `/127.0.0.1`. */
  readonly clientHost: string
  readonly apiVersion: number
}

/** A join on its way, with what is known of it besides the request. */
interface Joining {
  readonly request: JoinGroupRequest
  readonly client: GroupClient
  readonly protocols: readonly JoinProtocol[]
  readonly rebalanceTimeoutMs: number
  readonly answer: Parked<JoinAnswer>
}

const memberIdRequiredVersion = 4
const skipAssignmentVersion = 9
/** A new member does not know its id and cannot heartbeat: so long its JoinGroup may wait. */
const newMemberJoinTimeoutMs = 300_000
/** How much of a client id becomes part of a member id: ids given out are remembered for a while. */
const clientIdPartMax = 255
/** How much of a client's reason is logged; Java's clients cut it there too. */
export const reasonMax = 255
/** Ids given out to clients that have not come back; the oldest is forgotten first. */
const pendingMax = 10_000

/** What the members of a group say at most, in multiples of the largest record that can store it. */
const saidBatchesMax = 8

/** Answers, or parks the answer; errors are in it. The group is made for a member without an id. */
export function joinGroup(
  shard: ClassicShard,
  request: JoinGroupRequest,
  client: GroupClient,
): ShardResult<JoinAnswer> {
  const { groupId, memberId } = request
  if (saidBytesOf(request.protocols) > shard.context.config()['message.max.bytes']) {
    return lenient([], joinError(memberId, 'MESSAGE_TOO_LARGE'))
  }
  const known = shard.groups.get(groupId)
  if (known instanceof ClassicGroup) {
    known.isLive = true
    return joinKnown(shard, known, { request, client })
  }
  if (known !== undefined && !known.isEmpty) {
    return lenient([], joinError('', 'INCONSISTENT_GROUP_PROTOCOL'))
  }
  if (memberId !== '') return lenient([], joinError(memberId, 'UNKNOWN_MEMBER_ID'))
  // An empty group of the other protocol makes room.
  const tombstones = known?.tombstones() ?? []
  known?.close(new KafkaError('UNKNOWN_MEMBER_ID', `group ${groupId} is now a classic group`))
  const group = new ClassicGroup({ groupId, stateSinceMs: shard.context.env.clock.nowMs() })
  shard.groups.set(groupId, group)
  const { records, response } = joinKnown(shard, group, { request, client })
  return {
    records: [...tombstones, newGroupRecord(group), ...records],
    response,
    onRefused: (error) => {
      shard.groups.delete(groupId)
      group.close(error)
    },
  }
}

function joinKnown(
  shard: ClassicShard,
  group: ClassicGroup,
  { request, client }: { request: JoinGroupRequest; client: GroupClient },
): ShardResult<JoinAnswer> {
  let answer: Parked<JoinAnswer> = () => {}
  const response = new Promise<JoinAnswer>((resolve) => {
    answer = resolve
  })
  const joining = { request, client, answer, ...termsOf(request, client) }
  const result = join(shard, group, joining)
  return Array.isArray(result) ? lenient(result, response) : { ...result, response }
}

type Changed = Omit<ShardResult<unknown>, 'response'> | ShardRecord[]

function join(shard: ClassicShard, group: ClassicGroup, joining: Joining): Changed {
  const { request, protocols, answer } = joining
  const { memberId, groupInstanceId, protocolType } = request
  if (!hasRoomFor(shard, group, memberId)) {
    const member = group.members.get(memberId)
    if (member !== undefined) removeMember(shard, group, member)
    else group.remove(memberId)
    answer(joinError('', 'GROUP_MAX_SIZE_REACHED'))
    return completeJoinIfAllJoined(shard, group)
  }
  if (!group.supports(protocolType, protocols)) {
    answer(joinError(memberId, 'INCONSISTENT_GROUP_PROTOCOL'))
    return []
  }
  if (isTooMuchSaid(shard, group, joining)) {
    answer(joinError(memberId, 'GROUP_MAX_SIZE_REACHED'))
    return []
  }
  if (memberId === '') return joinWithoutId(shard, group, joining)
  if (!group.pendingJoins.has(memberId)) return joinAgain(shard, group, joining)
  if (groupInstanceId !== null) {
    answer(joinError(memberId, 'UNKNOWN_MEMBER_ID'))
    return []
  }
  return joinAnew(shard, group, { ...joining, memberId })
}

function joinWithoutId(shard: ClassicShard, group: ClassicGroup, joining: Joining): Changed {
  const { request, client, answer } = joining
  const { groupInstanceId } = request
  const { random } = shard.context.env
  const prefix = groupInstanceId ?? client.clientId.slice(0, clientIdPartMax)
  const memberId = `${prefix}-${uuidText(random)}`
  if (groupInstanceId !== null) {
    const oldMemberId = group.staticMembers.get(groupInstanceId)
    return oldMemberId === undefined
      ? joinAnew(shard, group, { ...joining, memberId })
      : replaceStatic(shard, group, { ...joining, memberId, oldMemberId })
  }
  if (client.apiVersion < memberIdRequiredVersion) {
    return joinAnew(shard, group, { ...joining, memberId })
  }
  const oldest = group.pendingJoins.keys().next().value
  if (oldest !== undefined && group.pendingJoins.size >= pendingMax) group.remove(oldest)
  awaitPending(shard, group, { memberId, timeoutMs: request.sessionTimeoutMs })
  answer(joinError(memberId, 'MEMBER_ID_REQUIRED'))
  return []
}

/** A new member. */
function joinAnew(
  shard: ClassicShard,
  group: ClassicGroup,
  { request, client, memberId, answer, ...said }: Joining & { memberId: string },
): ShardRecord[] {
  const { groupInstanceId, protocolType, sessionTimeoutMs } = request
  const { clientId, clientHost } = client
  if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') {
    group.hasNewMember = true
  }
  const member = group.addMember(
    { memberId, groupInstanceId, clientId, clientHost, protocolType, sessionTimeoutMs, ...said },
    answer,
  )
  member.isNew = true
  touchMember(shard, group, member, newMemberJoinTimeoutMs)
  return rebalanceOrCompleteJoin(shard, group, `${memberId} joins; ${reasonOf(request)}`)
}

/** A member that the group knows. */
function joinAgain(shard: ClassicShard, group: ClassicGroup, joining: Joining): ShardRecord[] {
  const { request, protocols, answer } = joining
  const { memberId, groupInstanceId } = request
  let member: ClassicMember
  try {
    member = group.checkMember(memberId, groupInstanceId)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    answer({ memberId, errorCode: error.code, protocolName: null })
    return []
  }
  const isSame = member.hasProtocols(protocols)
  // In Stable the leader asks for a rebalance with this: it saw that partitions came or went.
  const changesNothing =
    (group.state === 'CompletingRebalance' && isSame) ||
    (group.state === 'Stable' && isSame && !group.isLeader(memberId))
  if (changesNothing) {
    // A client that did not get the answer: it goes on to SyncGroup.
    answer(currentJoinAnswer(group, member))
    return []
  }
  group.updateMember(member, saidBy(joining), answer)
  return rebalanceOrCompleteJoin(shard, group, `${memberId} joins again; ${reasonOf(request)}`)
}

/** A static member came back without its id. In Stable it takes over what it had, if that still fits. */
function replaceStatic(
  shard: ClassicShard,
  group: ClassicGroup,
  joining: Joining & { memberId: string; oldMemberId: string },
): Changed {
  const { memberId, oldMemberId, answer, request } = joining
  const oldLeader = group.leaderId
  const member = group.replaceStaticMember(oldMemberId, memberId)
  touchMember(shard, group, member)
  const before = saidBy(member)
  group.updateMember(member, saidBy(joining), answer)
  const reason = `instance ${request.groupInstanceId} is now ${memberId}; ${reasonOf(request)}`
  if (group.state === 'CompletingRebalance') {
    // The leader may have the old id in hand: its assignment would miss the new one.
    return prepareRebalance(shard, group, reason)
  }
  if (group.state !== 'Stable') return completeJoinIfAllJoined(shard, group)
  if (group.protocolName !== group.selectProtocol()) {
    return rebalanceOrCompleteJoin(shard, group, reason)
  }
  const { generationId } = group
  return {
    records: [groupRecord(group)],
    onCommitted: () => {
      // Somebody else may have begun a rebalance meanwhile. Then this join is part of it.
      if (group.state !== 'Stable' || group.generationId !== generationId) return
      group.answerJoin(member, replacedAnswer(group, member, { ...joining, oldLeader }))
    },
    onRefused: ({ code }) => {
      group.answerJoin(member, { memberId: '', errorCode: code })
      group.setProtocols(member, before)
      touchMember(shard, group, group.replaceStaticMember(memberId, oldMemberId))
    },
  }
}

/** Nobody is to make an assignment: it would not be handed out. Before v9 the old leader is named. */
function replacedAnswer(
  group: ClassicGroup,
  member: ClassicMember,
  { client, oldLeader }: { client: GroupClient; oldLeader: string | null },
): JoinAnswer {
  const answer = currentJoinAnswer(group, member)
  return client.apiVersion >= skipAssignmentVersion
    ? { ...answer, skipAssignment: group.isLeader(member.memberId) }
    : { ...answer, leader: oldLeader ?? '', members: [] }
}

/**
 * New members are taken up to `group.max.size`. While the group rebalances those count that have
 * joined again, so a group that is too large loses the last who come.
 */
function hasRoomFor(shard: ClassicShard, group: ClassicGroup, memberId: string): boolean {
  const max = shard.context.config()['group.max.size']
  const member = group.members.get(memberId)
  switch (group.state) {
    case 'Empty':
    case 'Dead':
      return true
    case 'PreparingRebalance':
      return (member !== undefined && member.parkedJoin !== null) || group.awaitingJoinCount < max
    case 'CompletingRebalance':
    case 'Stable':
      return member !== undefined || group.members.size < max
  }
}

/** Members that cannot be stored together, or with those of all groups, would only take memory. */
function isTooMuchSaid(shard: ClassicShard, group: ClassicGroup, { protocols, request }: Joining) {
  const member = group.members.get(request.memberId)
  const more = saidBytesOf(protocols) - saidBytesOf(member?.protocols ?? [])
  const { config, memory } = shard.context
  if (group.saidBytes + more > saidBatchesMax * config()['message.max.bytes']) return true
  const taken = member === undefined ? more + memberBytes + groupBytes : more
  return taken > 0 && !memory.take(taken)
}

/** v0 has no rebalance time-out. The metadata outlives the frame it came in, so it is copied. */
function termsOf(
  { protocols, rebalanceTimeoutMs, sessionTimeoutMs }: JoinGroupRequest,
  { apiVersion }: GroupClient,
): Pick<Joining, 'protocols' | 'rebalanceTimeoutMs'> {
  const byName = new Map<string, Uint8Array>()
  for (const { name, metadata } of protocols) {
    if (!byName.has(name)) byName.set(name, new Uint8Array(metadata))
  }
  return {
    protocols: Array.from(byName, ([name, metadata]) => ({ name, metadata })),
    rebalanceTimeoutMs: apiVersion === 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
  }
}

function saidBy(source: Joining | ClassicMember) {
  const { protocols, rebalanceTimeoutMs } = source
  const { sessionTimeoutMs } = 'request' in source ? source.request : source
  return { protocols, rebalanceTimeoutMs, sessionTimeoutMs }
}

function reasonOf({ reason }: JoinGroupRequest): string {
  return `client's reason: ${reason?.slice(0, reasonMax) || 'not provided'}`
}

/** A version 4 uuid as Java prints it. */
function uuidText(random: Random): string {
  const bytes = Buffer.from(random.bytes(16))
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return `${parts.join('-')}-${hex.slice(20)}`
}
