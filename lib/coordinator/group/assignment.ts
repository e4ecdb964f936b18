/**
 * Partitions of topics, as consumer groups count them. Topics go by id: one that was deleted and
 * made anew is another topic. No topic stands in a map without a partition.
 */

import type { TopicId } from '../../base/types.ts'

/** What a member is to own. */
export type Assignment = ReadonlyMap<TopicId, ReadonlySet<number>>

/** What a member owns: partition to the member epoch in which it was given. */
export type OwnedPartitions = ReadonlyMap<TopicId, ReadonlyMap<number, number>>

/** As requests and records list partitions. */
export interface TopicPartitions {
  readonly topicId: TopicId
  readonly partitions: readonly number[]
}

export const noAssignment: Assignment = new Map()
export const nothingOwned: OwnedPartitions = new Map()

export function assignmentOf(listed: readonly TopicPartitions[]): Assignment {
  const assignment = new Map<TopicId, Set<number>>()
  for (const { topicId, partitions } of listed) {
    if (partitions.length === 0) continue
    const known = assignment.get(topicId)
    if (known === undefined) assignment.set(topicId, new Set(partitions))
    else for (const partition of partitions) known.add(partition)
  }
  return assignment
}

/** In the order of topic ids and partitions. */
export function listed(assignment: Assignment | OwnedPartitions): {
  topicId: TopicId
  partitions: number[]
}[] {
  return [...assignment]
    .map(([topicId, partitions]) => ({
      topicId,
      partitions: [...partitions.keys()].sort((a, b) => a - b),
    }))
    .sort((a, b) => (a.topicId < b.topicId ? -1 : 1))
}

export function isSameAssignment(one: Assignment, other: Assignment): boolean {
  if (one === other) return true
  if (one.size !== other.size) return false
  for (const [topicId, partitions] of one) {
    const others = other.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const partition of partitions) if (!others.has(partition)) return false
  }
  return true
}

/** Also the epochs are the same. */
export function isSameOwned(one: OwnedPartitions, other: OwnedPartitions): boolean {
  if (one === other) return true
  if (one.size !== other.size) return false
  for (const [topicId, partitions] of one) {
    const others = other.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const [partition, epoch] of partitions) {
      if (others.get(partition) !== epoch) return false
    }
  }
  return true
}

/** Whether every partition of `some` is in `all`. */
export function isWithin(some: readonly TopicPartitions[], all: OwnedPartitions): boolean {
  return some.every(({ topicId, partitions }) => {
    const owned = all.get(topicId)
    return owned !== undefined && partitions.every((partition) => owned.has(partition))
  })
}

export function sizeOf(assignment: Assignment | OwnedPartitions): number {
  let size = 0
  for (const partitions of assignment.values()) size += partitions.size
  return size
}
