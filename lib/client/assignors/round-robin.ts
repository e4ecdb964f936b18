/**
 * `roundrobin`: all partitions of all topics in a row, dealt to the members in turn; who is not
 * subscribed to a topic is passed over. The one assignor that clients of every make have.
 * Source: apache/kafka: .../consumer/RoundRobinAssignor.java.
 */

import type { TopicPartition } from '../../base/types.ts'
import {
  type AssignInput,
  type Assignor,
  emptyAssignment,
  sortedMembers,
  sortedTopics,
} from './assignor.ts'

export const roundRobinAssignor: Assignor = {
  name: 'roundrobin',
  isCooperative: false,
  userData: () => null,
  assign,
}

function assign(input: AssignInput): Map<string, TopicPartition[]> {
  const assignment = emptyAssignment(input.members)
  const members = sortedMembers(input.members)
  let turn = 0
  for (const topic of sortedTopics(input)) {
    const partitions = input.partitionCounts.get(topic) ?? 0
    for (let partition = 0; partition < partitions; partition++) {
      // Somebody is subscribed: the topic comes from a subscription.
      while (members[turn % members.length]?.topics.includes(topic) === false) turn++
      const taker = members[turn++ % members.length]
      if (taker !== undefined) assignment.get(taker.memberId)?.push({ topic, partition })
    }
  }
  return assignment
}
