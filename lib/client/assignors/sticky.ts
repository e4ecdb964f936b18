/**
 * `sticky` and `cooperative-sticky`: balanced first, and among balanced assignments one that moves
 * as little as possible. Balanced: no partition could go to another member that is subscribed to
 * its topic and has at least two fewer.
 *
 *   1. Each member keeps what it had and may still have. Of two that claim the same partition the
 *      one of the later generation is right; in the same generation nobody is.
 *   2. What nobody has goes to the member with the fewest, topics with few subscribers first.
 *   3. As long as there is an imbalance, the fullest member gives its last partition away. Each move
 *      makes the sum of squares smaller, so this ends.
 *
 * The cooperative assignor gives nobody a partition that another member still has: that one learns
 * from its new assignment that it must let go, joins again, and the partition is free in the next
 * round. Racks are not looked at (in Kafka they decide where both sides have them).
 * Sources: KIP-54, KIP-341 (generations), KIP-429 (cooperative); apache/kafka: .../consumer/
 * internals/AbstractStickyAssignor.java, CooperativeStickyAssignor.java. Kafka takes a shorter way
 * where all subscriptions are equal; balance and number of moves are the same.
 */

import type { TopicPartition } from '../../base/types.ts'
import { keyOf } from '../per-leader.ts'
import {
  type AssignInput,
  type Assignor,
  compareText,
  type OwnAssignment,
  type SubscribedMember,
  sortedTopics,
} from './assignor.ts'
import {
  cooperativeOwned,
  cooperativeUserData,
  stickyOwned,
  stickyUserData,
} from './sticky-user-data.ts'

export const stickyAssignor: Assignor = {
  name: 'sticky',
  isCooperative: false,
  userData: stickyUserData,
  assign: (input) => partitionsOf(assignSticky(input, stickyOwned).values()),
}

export const cooperativeStickyAssignor: Assignor = {
  name: 'cooperative-sticky',
  isCooperative: true,
  userData: cooperativeUserData,
  assign: (input) => {
    const places = assignSticky(input, cooperativeOwned)
    withholdOwned([...places.values()], claimsOf(input, cooperativeOwned))
    return partitionsOf(places.values())
  },
}

/** A member with what it has so far. */
interface Place {
  readonly memberId: string
  readonly topics: ReadonlySet<string>
  readonly partitions: TopicPartition[]
}

interface Claim {
  readonly memberId: string
  readonly generation: number
}

type OwnedBy = (member: SubscribedMember) => OwnAssignment

function assignSticky(input: AssignInput, owned: OwnedBy): Map<string, Place> {
  const members = [...input.members].sort((a, b) => compareText(a.memberId, b.memberId))
  const places = new Map<string, Place>(
    members.map(({ memberId, topics }) => {
      return [memberId, { memberId, topics: new Set(topics), partitions: [] }]
    }),
  )
  const claims = claimsOf(input, owned)
  const free: TopicPartition[] = []
  for (const topic of sortedTopics(input)) {
    for (let partition = 0; partition < (input.partitionCounts.get(topic) ?? 0); partition++) {
      const owner = places.get(ownerOf(claims.get(keyOf(topic, partition))) ?? '')
      if (owner?.topics.has(topic)) owner.partitions.push({ topic, partition })
      else free.push({ topic, partition })
    }
  }
  const all = [...places.values()]
  for (const place of all) place.partitions.sort(byPartition)
  deal(free, all)
  balance(all)
  return places
}

/** Who says to own what, by `topic-partition`. */
function claimsOf({ members }: AssignInput, owned: OwnedBy): Map<string, Claim[]> {
  const claims = new Map<string, Claim[]>()
  for (const member of members) {
    const { partitions, generation } = owned(member)
    const keys = new Set(partitions.map(({ topic, partition }) => keyOf(topic, partition)))
    for (const key of keys) {
      const claim = { memberId: member.memberId, generation }
      const others = claims.get(key)
      if (others === undefined) claims.set(key, [claim])
      else others.push(claim)
    }
  }
  return claims
}

function ownerOf(claims: readonly Claim[] | undefined): string | null {
  if (claims === undefined) return null
  const latest = Math.max(...claims.map(({ generation }) => generation))
  const [right, another] = claims.filter(({ generation }) => generation === latest)
  return another === undefined ? (right?.memberId ?? null) : null
}

/** The least loaded member takes each; the first by id among equals. */
function deal(free: readonly TopicPartition[], places: readonly Place[]): void {
  const takers = new Map<string, Place[]>()
  for (const { topic } of free) {
    if (takers.has(topic)) continue
    takers.set(
      topic,
      places.filter(({ topics }) => topics.has(topic)),
    )
  }
  const choices = (topic: string) => takers.get(topic)?.length ?? 0
  // Stable: within a topic and among equals the order stays that of topics and partitions.
  const order = [...free].sort((a, b) => choices(a.topic) - choices(b.topic))
  for (const one of order) leastLoaded(takers.get(one.topic) ?? [])?.partitions.push(one)
}

function leastLoaded(places: readonly Place[]): Place | null {
  let least: Place | null = null
  for (const place of places) {
    if (least === null || place.partitions.length < least.partitions.length) least = place
  }
  return least
}

/** Moves single partitions from the fullest to the emptiest that may take one, until none helps. */
function balance(places: readonly Place[]): void {
  for (;;) {
    const order = [...places].sort((a, b) => b.partitions.length - a.partitions.length)
    if (!order.some((giver) => giveOne(giver, order))) return
  }
}

function giveOne(giver: Place, order: readonly Place[]): boolean {
  for (let at = order.length - 1; at >= 0; at--) {
    const taker = order[at]
    if (taker === undefined || taker.partitions.length + 1 >= giver.partitions.length) return false
    const index = giver.partitions.findLastIndex(({ topic }) => taker.topics.has(topic))
    if (index < 0) continue
    taker.partitions.push(...giver.partitions.splice(index, 1))
    return true
  }
  return false
}

/** Takes out what somebody else still has: a claim older than the new owner's own does not count. */
function withholdOwned(places: readonly Place[], claims: ReadonlyMap<string, Claim[]>): void {
  for (const { memberId, partitions } of places) {
    const isFree = ({ topic, partition }: TopicPartition) => {
      const all = claims.get(keyOf(topic, partition)) ?? []
      const own = all.find((claim) => claim.memberId === memberId)
      const least = own?.generation ?? Number.NEGATIVE_INFINITY
      return all.every((claim) => claim === own || claim.generation < least)
    }
    partitions.splice(0, partitions.length, ...partitions.filter(isFree))
  }
}

function byPartition(left: TopicPartition, right: TopicPartition): number {
  return left.partition - right.partition || compareText(left.topic, right.topic)
}

function partitionsOf(places: Iterable<Place>): Map<string, TopicPartition[]> {
  return new Map(Array.from(places, ({ memberId, partitions }) => [memberId, partitions]))
}
