/**
 * `range`: of each topic by itself, every member gets a row of neighbouring partitions, the first
 * members one more where they do not divide evenly. Topics with equally many partitions are thereby
 * assigned alike, which joins of two topics rely on.
 * Racks are not looked at (in Kafka they decide where both sides have them).
 * Source: apache/kafka: .../consumer/RangeAssignor.java.
 */

import type { TopicPartition } from '../../base/types.ts'
import {
  type AssignInput,
  type Assignor,
  emptyAssignment,
  sortedMembers,
  sortedTopics,
} from './assignor.ts'

export const rangeAssignor: Assignor = {
  name: 'range',
  isCooperative: false,
  userData: () => null,
  assign,
}

function assign(input: AssignInput): Map<string, TopicPartition[]> {
  const assignment = emptyAssignment(input.members)
  const members = sortedMembers(input.members)
  for (const topic of sortedTopics(input)) {
    const takers = members.filter(({ topics }) => topics.includes(topic))
    const partitions = input.partitionCounts.get(topic) ?? 0
    const share = Math.floor(partitions / takers.length)
    const withOneMore = partitions % takers.length
    let next = 0
    for (const [index, { memberId }] of takers.entries()) {
      const end = next + share + (index < withOneMore ? 1 : 0)
      for (; next < end; next++) assignment.get(memberId)?.push({ topic, partition: next })
    }
  }
  return assignment
}
