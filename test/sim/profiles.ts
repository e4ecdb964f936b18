/**
 * Worlds made for one kind of mistake: what a seed drew, with the faults, topics and clients put in that
 * bring it to light. Without the mistake they are worlds like any other, and nothing may be found in them.
 */

import type { PlantedBug } from '../../lib/base/planted.ts'
import type { Random } from '../../lib/io/random.ts'
import { type ClusterPlan, type FaultKind, type SimulationPlan, withCompacted } from './plan.ts'
import type { ProducerPlan } from './producer-host.ts'

interface Profile {
  /** In place of the faults that were drawn: kinds, with their mean distance in ms. */
  readonly faults?: Partial<Record<FaultKind, number>>
  readonly habits?: SimulationPlan['habits']
  /** On top of the settings that were drawn. */
  readonly brokerConfigs?: Readonly<Record<string, string>>
  readonly topicConfigs?: Readonly<Record<string, string>>
  readonly partitions?: number
  readonly isTrimmed?: boolean
  readonly isCompacted?: boolean
  readonly delayMs?: number
  readonly producer?: Partial<ProducerPlan>
  /** Null: there is no administrator. */
  readonly adminPauseMs?: number | null
  readonly hasGroup?: boolean
}

const profiles: Partial<Record<PlantedBug, Profile>> = {
  rollUnsynced: {
    faults: { power: 2500, 'crash-at': 2500 },
    habits: { cut: 'lost' },
    topicConfigs: { 'internal.segment.bytes': '2000' },
    producer: { pauseMs: 20, acks: -1 },
  },
  // Closed segments that only the journal has.
  recoveryTooLate: {
    faults: { power: 2500, 'slow-disk': 2500 },
    habits: { cut: 'partly', slowness: 30 },
    brokerConfigs: {
      'ottla.journal.max.bytes': '1048576',
      'ottla.journal.checkpoint.interval.ms': '5000',
    },
    topicConfigs: { 'internal.segment.bytes': '2000' },
    partitions: 6,
    producer: { acks: -1, pauseMs: 20, burstMax: 30, valueBytesMax: 1000 },
  },
  sequenceWindowOfFour: {
    faults: { 'lost-answers': 700, cut: 700, kill: 8000 },
    partitions: 1,
    delayMs: 30,
    producer: {
      isIdempotent: true,
      acks: -1,
      pauseMs: 10,
      burstMax: 30,
      settings: { maxInFlight: 5, lingerMs: 0, batchBytes: 500, requestTimeoutMs: 1000 },
    },
  },
  cleanMarkBelieved: {
    faults: { restart: 3000, power: 3000 },
    partitions: 6,
    producer: { pauseMs: 20, acks: -1 },
  },
  // Once all directories are made, nothing else may sync the one above them.
  logDirectoryUnsynced: {
    faults: { power: 1500 },
    habits: { cut: 'lost', traps: { operations: ['rename'], kinds: ['kill'] }, followUp: 1 },
    partitions: 1,
    adminPauseMs: null,
    hasGroup: false,
  },
  failedPagesBelieved: {
    faults: { eio: 3000 },
    habits: { eio: { operations: ['sync'], where: '.log' }, followUp: 1 },
    producer: { pauseMs: 20, acks: -1 },
  },
  metadataTailBelieved: {
    faults: { eio: 2500 },
    habits: { eio: { operations: ['sync'], where: 'metadata/' }, followUp: 1 },
    adminPauseMs: 200,
  },
  metadataAnsweredEarly: {
    faults: { 'slow-disk': 700 },
    habits: { cut: 'lost', slowness: 100, followUp: 1 },
    partitions: 1,
    delayMs: 0.3,
    adminPauseMs: 150,
    producer: { pauseMs: 1000 },
  },
  logStartUnsaved: {
    faults: { power: 1500 },
    habits: { cut: 'lost' },
    isTrimmed: true,
    adminPauseMs: 300,
  },
  commitAnsweredEarly: {
    faults: { 'slow-disk': 1500 },
    habits: { cut: 'lost', slowness: 100, followUp: 1 },
    partitions: 2,
    delayMs: 0.3,
    hasGroup: true,
  },
  journalRecycledEarly: {
    faults: { 'crash-at': 1500, power: 4000 },
    habits: { cut: 'lost', traps: { operations: ['syncDir', 'rename'], kinds: ['power'] } },
    brokerConfigs: {
      'ottla.journal.file.bytes': '65536',
      'ottla.journal.max.bytes': '65536',
      'ottla.journal.checkpoint.interval.ms': '5000',
    },
    topicConfigs: { 'internal.segment.bytes': '1000000', 'ottla.durability': 'fsync' },
    partitions: 6,
    delayMs: 0.3,
    producer: { acks: -1, pauseMs: 10, burstMax: 30, valueBytesMax: 1000 },
  },
  cleanerBytesUnsynced: { faults: { power: 2500 }, isCompacted: true },
  cleanerSwapUnsynced: {
    faults: { power: 3000, 'crash-at': 1500 },
    habits: { cut: 'partly', traps: { operations: ['rename'], kinds: ['power'] } },
    isCompacted: true,
  },
}

/** The plan, bent to what brings this bug to light. */
export function planFor(bug: PlantedBug, plan: SimulationPlan, random: Random): SimulationPlan {
  const profile = profiles[bug]
  if (profile === undefined) return plan
  const { faults, delayMs = plan.delayMs, habits = {} } = profile
  return {
    clusters: plan.clusters
      .slice(0, 1)
      .map((cluster, index) => bend(profile, cluster, { random, id: index + 1 })),
    delayMs,
    faults:
      faults === undefined ? plan.faults : new Map(Object.entries(faults) as [FaultKind, number][]),
    habits,
  }
}

function bend(
  profile: Profile,
  drawn: ClusterPlan,
  { random, id }: { random: Random; id: number },
): ClusterPlan {
  const isAdded = profile.isCompacted === true && drawn.topics.every(({ keys }) => keys === 0)
  const cluster = isAdded ? withCompacted(random, drawn, id) : drawn
  const topics = cluster.topics.map((topic) => ({
    ...topic,
    configs: topic.keys > 0 ? topic.configs : { ...topic.configs, ...profile.topicConfigs },
    partitions: profile.partitions ?? topic.partitions,
    isTrimmed: profile.isTrimmed ?? topic.isTrimmed,
  }))
  const bent = (name: string) => topics.find((topic) => topic.name === name) ?? cluster.topics[0]
  const withTopic = <T extends { readonly topic: { readonly name: string } }>(plan: T) => ({
    ...plan,
    topic: bent(plan.topic.name) ?? plan.topic,
  })
  return {
    ...cluster,
    configs: { ...cluster.configs, ...profile.brokerConfigs },
    topics,
    producers: cluster.producers.map((plan) => withTopic({ ...plan, ...profile.producer })),
    readers: cluster.readers.map(withTopic),
    groups: groupsOf(profile, cluster).map(withTopic),
    hasAdmin: profile.adminPauseMs === undefined ? cluster.hasAdmin : profile.adminPauseMs !== null,
    adminPauseMs: profile.adminPauseMs ?? cluster.adminPauseMs,
  }
}

function groupsOf({ hasGroup }: Profile, { groups, topics }: ClusterPlan) {
  const [topic] = topics
  if (hasGroup === false) return []
  if (groups.length > 0 || hasGroup === undefined || topic === undefined) return groups
  return [{ name: 'g10', topic, protocols: ['consumer', 'consumer'] as const }]
}
