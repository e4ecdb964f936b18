/**
 * What a seed's world is made of: topics with their settings, clients, the network, and (swarm testing)
 * which faults there are at all, and how often. A world with few kinds of fault reaches states that one
 * with all of them never does.
 */

import type { DiskOperation } from '../../lib/io/memory/disk.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'
import type { CrashKind } from './broker-host.ts'
import type { TopicPlan } from './cluster.ts'
import type { CutMode } from './disk-faults.ts'
import type { ProducerPlan } from './producer-host.ts'
import { between, chance, pick } from './world.ts'

export const faultKinds = [
  'kill',
  'power',
  'crash-at',
  'restart',
  'cut',
  'clog',
  'lost-answers',
  'slow-disk',
  'eio',
  'full-disk',
  'wall-jump',
  'client-death',
  'rot',
] as const

export type FaultKind = (typeof faultKinds)[number]

export interface ClusterPlan {
  readonly configs: Readonly<Record<string, string>>
  readonly topics: readonly TopicPlan[]
  readonly producers: readonly ProducerPlan[]
  readonly groups: readonly GroupPlan[]
  readonly hasAdmin: boolean
  /** Longest pause between two things that the administrator does. */
  readonly adminPauseMs: number
  readonly hasRaw: boolean
  readonly readers: readonly { readonly name: string; readonly topic: TopicPlan }[]
}

export interface GroupPlan {
  readonly name: string
  readonly topic: TopicPlan
  readonly protocols: readonly ('classic' | 'consumer')[]
}

export interface SimulationPlan {
  readonly clusters: readonly ClusterPlan[]
  /** Longest delay of the network, in ms. */
  readonly delayMs: number
  /** Mean time between two faults of a kind, in ms. */
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly habits: FaultHabits
}

/** What is not left to chance about faults (profiles.ts). */
export interface FaultHabits {
  /** What a power cut leaves. */
  readonly cut?: CutMode
  readonly eio?: { readonly operations: readonly DiskOperation[]; readonly where: string }
  /** Where a crash is set as a trap, and what it is; there is one at the first start, too. */
  readonly traps?: {
    readonly operations: readonly DiskOperation[]
    readonly kinds: readonly CrashKind[]
  }
  /** How many times as long everything takes on a slow disk. */
  readonly slowness?: number
  /** How probable another crash is after a fault that leaves something behind. */
  readonly followUp?: number
}

export function drawPlan(randomOf: (name: string) => Random): SimulationPlan {
  const random = randomOf('plan')
  const clusterCount = chance(random, 0.15) ? 2 : 1
  const clusters: ClusterPlan[] = []
  for (let index = 0; index < clusterCount; index++) clusters.push(drawCluster(random, index + 1))
  const compaction = randomOf('compaction')
  for (const [index, cluster] of clusters.entries()) {
    if (chance(compaction, 0.3)) clusters[index] = withCompacted(compaction, cluster, index + 1)
  }
  const faults = new Map<FaultKind, number>()
  for (const kind of faultKinds) {
    if (chance(random, 0.45)) faults.set(kind, between(random, 2000, 15_000))
  }
  // Without any crash little of what matters can be seen.
  if (!faults.has('kill') && !faults.has('power')) faults.set('power', between(random, 2000, 8000))
  return { clusters, delayMs: pick(random, [0.3, 1, 5, 30, 100]), faults, habits: {} }
}

function drawCluster(random: Random, id: number): ClusterPlan {
  const topics: TopicPlan[] = []
  const topicCount = 1 + randomBelow(random, 2)
  for (let index = 0; index < topicCount; index++) topics.push(drawTopic(random, `t${id}${index}`))
  const producers: ProducerPlan[] = []
  const producerCount = 1 + randomBelow(random, 3)
  for (let index = 0; index < producerCount; index++) {
    producers.push(drawProducer(random, `p${id}${index}`, pick(random, topics)))
  }
  const readers = Array.from({ length: 1 + randomBelow(random, 2) }, (_, index) => ({
    name: `r${id}${index}`,
    topic: pick(random, topics),
  }))
  const groups = chance(random, 0.4) ? [drawGroup(random, `g${id}`, pick(random, topics))] : []
  const retentionMs = pick(random, ['200', '3000'])
  return {
    configs: {
      ...brokerConfigs,
      'log.retention.check.interval.ms': retentionMs,
      // Small files, so that the journal goes round; it serves four logs or more.
      'ottla.journal.file.bytes': '65536',
      'ottla.journal.max.bytes': pick(random, ['0', '262144', '1048576', '1048576']),
      'ottla.journal.checkpoint.interval.ms': pick(random, ['200', '1000', '5000']),
    },
    topics,
    producers,
    readers,
    groups,
    hasAdmin: chance(random, 0.4),
    adminPauseMs: 6000,
    hasRaw: chance(random, 0.15),
  }
}

/** One topic more, of which the cleaner keeps the latest record of each key, with clients of its own. */
export function withCompacted(random: Random, cluster: ClusterPlan, id: number): ClusterPlan {
  const topic: TopicPlan = {
    name: `c${id}`,
    partitions: 1 + randomBelow(random, 2),
    configs: {
      'cleanup.policy': 'compact',
      'internal.segment.bytes': String(pick(random, [1000, 4000, 20_000])),
      'index.interval.bytes': String(pick(random, [0, 500, 4096])),
      'min.cleanable.dirty.ratio': String(pick(random, [0, 0.01, 0.5])),
      'file.delete.delay.ms': '1000',
    },
    isTrimmed: chance(random, 0.2),
    keys: pick(random, [3, 20, 200]),
  }
  const producers = Array.from({ length: 1 + randomBelow(random, 2) }, (_, index) => ({
    ...drawProducer(random, `pc${id}${index}`, topic),
    valueBytesMax: pick(random, [50, 1000]),
  }))
  return {
    ...cluster,
    configs: {
      ...cluster.configs,
      'log.cleaner.backoff.ms': pick(random, ['100', '1000']),
      'log.cleaner.dedupe.buffer.size': '1048576',
    },
    topics: [...cluster.topics, topic],
    producers: [...cluster.producers, ...producers],
    readers: [...cluster.readers, { name: `rc${id}`, topic }],
  }
}

const brokerConfigs = {
  'group.initial.rebalance.delay.ms': '0',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '2',
  'ottla.disk.floor.bytes': '0',
}

function drawTopic(random: Random, name: string): TopicPlan {
  const configs: Record<string, string> = {
    'internal.segment.bytes': String(pick(random, [2000, 10_000, 60_000, 1_000_000])),
    'index.interval.bytes': String(pick(random, [0, 500, 4096])),
    'file.delete.delay.ms': '1000',
  }
  if (chance(random, 0.3)) configs['retention.bytes'] = String(pick(random, [5000, 50_000]))
  if (chance(random, 0.15)) configs['ottla.durability'] = 'replicated'
  if (chance(random, 0.1)) configs['message.timestamp.type'] = 'LogAppendTime'
  return {
    name,
    partitions: chance(random, 0.6) ? 1 + randomBelow(random, 3) : 6,
    configs,
    isTrimmed: chance(random, 0.3),
    keys: 0,
  }
}

function drawGroup(random: Random, name: string, topic: TopicPlan): GroupPlan {
  const protocol = pick(random, ['classic', 'consumer'] as const)
  return {
    name,
    topic,
    protocols: Array.from({ length: 1 + randomBelow(random, 3) }, () => protocol),
  }
}

function drawProducer(random: Random, name: string, topic: TopicPlan): ProducerPlan {
  const isIdempotent = chance(random, 0.6)
  return {
    name,
    topic,
    isIdempotent,
    acks: isIdempotent || chance(random, 0.6) ? -1 : pick(random, [0, 1]),
    pauseMs: between(random, 5, 400),
    burstMax: pick(random, [1, 5, 30]),
    valueBytesMax: pick(random, [1, 50, 50, 1000, 5000]),
  }
}
