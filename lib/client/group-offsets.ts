/**
 * Offsets that groups have committed: read for many groups at once, set from outside while a group
 * has no members (as a consumer without a group would), forgotten. What went wrong with one
 * partition stands in its `error`. Sources: KIP-709 (many groups), KIP-496 (forgetting),
 * KIP-396 (setting).
 */

import { KafkaError } from '../base/errors.ts'
import type { LeaderEpoch, Offset, TopicPartition } from '../base/types.ts'
import { OffsetCommit } from '../protocol/apis/offset-commit.ts'
import { OffsetDelete } from '../protocol/apis/offset-delete.ts'
import { OffsetFetch, type OffsetFetchResponse } from '../protocol/apis/offset-fetch.ts'
import type { Connection } from '../wire/connection.ts'
import { resultError } from './admin-topics.ts'
import type { Coordinators } from './coordinators.ts'
import type { UnavailableError } from './errors.ts'
import { byTopic, keyOf, type Outcome } from './per-leader.ts'

export interface CommittedOffset extends TopicPartition {
  /** The next record to read; -1 with an error. */
  readonly offset: Offset
  /** -1 when it was not said. */
  readonly leaderEpoch: LeaderEpoch
  readonly metadata: string
  readonly error: KafkaError | null
}

export interface GroupOffsets {
  readonly groupId: string
  /** Every partition with a commit, by topic and number. A group nobody knows has none. */
  readonly offsets: readonly CommittedOffset[]
  readonly error: KafkaError | UnavailableError | null
}

export interface NewOffset extends TopicPartition {
  readonly offset: Offset
  readonly leaderEpoch?: LeaderEpoch
  readonly metadata?: string
}

export interface GroupPartitionResult extends TopicPartition {
  readonly error: KafkaError | UnavailableError | null
}

interface FetchedTopic {
  readonly name: string
  readonly partitions: OffsetFetchResponse['topics'][number]['partitions']
}

/** In the order of `groupIds`. */
export async function groupOffsets(
  coordinators: Coordinators,
  groupIds: readonly string[],
  options: { timeoutMs?: number } = {},
): Promise<GroupOffsets[]> {
  const outcomes = await coordinators.ask(groupIds, { ask: fetchOffsets, ...options })
  return groupIds.map((groupId, index) => {
    const outcome = outcomes[index]
    return { groupId, offsets: outcome?.answer ?? [], error: outcome?.error ?? null }
  })
}

async function fetchOffsets(
  connection: Connection,
  groups: readonly string[],
  timeoutMs: number,
): Promise<Map<string, CommittedOffset[] | KafkaError>> {
  const answers = new Map<string, CommittedOffset[] | KafkaError>()
  // From version 10 on topics are named by id only, also in the answer for "all topics".
  const version = connection.versionOf(OffsetFetch, { floor: 2, limit: 9 })
  if (version >= 8) {
    const body = { groups: groups.map((groupId) => ({ groupId, topics: null })) }
    const response = await connection.request(OffsetFetch, body, { timeoutMs, version })
    for (const { groupId, topics, errorCode } of response.groups) {
      answers.set(groupId, resultError(errorCode, null) ?? committed(topics))
    }
    return answers
  }
  await Promise.all(
    groups.map(async (groupId) => {
      const body = { groupId, topics: null }
      const { topics, errorCode } = await connection.request(OffsetFetch, body, {
        timeoutMs,
        version,
      })
      answers.set(groupId, resultError(errorCode, null) ?? committed(topics))
    }),
  )
  return answers
}

/** What is retriable for a partition, such as an open transaction's commit, stays its error. */
function committed(topics: readonly FetchedTopic[]): CommittedOffset[] {
  const offsets = topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ committedOffset, errorCode }) => committedOffset >= 0 || errorCode !== 0)
      .map(({ partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode }) => ({
        topic: name,
        partition: partitionIndex,
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata: metadata ?? '',
        error: resultError(errorCode, null),
      })),
  )
  return offsets.sort(byTopicAndPartition)
}

/** In the order of topic names (as bytes) and partition numbers. */
export function byTopicAndPartition(left: TopicPartition, right: TopicPartition): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1
  return left.partition - right.partition
}

/**
 * Sets committed offsets of a group without members; the group comes to be if there is none.
 * In the order of `offsets`.
 */
export async function alterGroupOffsets(
  coordinators: Coordinators,
  { groupId, offsets }: { groupId: string; offsets: readonly NewOffset[] },
  options: { timeoutMs?: number } = {},
): Promise<GroupPartitionResult[]> {
  if (offsets.length === 0) return []
  const topics = [...byTopic(offsets)].map(([name, group]) => ({
    name,
    partitions: group.map(({ partition, offset, leaderEpoch = -1, metadata = '' }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata,
    })),
  }))
  const ask = async (connection: Connection, _: readonly string[], timeoutMs: number) => {
    const version = connection.versionOf(OffsetCommit, { floor: 2, limit: 9 })
    const response = await connection.request(
      OffsetCommit,
      { groupId, topics },
      { timeoutMs, version },
    )
    return new Map([[groupId, partitionErrors(response.topics)]])
  }
  const [outcome] = await coordinators.ask([groupId], { ask, ...options })
  return resultsOf(offsets, outcome)
}

/**
 * Forgets committed offsets of a group that does not read the topics now. In the order of
 * `partitions`.
 */
export async function deleteGroupOffsets(
  coordinators: Coordinators,
  { groupId, partitions }: { groupId: string; partitions: readonly TopicPartition[] },
  options: { timeoutMs?: number } = {},
): Promise<GroupPartitionResult[]> {
  if (partitions.length === 0) return []
  const topics = [...byTopic(partitions)].map(([name, group]) => ({
    name,
    partitions: group.map(({ partition }) => ({ partitionIndex: partition })),
  }))
  const ask = async (connection: Connection, _: readonly string[], timeoutMs: number) => {
    const response = await connection.request(OffsetDelete, { groupId, topics }, { timeoutMs })
    const error = resultError(response.errorCode, null)
    return new Map([[groupId, error ?? partitionErrors(response.topics)]])
  }
  const [outcome] = await coordinators.ask([groupId], { ask, isRepeatable: false, ...options })
  return resultsOf(partitions, outcome)
}

/**
 * The error of each partition; a KafkaError alone when the broker says of one that it does not
 * coordinate the group, or not yet: then all are asked again.
 */
function partitionErrors(
  topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
  }[],
): Map<string, KafkaError | null> | KafkaError {
  const errors = new Map<string, KafkaError | null>()
  for (const { name, partitions } of topics) {
    for (const { partitionIndex, errorCode } of partitions) {
      const error = resultError(errorCode, null)
      if (error !== null && error.code >= 14 && error.code <= 16) return error
      errors.set(keyOf(name, partitionIndex), error)
    }
  }
  return errors
}

function resultsOf(
  partitions: readonly TopicPartition[],
  outcome: Outcome<Map<string, KafkaError | null>> | undefined,
): GroupPartitionResult[] {
  const whole = outcome?.error ?? null
  return partitions.map(({ topic, partition }) => {
    const error = outcome?.answer?.get(keyOf(topic, partition))
    const missing = new KafkaError('UNKNOWN_SERVER_ERROR', `no answer for ${topic}-${partition}`)
    return { topic, partition, error: whole ?? (error === undefined ? missing : error) }
  })
}
