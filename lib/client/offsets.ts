/**
 * Offsets by position or time, of many partitions at once: one ListOffsets request per leader.
 * Sources: KIP-79 (time), KIP-734 (largest timestamp).
 */

import { KafkaError } from '../base/errors.ts'
import type { LeaderEpoch, Offset, TopicPartition } from '../base/types.ts'
import { ListOffsets } from '../protocol/apis/list-offsets.ts'
import type { Connection } from '../wire/connection.ts'
import type { Client } from './client.ts'
import type { UnavailableError } from './errors.ts'
import { askLeaders, byTopic, keyOf } from './per-leader.ts'

/** What to read: everything (`uncommitted`), or no records of open and aborted transactions. */
export type Isolation = 'uncommitted' | 'committed'

/**
 * earliest: the first record's. latest: the one after the last readable record's (the high watermark,
 * with isolation committed the last stable offset). max-timestamp: of the record with the largest
 * timestamp. A number: of the first record at or after this time, in ms since 1970.
 */
export type OffsetAt = 'earliest' | 'latest' | 'max-timestamp' | number

export interface OffsetQuery extends TopicPartition {
  readonly at: OffsetAt
}

export interface OffsetAnswer extends OffsetQuery {
  /** -1 when there is no such record, or `error`. */
  readonly offset: Offset
  /** Of the record, when a time was asked for; else -1. */
  readonly timestamp: number
  /** -1 when the broker does not tell. */
  readonly leaderEpoch: LeaderEpoch
  readonly error: KafkaError | UnavailableError | null
}

interface Found {
  readonly offset: Offset
  readonly timestamp: number
  readonly leaderEpoch: LeaderEpoch
}

export interface ListOffsetsOptions {
  readonly isolation?: Isolation
  readonly timeoutMs?: number
}

/** Answers in the order of the queries; what went wrong with one stands in its `error`. */
export async function listOffsets(
  client: Client,
  queries: readonly OffsetQuery[],
  options: ListOffsetsOptions = {},
): Promise<OffsetAnswer[]> {
  const { isolation = 'uncommitted', timeoutMs = client.timeoutMs } = options
  // A partition may stand only once in a request: the second question goes into a second one.
  const waves: OffsetQuery[][] = []
  const counts = new Map<string, number>()
  for (const query of queries) {
    const key = keyOf(query.topic, query.partition)
    const wave = counts.get(key) ?? 0
    counts.set(key, wave + 1)
    waves[wave] ??= []
    waves[wave].push(query)
  }
  const found = new Map<OffsetQuery, OffsetAnswer>()
  await Promise.all(
    waves.map(async (wave) => {
      const ask = (connection: Connection, items: readonly OffsetQuery[], askTimeoutMs: number) =>
        askOne({ client, connection, items, isolation, timeoutMs: askTimeoutMs })
      const outcomes = await askLeaders(client, wave, { ask, timeoutMs })
      for (const [index, query] of wave.entries()) {
        const outcome = outcomes[index]
        const answer = outcome?.answer ?? { offset: -1, timestamp: -1, leaderEpoch: -1 }
        found.set(query, { ...query, ...answer, error: outcome?.error ?? null })
      }
    }),
  )
  return queries.flatMap((query) => found.get(query) ?? [])
}

async function askOne(asked: {
  client: Client
  connection: Connection
  items: readonly OffsetQuery[]
  isolation: Isolation
  timeoutMs: number
}): Promise<Map<string, Found | KafkaError>> {
  const { client, connection, items, isolation, timeoutMs } = asked
  const floor = items.some(({ at }) => at === 'max-timestamp') ? 7 : 1
  const version = connection.versionOf(ListOffsets, { floor })
  const topics = [...byTopic(items)].map(([name, queries]) => ({
    name,
    partitions: queries.map(({ topic, partition, at }) => ({
      partitionIndex: partition,
      currentLeaderEpoch: client.cache.partition(topic, partition)?.leaderEpoch ?? -1,
      timestamp: timestampOf(at),
    })),
  }))
  const body = {
    replicaId: -1,
    ...(version >= 2 ? { isolationLevel: isolation === 'committed' ? 1 : 0 } : {}),
    topics,
    timeoutMs,
  }
  const response = await connection.request(ListOffsets, body, { timeoutMs, version })
  const answers = new Map<string, Found | KafkaError>()
  for (const { name, partitions } of response.topics) {
    for (const { partitionIndex, errorCode, offset, timestamp, leaderEpoch } of partitions) {
      const answer =
        errorCode === 0 ? { offset, timestamp, leaderEpoch } : new KafkaError(errorCode)
      answers.set(keyOf(name, partitionIndex), answer)
    }
  }
  return answers
}

function timestampOf(at: OffsetAt): number {
  if (at === 'latest') return -1
  if (at === 'earliest') return -2
  if (at === 'max-timestamp') return -3
  return at
}
