/**
 * The assignor `range`: each topic is cut into one run of partitions per reader, in the order of
 * instance ids, then member ids. Readers of several topics with as many partitions get the same
 * partition numbers of each, so that records with equal keys meet. It does not stick: a member that
 * comes first moves everything behind it.
 * Source: apache/kafka: .../group/assignor/RangeAssignor.java.
 */

import type { TopicId } from '../../base/types.ts'
import type { Assignment } from './assignment.ts'
import type { GroupSpec, MemberSpec } from './assignor-spec.ts'

/** How the partitions of a topic are being cut. */
interface Cut {
  readonly partitions: number
  readonly share: number
  /** Readers that still get one partition more than `share`. */
  extra: number
  next: number
}

export function assignByRange({ members, partitionsOf }: GroupSpec): Map<string, Assignment> {
  const inOrder = [...members].sort(byInstanceThenMember)
  const readers = new Map<TopicId, number>()
  for (const [, { topicIds }] of inOrder) {
    for (const topicId of topicIds) readers.set(topicId, (readers.get(topicId) ?? 0) + 1)
  }
  const cuts = new Map<TopicId, Cut>()
  for (const [topicId, count] of readers) {
    const partitions = partitionsOf(topicId)
    const share = Math.floor(partitions / count)
    cuts.set(topicId, { partitions, share, extra: partitions % count, next: 0 })
  }
  return new Map(inOrder.map(([memberId, { topicIds }]) => [memberId, taken(cuts, topicIds)]))
}

function byInstanceThenMember(
  [memberA, { instanceId: a }]: [string, MemberSpec],
  [memberB, { instanceId: b }]: [string, MemberSpec],
): number {
  if (a !== null && b !== null) return a < b ? -1 : a > b ? 1 : 0
  if (a !== null) return -1
  if (b !== null) return 1
  return memberA < memberB ? -1 : 1
}

function taken(cuts: ReadonlyMap<TopicId, Cut>, topicIds: ReadonlySet<TopicId>): Assignment {
  const assignment = new Map<TopicId, Set<number>>()
  for (const topicId of topicIds) {
    const cut = cuts.get(topicId)
    if (cut === undefined) continue
    const start = cut.next
    cut.next = Math.min(start + cut.share + (cut.extra > 0 ? 1 : 0), cut.partitions)
    cut.extra = Math.max(cut.extra - 1, 0)
    const run = new Set<number>()
    for (let partition = start; partition < cut.next; partition++) run.add(partition)
    if (run.size > 0) assignment.set(topicId, run)
  }
  return assignment
}
