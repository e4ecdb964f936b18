/**
 * The scan over all partitions: leaders that are gone or broke off, and min ISR values that no
 * longer follow from the settings. Each change compares the partition as it was read, and the
 * registrations on which the decision rests (C4 of the rules).
 */

import type { BrokerId, TopicId } from '../base/types.ts'
import { effectiveMinIsr } from '../config/config.ts'
import type { PartitionImage, TopicImage } from '../metadata/image.ts'
import type { PartitionValue } from '../metadata/keys.ts'
import type { Compare } from '../metadata/store.ts'
import type { Desk } from './desk.ts'
import { elect } from './elections.ts'
import { unchanged, type Write } from './office.ts'

interface Repair {
  readonly key: string
  readonly before: PartitionImage
  readonly value: Omit<PartitionValue, 'writer'>
}

/** With their compares, few enough for one transaction. */
const batchSize = 50

/** Puts right everything that is wrong in the image now. What changes meanwhile is left for the next scan. */
export async function repairPartitions(desk: Desk): Promise<void> {
  const repairs: Repair[] = []
  for (const topic of desk.image.topics.values()) repairs.push(...repairsOf(desk, topic))
  const batches: Repair[][] = []
  for (let at = 0; at < repairs.length; at += batchSize) {
    batches.push(repairs.slice(at, at + batchSize))
  }
  await Promise.all(batches.map((batch) => write(desk, batch)))
}

function repairsOf(desk: Desk, topic: TopicImage): Repair[] {
  const { image, keys } = desk
  const layers = desk.layers()
  const replicationFactor = topic.partitions[0]?.replicas.length ?? 1
  const minIsr = effectiveMinIsr({ layers, overrides: topic.configs, replicationFactor })
  const repairs: Repair[] = []
  for (const before of topic.partitions) {
    const elected = elect(before, image.brokers)
    if (elected === null && before.minIsr === minIsr) continue
    const value = { ...(elected ?? before.value), minIsr }
    repairs.push({ key: partitionKey(keys, topic.topicId, before), before, value })
  }
  return repairs
}

function partitionKey(keys: Desk['keys'], topicId: TopicId, { partition }: PartitionImage): string {
  return keys.partition(topicId, partition)
}

/** All at once; where a compare fails, in halves, so that one changed partition holds up no other. */
async function write(desk: Desk, repairs: readonly Repair[]): Promise<void> {
  const writes = repairs.map(({ key, value }): Write => ({ key, value }))
  const revision = await desk.office().commit(comparesOf(desk, repairs), writes)
  if (revision !== null) return desk.follow(revision)
  if (repairs.length <= 1) return
  const half = Math.ceil(repairs.length / 2)
  await write(desk, repairs.slice(0, half))
  await write(desk, repairs.slice(half))
}

function comparesOf({ image, keys }: Desk, repairs: readonly Repair[]): Compare[] {
  const brokers = new Set<BrokerId>()
  for (const { before, value } of repairs) {
    if (before.leader === value.leader && before.leaderEpoch === value.leaderEpoch) continue
    if (before.leader !== -1) brokers.add(before.leader)
    if (value.leader !== -1) brokers.add(value.leader)
  }
  return [
    ...repairs.map(({ key, before }) => unchanged(key, before.partitionEpoch)),
    ...[...brokers].map((id) =>
      unchanged(keys.broker(id), image.brokers.get(id)?.modRevision ?? null),
    ),
  ]
}
