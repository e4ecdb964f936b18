/**
 * The offsets of a group, committed and read by a member of it. A coordinator that moved or is busy
 * is tried again until the deadline; so is a commit in the middle of a rebalance, because the member
 * may be through with it a moment later.
 * Sources: KIP-320 (leader epochs), KIP-447 (stable offsets), KIP-848 (member epochs).
 */

import { KafkaError } from '../base/errors.ts'
import type { LeaderEpoch, Offset, TopicPartition } from '../base/types.ts'
import { OffsetCommit } from '../protocol/apis/offset-commit.ts'
import { OffsetFetch, type OffsetFetchResponse } from '../protocol/apis/offset-fetch.ts'
import type { Client } from './client.ts'
import type { MemberIdentity } from './member.ts'
import type { MemberLink } from './member-link.ts'
import { byTopic, keyOf } from './per-leader.ts'

/** A position to be committed: the next offset to read. */
export interface CommitOffset extends TopicPartition {
  readonly offset: Offset
  /** Of the last record that was read; -1 (the default) = unknown. */
  readonly leaderEpoch?: LeaderEpoch
  readonly metadata?: string
}

export interface GroupOffsetParts {
  readonly client: Client
  readonly link: MemberLink
  readonly groupId: string
}

/** With topic ids from version 10 on; names will do. */
const namesLimit = 9

/** Errors of a commit that pass while the member goes on: a rebalance, an epoch that has moved. */
const passing = new Set(['REBALANCE_IN_PROGRESS', 'STALE_MEMBER_EPOCH'])

/**
 * Commits as the member that `identity` gives at each try. Rejects with KafkaError (UNKNOWN_MEMBER_ID,
 * ILLEGAL_GENERATION: the partitions are somebody else's) or UnavailableError.
 */
export async function commitOffsets(
  { client, link, groupId }: GroupOffsetParts,
  offsets: readonly CommitOffset[],
  { identity, timeoutMs }: { identity: () => MemberIdentity; timeoutMs: number },
): Promise<void> {
  if (offsets.length === 0) return
  const topics = [...byTopic(offsets)].map(([name, group]) => ({
    name,
    partitions: group.map(({ partition, offset, leaderEpoch = -1, metadata = '' }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata,
    })),
  }))
  await untilDone({ client, link, timeoutMs }, async () => {
    const { memberId, generation, instanceId } = identity()
    if (generation < 0) throw new KafkaError('UNKNOWN_MEMBER_ID', 'not a member of the group now')
    const response = await link.request(
      OffsetCommit,
      () => ({
        groupId,
        memberId,
        generationIdOrMemberEpoch: generation,
        groupInstanceId: instanceId,
        topics,
      }),
      { limit: namesLimit, timeoutMs: Math.max(timeoutMs, 250) },
    )
    const codes = response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode }) => ({ name, partitionIndex, errorCode })),
    )
    const failed = codes.find(({ errorCode }) => errorCode !== 0)
    if (failed === undefined) return
    const error = new KafkaError(failed.errorCode)
    const where = `${failed.name}-${failed.partitionIndex}`
    throw new KafkaError(failed.errorCode, `commit of ${where}: ${error.message}`)
  })
}

/** What the group has committed, by `topic-partition`; without an entry there is nothing. */
export async function fetchCommitted(
  { client, link, groupId }: GroupOffsetParts,
  partitions: readonly TopicPartition[],
  timeoutMs: number,
): Promise<Map<string, CommitOffset>> {
  const topics = [...byTopic(partitions)].map(([name, group]) => ({
    name,
    partitionIndexes: group.map(({ partition }) => partition),
  }))
  return await untilDone({ client, link, timeoutMs }, async () => {
    const response = await link.request(
      OffsetFetch,
      (_, version) => {
        const requireStable = version >= 7
        if (version < 8) return { groupId, topics, requireStable }
        return { groups: [{ groupId, topics }], requireStable }
      },
      { limit: namesLimit },
    )
    return committedOf(response)
  })
}

function committedOf(response: OffsetFetchResponse): Map<string, CommitOffset> {
  const [group = response] = response.groups
  if (group.errorCode !== 0) throw new KafkaError(group.errorCode)
  const found = new Map<string, CommitOffset>()
  for (const { name: topic, partitions } of group.topics) {
    for (const answer of partitions) {
      if (answer.errorCode !== 0) throw new KafkaError(answer.errorCode)
      if (answer.committedOffset < 0) continue
      const { partitionIndex: partition, committedOffset: offset } = answer
      const { committedLeaderEpoch: leaderEpoch, metadata } = answer
      const entry = { topic, partition, offset, leaderEpoch, metadata: metadata ?? '' }
      found.set(keyOf(topic, partition), entry)
    }
  }
  return found
}

/** Tries again what may pass, until the time is over. */
async function untilDone<T>(
  { client, link, timeoutMs }: { client: Client; link: MemberLink; timeoutMs: number },
  attempt: () => Promise<T>,
): Promise<T> {
  const deadlineMs = client.deadline(timeoutMs)
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      const mayPass = error instanceof KafkaError && passing.has(error.name)
      if (!link.shouldRetry(error) && !mayPass) throw error
      const pauseMs = link.pauseMs(error, failures)
      if (client.env.clock.monotonicMs() + pauseMs >= deadlineMs) throw error
      await client.pause(pauseMs)
    }
  }
}
