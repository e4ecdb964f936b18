/**
 * Which brokers get the replicas of new partitions: in turn over the racks and the brokers in them,
 * from a random start, so that leaders and replicas are spread evenly; and the checks of an
 * assignment that a client brought. Source: KIP-36; apache/kafka: .../placement/StripedReplicaPlacer.java.
 */

import { KafkaError } from '../base/errors.ts'
import type { BrokerId } from '../base/types.ts'
import { type Random, randomBelow } from '../io/random.ts'
import type { BrokerImage } from '../metadata/image.ts'

/** Replicas of `count` partitions. Throws INVALID_REPLICATION_FACTOR. */
export function placeReplicas(options: {
  random: Random
  brokers: readonly BrokerImage[]
  count: number
  replicationFactor: number
}): BrokerId[][] {
  const { random, brokers, count, replicationFactor } = options
  if (replicationFactor > brokers.length) {
    throw new KafkaError(
      'INVALID_REPLICATION_FACTOR',
      `a replication factor of ${replicationFactor} needs as many brokers, but only ${brokers.length} are registered`,
    )
  }
  const ring = byRackInTurn(brokers)
  const start = randomBelow(random, ring.length)
  return Array.from({ length: count }, (_, partition) => {
    // Each time round, followers move one further from their leader.
    const shift = Math.floor(partition / ring.length)
    const first = start + partition
    return Array.from({ length: replicationFactor }, (_, replica) => {
      const distance = replica === 0 ? 0 : 1 + ((shift + replica - 1) % (ring.length - 1))
      return ring[(first + distance) % ring.length] ?? 0
    })
  })
}

/** All brokers, neighbours in different racks as far as that goes. */
function byRackInTurn(brokers: readonly BrokerImage[]): BrokerId[] {
  const racks = new Map<string, BrokerId[]>()
  for (const { id, rack } of [...brokers].sort((a, b) => a.id - b.id)) {
    const members = racks.get(rack ?? '') ?? []
    members.push(id)
    racks.set(rack ?? '', members)
  }
  const lists = [...racks.values()]
  const longest = Math.max(...lists.map((list) => list.length))
  return Array.from({ length: longest }, (_, index) =>
    lists.flatMap((list) => list.slice(index, index + 1)),
  ).flat()
}

/**
 * Checks the replicas that a client wants for each partition. `replicationFactor` of the partitions
 * that exist already, or null. Throws INVALID_REPLICA_ASSIGNMENT.
 */
export function checkAssignments(
  assignments: readonly (readonly BrokerId[])[],
  brokers: ReadonlyMap<BrokerId, BrokerImage>,
  replicationFactor: number | null,
): void {
  const expected = replicationFactor ?? assignments[0]?.length ?? 0
  for (const [index, replicas] of assignments.entries()) {
    const problem = assignmentProblem(replicas, brokers, expected)
    if (problem !== null) {
      throw new KafkaError('INVALID_REPLICA_ASSIGNMENT', `assignment ${index}: ${problem}`)
    }
  }
}

function assignmentProblem(
  replicas: readonly BrokerId[],
  brokers: ReadonlyMap<BrokerId, BrokerImage>,
  expected: number,
): string | null {
  if (replicas.length === 0) return 'the list of replicas is empty'
  if (new Set(replicas).size !== replicas.length) {
    return `broker ${replicas.find((id, at) => replicas.indexOf(id) !== at)} stands twice`
  }
  const stranger = replicas.find((id) => !brokers.has(id))
  if (stranger !== undefined) return `broker ${stranger} is not registered`
  if (replicas.length !== expected) {
    return `got ${replicas.length} replicas, expected ${expected} as the others have`
  }
  return null
}
