/**
 * Asks something of many partitions: one request per leader, answers per partition, and another
 * round for those whose leader moved or was not ready, until the deadline.
 */

import { KafkaError } from '../base/errors.ts'
import type { BrokerId, TopicPartition } from '../base/types.ts'
import type { Connection } from '../wire/connection.ts'
import { ConnectionError } from '../wire/connection-error.ts'
import { backoffMs, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import { asUnavailable, UnavailableError } from './errors.ts'

/** What came of one partition: its answer, or why there is none. */
export type Outcome<R> =
  | { readonly answer: R; readonly error: null }
  | { readonly answer: null; readonly error: KafkaError | UnavailableError }

/** Asks one leader; resolves with a KafkaError in place of an answer, by `topic-partition` key. */
export type AskLeader<P, R> = (
  connection: Connection,
  items: readonly P[],
  timeoutMs: number,
) => Promise<ReadonlyMap<string, R | KafkaError>>

/** `topic-partition`; unambiguous, since the part after the last dash is the number. */
export function keyOf(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** Items grouped by topic, as most requests want them. */
export function byTopic<P extends TopicPartition>(items: readonly P[]): Map<string, P[]> {
  const groups = new Map<string, P[]>()
  for (const item of items) {
    const group = groups.get(item.topic)
    if (group === undefined) groups.set(item.topic, [item])
    else group.push(item)
  }
  return groups
}

/** Outcomes in the order of `items`. Rejects only when the client is closed. */
export async function askLeaders<P extends TopicPartition, R>(
  client: Client,
  items: readonly P[],
  { ask, timeoutMs = client.timeoutMs }: { ask: AskLeader<P, R>; timeoutMs?: number },
): Promise<Outcome<R>[]> {
  const deadlineMs = client.deadline(timeoutMs)
  const outcomes = new Map<P, Outcome<R>>()
  let open: readonly P[] = items
  for (let round = 1; open.length > 0; round++) {
    const asked = open
    const groups = await groupByLeader(client, asked, outcomes)
    const remainingMs = Math.max(deadlineMs - client.env.clock.monotonicMs(), 250)
    await Promise.all(
      [...groups].map(async ([leader, group]) => {
        const answers = await askOne(client, leader, { group, ask, timeoutMs: remainingMs })
        for (const item of group) outcomes.set(item, outcomeOf(answers, item))
      }),
    )
    open = asked.filter((item) => isWorthRepeating(outcomes.get(item)))
    if (open.length === 0) break
    const pauseMs = backoffMs(client.env.random, retryBackoff, round)
    if (client.env.clock.monotonicMs() + pauseMs >= deadlineMs) break
    for (const { topic } of open) client.cache.invalidate(topic)
    await client.pause(pauseMs)
  }
  return items.map((item) => outcomes.get(item) ?? failed(new KafkaError('REQUEST_TIMED_OUT')))
}

/** Sorts the items by leader; those without one get their outcome at once. */
async function groupByLeader<P extends TopicPartition, R>(
  client: Client,
  items: readonly P[],
  outcomes: Map<P, Outcome<R>>,
): Promise<Map<BrokerId, P[]>> {
  const groups = new Map<BrokerId, P[]>()
  const topicErrors = new Map<string, KafkaError | UnavailableError>()
  await Promise.all(
    [...byTopic(items).keys()].map(async (topic) => {
      try {
        await client.topic(topic)
        // The topic may have grown since it was looked up.
        const isKnown = (item: P) => client.cache.partition(topic, item.partition) !== undefined
        if (!items.every((item) => item.topic !== topic || isKnown(item))) {
          await client.refresh([topic])
        }
      } catch (error) {
        topicErrors.set(topic, expected(error))
      }
    }),
  )
  for (const item of items) {
    try {
      const topicError = topicErrors.get(item.topic)
      if (topicError !== undefined) throw topicError
      const { leader, error } = client.partition(item)
      if (error !== null) throw error
      const group = groups.get(leader)
      if (group === undefined) groups.set(leader, [item])
      else group.push(item)
    } catch (error) {
      outcomes.set(item, failed(expected(error)))
    }
  }
  return groups
}

async function askOne<P, R>(
  client: Client,
  leader: BrokerId,
  { group, ask, timeoutMs }: { group: readonly P[]; ask: AskLeader<P, R>; timeoutMs: number },
): Promise<ReadonlyMap<string, R | KafkaError> | UnavailableError | KafkaError> {
  try {
    const connection = await client.connectionTo(leader, 'main', timeoutMs)
    return await ask(connection, group, timeoutMs)
  } catch (error) {
    return expected(asUnavailable(error))
  }
}

function outcomeOf<R>(
  answers: ReadonlyMap<string, R | KafkaError> | UnavailableError | KafkaError,
  { topic, partition }: TopicPartition,
): Outcome<R> {
  if (answers instanceof Error) return failed(answers)
  const answer = answers.get(keyOf(topic, partition))
  if (answer === undefined) {
    return failed(new KafkaError('UNKNOWN_SERVER_ERROR', `no answer for ${topic}-${partition}`))
  }
  return answer instanceof KafkaError ? failed(answer) : { answer, error: null }
}

function isWorthRepeating(outcome: Outcome<unknown> | undefined): boolean {
  const error = outcome?.error ?? null
  // An unknown topic was waited for already.
  if (error instanceof KafkaError) return error.isRetriable && error.code !== 3
  return error instanceof UnavailableError && error.cause instanceof ConnectionError
}

function failed<R>(error: KafkaError | UnavailableError): Outcome<R> {
  return { answer: null, error }
}

function expected(error: unknown): KafkaError | UnavailableError {
  if (error instanceof KafkaError || error instanceof UnavailableError) return error
  throw error
}
