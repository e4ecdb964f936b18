/**
 * What the sticky assignors put into `userData` of a subscription.
 *
 *   sticky              | partitions: array of { topic: string, partitions: array of int32 } | generation: int32 |
 *   sticky, old         | partitions |
 *   cooperative-sticky  | generation: int32 |, beside the owned partitions of the subscription itself
 *
 * Source: apache/kafka: .../consumer/StickyAssignor.java, CooperativeStickyAssignor.java.
 */

import { DecodeError } from '../../base/errors.ts'
import { encodeMessage, readMessageStart } from '../../protocol/codec.ts'
import { Reader } from '../../protocol/reader.ts'
import { array, int32, message, string, struct } from '../../protocol/schema.ts'
import { byTopic } from '../per-leader.ts'
import type { OwnAssignment, SubscribedMember } from './assignor.ts'

const StickyUserData = message({
  name: 'StickyUserData',
  versions: [0, 1],
  flexible: null,
  fields: {
    previousAssignment: array(struct({ topic: string(), partitions: array(int32()) })),
    generation: int32({ since: 1, fallback: -1 }),
  },
})

const CooperativeUserData = message({
  name: 'CooperativeUserData',
  versions: [0, 0],
  flexible: null,
  fields: { generation: int32() },
})

const nothing: OwnAssignment = { partitions: [], generation: -1 }

/** null before the first assignment. */
export function stickyUserData({ partitions, generation }: OwnAssignment): Uint8Array | null {
  if (generation < 0 && partitions.length === 0) return null
  const previousAssignment = [...byTopic(partitions)].map(([topic, group]) => ({
    topic,
    partitions: group.map(({ partition }) => partition),
  }))
  return encodeMessage(StickyUserData, 1, { previousAssignment, generation })
}

export function cooperativeUserData({ generation }: OwnAssignment): Uint8Array {
  return encodeMessage(CooperativeUserData, 0, { generation })
}

/** What a member with `sticky` had; nothing when it cannot be read. */
export function stickyOwned({ userData }: SubscribedMember): OwnAssignment {
  if (userData === null || userData.length === 0) return nothing
  for (const version of [1, 0]) {
    try {
      const read = readMessageStart(StickyUserData, version, new Reader([userData]))
      const partitions = read.previousAssignment.flatMap((entry) =>
        entry.partitions.map((partition) => ({ topic: entry.topic, partition })),
      )
      return { partitions, generation: read.generation }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  return nothing
}

/** What a member with `cooperative-sticky` has; the generation of an old client is in its user data. */
export function cooperativeOwned(member: SubscribedMember): OwnAssignment {
  const { owned, generation, userData } = member
  if (generation >= 0 || userData === null) return { partitions: owned, generation }
  try {
    const read = readMessageStart(CooperativeUserData, 0, new Reader([userData]))
    return { partitions: owned, generation: read.generation }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return { partitions: owned, generation: -1 }
  }
}
