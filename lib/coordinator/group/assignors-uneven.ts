/**
 * The assignor `uniform` where members read different topics: what is free goes to the reader with
 * the fewest partitions, hardest topics first, and then each topic moves partitions from its most to
 * its least loaded reader while that levels them. Nothing moves that need not.
 * Source: apache/kafka: .../group/assignor/UniformHeterogeneousAssignmentBuilder.java.
 */

import type { TopicId } from '../../base/types.ts'
import type { Assignment } from './assignment.ts'
import type { GroupSpec } from './assignor-spec.ts'

/** How often all topics are levelled again because another topic moved something. */
const roundsMax = 16

interface Topic {
  readonly topicId: TopicId
  readonly partitions: number
  /** Indexes of the members that read it. */
  readonly readers: number[]
  /** Per partition the index of its owner; -1 = none. */
  readonly owners: Int32Array
}

export function assignUnevenly(group: GroupSpec): Map<string, Assignment> {
  const memberIds = [...group.members.keys()]
  const loads = new Int32Array(memberIds.length)
  const topics = [...topicsOf(group, loads).values()].sort(hardestFirst)
  for (const topic of topics) giveAway(topic, loads)
  const shared = topics.filter(({ readers }) => readers.length > 1)
  for (let round = 0; round < roundsMax; round++) {
    let moved = 0
    for (const topic of shared) moved += level(topic, loads)
    if (moved === 0) break
  }
  return collected(memberIds, topics)
}

/** With what their readers keep; counted into `loads`. */
function topicsOf(group: GroupSpec, loads: Int32Array): Map<TopicId, Topic> {
  const topics = new Map<TopicId, Topic>()
  let index = 0
  for (const { topicIds, assignment } of group.members.values()) {
    for (const topicId of topicIds) {
      const topic = topics.get(topicId) ?? newTopic(topicId, group.partitionsOf(topicId))
      topics.set(topicId, topic)
      topic.readers.push(index)
      for (const partition of assignment.get(topicId) ?? []) {
        if (topic.owners[partition] !== -1) continue
        topic.owners[partition] = index
        loads[index] = (loads[index] ?? 0) + 1
      }
    }
    index++
  }
  return topics
}

function newTopic(topicId: TopicId, partitions: number): Topic {
  return { topicId, partitions, readers: [], owners: new Int32Array(partitions).fill(-1) }
}

/** Those with the most partitions per reader can be levelled the least. */
function hardestFirst(a: Topic, b: Topic): number {
  return (
    b.partitions / b.readers.length - a.partitions / a.readers.length ||
    a.readers.length - b.readers.length ||
    (a.topicId < b.topicId ? -1 : 1)
  )
}

function giveAway(topic: Topic, loads: Int32Array): void {
  const readers = new LoadHeap(topic.readers, loads, 'least')
  for (let partition = 0; partition < topic.partitions; partition++) {
    if (topic.owners[partition] !== -1) continue
    const reader = readers.top()
    if (reader === -1) return
    topic.owners[partition] = reader
    loads[reader] = (loads[reader] ?? 0) + 1
    readers.push(reader)
  }
}

/** How many partitions moved. */
function level(topic: Topic, loads: Int32Array): number {
  const owned = new Map<number, number[]>()
  topic.owners.forEach((owner, partition) => {
    const partitions = owned.get(owner)
    if (partitions === undefined) owned.set(owner, [partition])
    else partitions.push(partition)
  })
  const donors = new LoadHeap([...owned.keys()], loads, 'most')
  const readers = new LoadHeap(topic.readers, loads, 'least')
  let moved = 0
  while (true) {
    const donor = donors.top()
    const reader = readers.top()
    if (donor === -1 || reader === -1) return moved
    if ((loads[donor] ?? 0) - (loads[reader] ?? 0) <= 1) return moved
    const partition = owned.get(donor)?.pop()
    if (partition === undefined) {
      donors.drop()
      continue
    }
    topic.owners[partition] = reader
    loads[donor] = (loads[donor] ?? 0) - 1
    loads[reader] = (loads[reader] ?? 0) + 1
    for (const changed of [donor, reader]) readers.push(changed)
    donors.push(donor)
    moved++
  }
}

function collected(
  memberIds: readonly string[],
  topics: readonly Topic[],
): Map<string, Assignment> {
  const assignments = memberIds.map(() => new Map<TopicId, Set<number>>())
  for (const { topicId, owners } of topics) {
    owners.forEach((owner, partition) => {
      const assignment = assignments[owner]
      const partitions = assignment?.get(topicId)
      if (partitions === undefined) assignment?.set(topicId, new Set([partition]))
      else partitions.add(partition)
    })
  }
  return new Map(memberIds.map((memberId, index) => [memberId, assignments[index] ?? new Map()]))
}

/**
 * Members by load, a binary heap of (load, member). Loads change outside: whoever changes one pushes
 * the member again, and entries whose load is no longer true are passed over.
 */
class LoadHeap {
  readonly #loads: Int32Array
  readonly #sign: 1 | -1
  readonly #entries: { readonly key: number; readonly member: number }[] = []

  constructor(members: readonly number[], loads: Int32Array, order: 'least' | 'most') {
    this.#loads = loads
    this.#sign = order === 'least' ? 1 : -1
    for (const member of members) this.push(member)
  }

  push(member: number): void {
    const entries = this.#entries
    let at = entries.push({ key: this.#keyOf(member), member }) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  /** The first, the lower index of equals; -1 = none. */
  top(): number {
    while (true) {
      const [first] = this.#entries
      if (first === undefined) return -1
      if (first.key === this.#keyOf(first.member)) return first.member
      this.drop()
    }
  }

  drop(): void {
    const entries = this.#entries
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return
    entries[0] = last
    let at = 0
    while (true) {
      let first = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < entries.length && this.#isBefore(child, first)) first = child
      }
      if (first === at) return
      this.#swap(at, first)
      at = first
    }
  }

  #keyOf(member: number): number {
    return this.#sign * (this.#loads[member] ?? 0)
  }

  #isBefore(one: number, other: number): boolean {
    const a = this.#entries[one]
    const b = this.#entries[other]
    if (a === undefined || b === undefined) return false
    return a.key < b.key || (a.key === b.key && a.member < b.member)
  }

  #swap(one: number, other: number): void {
    const a = this.#entries[one]
    const b = this.#entries[other]
    if (a === undefined || b === undefined) return
    this.#entries[one] = b
    this.#entries[other] = a
  }
}
