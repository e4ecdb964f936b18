/**
 * What a consumer group depends on (members, subscriptions, topics), and the target assignment that
 * follows from it.
 * Source: KIP-848; apache/kafka: .../group/modern/TargetAssignmentBuilder.java, ModernGroup.java.
 */

import { crc32c } from '../../base/crc32c.ts'
import { KafkaError } from '../../base/errors.ts'
import { murmur2 } from '../../base/murmur2.ts'
import type { TopicId } from '../../base/types.ts'
import type { ClusterImage } from '../../metadata/image.ts'
import type { ShardRecord } from '../../shard/shard.ts'
import { type Assignment, isSameAssignment, noAssignment } from './assignment.ts'
import type { MemberSpec } from './assignor-spec.ts'
import { assignors } from './assignors.ts'
import type { ConsumerGroup, ResolvedRegex } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'
import { targetEpochRecord, targetRecord } from './consumer-records.ts'

/** The group as a request makes it, before the log has it. */
export interface Prospect {
  readonly members: ReadonlyMap<string, ConsumerMember>
  readonly resolved: ReadonlyMap<string, ResolvedRegex>
}

/** With a member new, changed, or in the place of the static member whose instance it is. */
export function membersWith(
  group: ConsumerGroup,
  updated: ConsumerMember,
): Map<string, ConsumerMember> {
  const members = new Map(group.members)
  const { memberId, instanceId } = updated
  const previous = instanceId === null ? undefined : group.staticMembers.get(instanceId)
  if (previous !== undefined && previous !== memberId) members.delete(previous)
  return members.set(memberId, updated)
}

const mix = 0x1f_ffff

/**
 * Changes when a topic that is read comes, goes or grows. 53 bits; other brokers' hashes are
 * computed otherwise, which costs one rebalance after a change of broker.
 */
export function metadataHash(image: ClusterImage, names: ReadonlySet<string>): number {
  const lines: string[] = []
  for (const name of names) {
    const topic = image.topics.get(name)
    if (topic !== undefined) lines.push(`${name} ${topic.topicId} ${topic.partitions.length}`)
  }
  if (lines.length === 0) return 0
  const text = Buffer.from(lines.sort().join('\n'))
  return (murmur2(text) & mix) * 2 ** 32 + crc32c(text)
}

/** Ids of the topics that a member reads and that exist. */
export function subscribedTopicIds(
  member: Pick<ConsumerMember, 'subscribedTopicNames' | 'subscribedTopicRegex'>,
  image: ClusterImage,
  resolved: ReadonlyMap<string, ResolvedRegex>,
): Set<TopicId> {
  const topicIds = new Set<TopicId>()
  const add = (names: Iterable<string>) => {
    for (const name of names) {
      const topic = image.topics.get(name)
      if (topic !== undefined) topicIds.add(topic.topicId)
    }
  }
  add(member.subscribedTopicNames)
  if (member.subscribedTopicRegex !== '') {
    add(resolved.get(member.subscribedTopicRegex)?.topics ?? [])
  }
  return topicIds
}

/** The assignor that most members ask for, else the broker's first. */
export function chosenAssignor(
  members: Iterable<ConsumerMember>,
  served: readonly string[],
): string {
  const votes = new Map<string, number>()
  for (const { serverAssignor } of members) {
    if (serverAssignor !== null && served.includes(serverAssignor)) {
      votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1)
    }
  }
  const [winner] = [...votes].sort((a, b) => b[1] - a[1])
  return winner?.[0] ?? served[0] ?? 'uniform'
}

/** A new target for all members of `prospect`, and the records that differ from the one before. */
export function assignTargets(
  group: ConsumerGroup,
  { members, resolved }: Prospect,
  options: { image: ClusterImage; epoch: number; served: readonly string[]; nowMs: number },
): { records: ShardRecord[]; targets: Map<string, Assignment> } {
  const { image, epoch, served, nowMs } = options
  const name = chosenAssignor(members.values(), served)
  const assign = assignors.get(name)
  if (assign === undefined) {
    throw new KafkaError('UNKNOWN_SERVER_ERROR', `group.consumer.assignors: there is no ${name}`)
  }
  const specs = memberSpecs(group, { members, resolved }, image)
  const [first] = specs.values()
  const targets = assign({
    members: specs,
    isHomogeneous: [...specs.values()].every(({ topicIds }) => topicIds === first?.topicIds),
    partitionsOf: (topicId) => partitionsOf(image, topicId),
  })
  const records: ShardRecord[] = []
  for (const memberId of members.keys()) {
    const before = group.targets.get(memberId)
    const after = targets.get(memberId) ?? noAssignment
    if (before === undefined || !isSameAssignment(before, after)) {
      records.push(targetRecord(group.groupId, memberId, after))
    }
  }
  records.push(targetEpochRecord(group.groupId, { epoch, nowMs }))
  return { records, targets }
}

/** Members with the same subscription share one set of ids. */
function memberSpecs(
  group: ConsumerGroup,
  { members, resolved }: Prospect,
  image: ClusterImage,
): Map<string, MemberSpec> {
  const bySubscription = new Map<string, Set<TopicId>>()
  const specs = new Map<string, MemberSpec>()
  for (const [memberId, member] of members) {
    // Neither topic names nor expressions hold line ends that could make two of these equal.
    const key = [...member.subscribedTopicNames, '', member.subscribedTopicRegex].join('\n')
    let topicIds = bySubscription.get(key)
    if (topicIds === undefined) {
      topicIds = subscribedTopicIds(member, image, resolved)
      bySubscription.set(key, topicIds)
    }
    const { instanceId } = member
    specs.set(memberId, { instanceId, topicIds, assignment: group.targetOf(member) })
  }
  return specs
}

function partitionsOf(image: ClusterImage, topicId: TopicId): number {
  const name = image.topicNames.get(topicId)
  return (name === undefined ? undefined : image.topics.get(name)?.partitions.length) ?? 0
}
