/** Groups in a known state, for the cases about groups: made with versions that both brokers serve. */

import { DescribeGroups } from '../../../lib/protocol/apis/describe-groups.ts'
import { FindCoordinator } from '../../../lib/protocol/apis/find-coordinator.ts'
import { Heartbeat } from '../../../lib/protocol/apis/heartbeat.ts'
import { JoinGroup, type JoinGroupRequest } from '../../../lib/protocol/apis/join-group.ts'
import { OffsetCommit } from '../../../lib/protocol/apis/offset-commit.ts'
import { SyncGroup } from '../../../lib/protocol/apis/sync-group.ts'
import type { Encodable } from '../../../lib/protocol/schema.ts'
import type { Peer } from './peer.ts'

/** A member as its broker knows it. */
export interface Joined {
  readonly memberId: string
  readonly generationId: number
  readonly errorCode: number
}

/** Waits until the coordinators of all groups are there. */
export async function loaded(peer: Peer): Promise<void> {
  const deadline = performance.now() + 30_000
  const groups = Array.from({ length: 200 }, (_, index) => `any-${index}`)
  for (;;) {
    await peer.call(FindCoordinator, 4, { keyType: 0, coordinatorKeys: groups })
    const answer = await peer.call(DescribeGroups, 4, { groups })
    if (answer.groups.every(({ errorCode }) => errorCode === 0)) return
    if (performance.now() > deadline) throw new Error(`${peer.name}: coordinators are not there`)
  }
}

/** Java's subscription to one topic: version 0, topics, no user data. */
export function subscription(topic: string): Buffer {
  const bytes = Buffer.alloc(2 + 4 + 2 + topic.length + 4)
  bytes.writeInt32BE(1, 2)
  bytes.writeInt16BE(topic.length, 6)
  bytes.write(topic, 8)
  bytes.writeInt32BE(-1, 8 + topic.length)
  return bytes
}

/** Java's assignment of partition 0 of one topic: version 0, no user data. */
function assignment(topic: string): Buffer {
  const bytes = Buffer.alloc(2 + 4 + 2 + topic.length + 4 + 4 + 4)
  bytes.writeInt32BE(1, 2)
  bytes.writeInt16BE(topic.length, 6)
  bytes.write(topic, 8)
  bytes.writeInt32BE(1, 8 + topic.length)
  bytes.writeInt32BE(-1, 16 + topic.length)
  return bytes
}

/** Readable ones: at others Kafka 4.3 never answers the joins of the group. */
export const protocols = ['range', 'roundrobin'].map((name) => ({
  name,
  metadata: subscription('group-topic'),
}))

export function joinRequest(
  groupId: string,
  fields: Encodable<JoinGroupRequest> = {},
): Encodable<JoinGroupRequest> {
  const timeouts = { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000 }
  return { groupId, ...timeouts, memberId: '', protocolType: 'consumer', protocols, ...fields }
}

/** Joins, with the id that the first answer gives. The coordinator may still be on its way. */
export async function join(
  peer: Peer,
  groupId: string,
  fields: Encodable<JoinGroupRequest> = {},
): Promise<Joined> {
  const deadline = performance.now() + 20_000
  let answer = await peer.call(JoinGroup, 5, joinRequest(groupId, fields))
  while ([14, 15, 16].includes(answer.errorCode) && performance.now() < deadline) {
    answer = await peer.call(JoinGroup, 5, joinRequest(groupId, fields))
  }
  if (answer.errorCode !== 79) return answer
  const { memberId } = answer
  return peer.call(JoinGroup, 5, joinRequest(groupId, { ...fields, memberId }))
}

export function sync(
  peer: Peer,
  groupId: string,
  { memberId, generationId }: Joined,
  assignments: readonly string[] = [memberId],
) {
  return peer.call(SyncGroup, 3, {
    groupId,
    memberId,
    generationId,
    assignments: assignments.map((id) => ({ memberId: id, assignment: assignment('group-topic') })),
  })
}

/** A group of one member, stable. */
export async function stable(
  peer: Peer,
  groupId: string,
  fields: Encodable<JoinGroupRequest> = {},
): Promise<Joined> {
  const joined = await join(peer, groupId, fields)
  await sync(peer, groupId, joined)
  return joined
}

/** A stable group that a second member has asked to join; its answer waits for the first one. */
export async function preparing(
  peer: Peer,
  groupId: string,
  fields: Encodable<JoinGroupRequest> = {},
): Promise<Joined & { readonly second: Promise<Joined> }> {
  const first = await stable(peer, groupId, fields)
  const second = join(peer.other(groupId), groupId)
  // Nobody may wait for it when the case is over.
  second.catch(() => {})
  const { memberId, generationId } = first
  const deadline = performance.now() + 10_000
  for (;;) {
    const { errorCode } = await peer.call(Heartbeat, 3, { groupId, memberId, generationId })
    if (errorCode === 27) return { ...first, second }
    if (performance.now() > deadline) throw new Error(`${peer.name}: ${groupId}: no rebalance`)
  }
}

/** Commits without being a member. */
export async function commit(
  peer: Peer,
  groupId: string,
  offsets: readonly (readonly [topic: string, partition: number, offset: number])[],
): Promise<void> {
  const deadline = performance.now() + 20_000
  const topics = offsets.map(([name, partitionIndex, committedOffset]) => ({
    name,
    partitions: [{ partitionIndex, committedOffset, committedMetadata: 'some' }],
  }))
  for (;;) {
    const answer = await peer.call(OffsetCommit, 7, { groupId, topics })
    const codes = answer.topics.flatMap((topic) => topic.partitions.map((one) => one.errorCode))
    if (codes.every((code) => code === 0)) return
    if (performance.now() > deadline)
      throw new Error(`${peer.name}: commit to ${groupId}: ${codes}`)
  }
}
