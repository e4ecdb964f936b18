/**
 * The assignor `uniform` where all members read the same topics: shares differ by at most one
 * partition, and a partition moves only when its owner has too many. Where shares cannot be equal,
 * the larger ones go first to those that have them already.
 * Source: apache/kafka: .../group/assignor/UniformHomogeneousAssignmentBuilder.java.
 */

import type { TopicId } from '../../base/types.ts'
import { type Assignment, sizeOf } from './assignment.ts'
import type { GroupSpec, MemberSpec } from './assignor-spec.ts'

interface Share {
  readonly memberId: string
  /** What it keeps, changed in place. */
  readonly owned: Map<TopicId, Set<number>>
  size: number
  quota: number
}

export function assignUniformly(group: GroupSpec): Map<string, Assignment> {
  const topicIds = group.members.values().next().value?.topicIds ?? new Set<TopicId>()
  const shares = [...group.members].map(([memberId, member]) => shareOf(memberId, member, topicIds))
  setQuotas(
    shares,
    [...topicIds].reduce((sum, id) => sum + group.partitionsOf(id), 0),
  )
  for (const share of shares) giveUpSurplus(share)
  const free = unowned(group, topicIds, shares)
  for (const share of shares) {
    while (share.size < share.quota) {
      const next = free.pop()
      if (next === undefined) break
      add(share, next)
    }
  }
  return new Map(shares.map(({ memberId, owned }) => [memberId, owned]))
}

/** Without topics that are no longer read or have gone. */
function shareOf(
  memberId: string,
  { assignment }: MemberSpec,
  topicIds: ReadonlySet<TopicId>,
): Share {
  const owned = new Map<TopicId, Set<number>>()
  for (const [topicId, partitions] of assignment) {
    if (topicIds.has(topicId)) owned.set(topicId, new Set(partitions))
  }
  return { memberId, owned, size: sizeOf(owned), quota: 0 }
}

function setQuotas(shares: readonly Share[], partitions: number): void {
  const least = Math.floor(partitions / shares.length)
  let larger = partitions % shares.length
  for (const share of shares) share.quota = least
  const hasMore = (share: Share) => share.size > least
  for (const share of [...shares.filter(hasMore), ...shares.filter((one) => !hasMore(one))]) {
    if (larger-- <= 0) return
    share.quota++
  }
}

/** From its last topic backwards. */
function giveUpSurplus(share: Share): void {
  for (const [topicId, partitions] of [...share.owned].reverse()) {
    for (const partition of [...partitions].reverse()) {
      if (share.size <= share.quota) return
      partitions.delete(partition)
      share.size--
    }
    if (partitions.size === 0) share.owned.delete(topicId)
  }
}

/** What nobody has; last first. */
function unowned(
  group: GroupSpec,
  topicIds: ReadonlySet<TopicId>,
  shares: readonly Share[],
): [TopicId, number][] {
  const taken = new Map<TopicId, Set<number>>([...topicIds].map((id) => [id, new Set()]))
  for (const { owned } of shares) {
    for (const [topicId, partitions] of owned) {
      for (const partition of partitions) taken.get(topicId)?.add(partition)
    }
  }
  const free: [TopicId, number][] = []
  for (const [topicId, numbers] of taken) {
    for (let partition = 0; partition < group.partitionsOf(topicId); partition++) {
      if (!numbers.has(partition)) free.push([topicId, partition])
    }
  }
  return free.reverse()
}

function add(share: Share, [topicId, partition]: [TopicId, number]): void {
  const partitions = share.owned.get(topicId)
  if (partitions === undefined) share.owned.set(topicId, new Set([partition]))
  else partitions.add(partition)
  share.size++
}
