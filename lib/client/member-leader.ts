/**
 * The leader's work in a classic group: reads what every member subscribed to, and shares out the
 * partitions with the assignor that the group has agreed on. A member whose subscription cannot be
 * read gets nothing; it does not keep the others from their partitions.
 */

import { DecodeError, KafkaError } from '../base/errors.ts'
import type { JoinGroupResponse } from '../protocol/apis/join-group.ts'
import { decodeSubscription, encodeAssignment } from '../protocol/consumer-protocol.ts'
import type { AssignorName, SubscribedMember } from './assignors/assignor.ts'
import { assignors } from './assignors/index.ts'
import type { Client } from './client.ts'
import { byTopic } from './per-leader.ts'

export interface LeaderResult {
  readonly assignments: { memberId: string; assignment: Uint8Array }[]
  /** Partitions of every topic of the group as they were counted; 0 where there is none by now. */
  readonly counts: ReadonlyMap<string, number>
}

/** Rejects with KafkaError INCONSISTENT_GROUP_PROTOCOL for an assignor that we do not have. */
export async function assignAsLeader(
  client: Client,
  response: JoinGroupResponse,
): Promise<LeaderResult> {
  const protocolName = response.protocolName ?? ''
  if (!isAssignorName(protocolName)) {
    const text = `the group chose the assignor "${protocolName}", which this member did not offer`
    throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL', text)
  }
  const assignor = assignors[protocolName]
  const members = response.members.map((member) => subscribedMember(client, member))
  const counts = await countPartitions(client, new Set(members.flatMap(({ topics }) => topics)))
  const partitionCounts = new Map([...counts].filter(([, count]) => count > 0))
  const byMember = assignor.assign({ members, partitionCounts })
  const assignments = [...byMember].map(([memberId, partitions]) => ({
    memberId,
    assignment: encodeAssignment({
      assignedPartitions: [...byTopic(partitions)].map(([topic, group]) => ({
        topic,
        partitions: group.map(({ partition }) => partition),
      })),
    }),
  }))
  return { assignments, counts }
}

function isAssignorName(name: string): name is AssignorName {
  return Object.hasOwn(assignors, name)
}

function subscribedMember(
  client: Client,
  { memberId, groupInstanceId, metadata }: JoinGroupResponse['members'][number],
): SubscribedMember {
  const member = { memberId, instanceId: groupInstanceId }
  try {
    const { topics, userData, ownedPartitions, generationId } = decodeSubscription(metadata)
    const owned = ownedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
    return { ...member, topics: [...new Set(topics)], userData, owned, generation: generationId }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    client.env.log.warn('member-subscription-unreadable', { memberId, reason: error.message })
    return { ...member, topics: [], userData: null, owned: [], generation: -1 }
  }
}

/** How many partitions these topics have now; 0 = no such topic. */
export async function countPartitions(
  client: Client,
  topics: ReadonlySet<string>,
): Promise<Map<string, number>> {
  if (topics.size === 0) return new Map()
  const found = await client.metadata({ topics: [...topics] })
  const byName = new Map(found.topics.map(({ name, partitions }) => [name, partitions.length]))
  return new Map(Array.from(topics, (topic) => [topic, byName.get(topic) ?? 0]))
}
