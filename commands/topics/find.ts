/**
 * The topics that operands name: plain names, `/patterns/`, or with --regex patterns without
 * slashes. Patterns run through re2js (linear time) and must match the whole name. A name that
 * does not exist ends with 3 and a suggestion.
 */

import type { Client } from '../../lib/client/client.ts'
import type { TopicMetadata } from '../../lib/client/metadata-cache.ts'
import { CommandError, exitCodes } from '../command.ts'
import { closest } from '../suggest.ts'

/** Whether an operand is a pattern, `/.../`. */
export function isPattern(operand: string): boolean {
  return operand.length > 1 && operand.startsWith('/') && operand.endsWith('/')
}

/** A test for names. Throws CommandError 2 for a pattern that is none. */
export async function nameMatcher(
  operand: string,
  isRegex: boolean,
): Promise<(name: string) => boolean> {
  if (!isRegex && !isPattern(operand)) return (name) => name === operand
  const source = isPattern(operand) ? operand.slice(1, -1) : operand
  const { RE2JS } = await import('re2js')
  try {
    const pattern = RE2JS.compile(source)
    return (name) => pattern.matches(name)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.usage, `bad pattern "${operand}": ${reason}`)
  }
}

export interface Found {
  /** In the order of the operands, those of one pattern by name; each once. */
  readonly topics: readonly TopicMetadata[]
  /** Plain names that no broker knows. */
  readonly missing: readonly string[]
  /** Every name of the cluster, when it was asked for (patterns, or something is missing). */
  readonly known: readonly string[]
}

/** Looks operands up. Rejects with UnavailableError; a topic we may not see rejects as KafkaError. */
export async function findTopics(
  client: Client,
  operands: readonly string[],
  { isRegex = false, withInternal = false } = {},
): Promise<Found> {
  const hasPattern = isRegex || operands.some(isPattern)
  const asked = await client.metadata({ topics: hasPattern ? null : operands })
  const byName = new Map(asked.topics.map((topic) => [topic.name, topic]))
  const found = new Map<string, TopicMetadata>()
  const missing: string[] = []
  for (const operand of operands) {
    if (isRegex || isPattern(operand)) {
      const matches = await nameMatcher(operand, isRegex)
      for (const topic of sortedByName(asked.topics)) {
        if ((withInternal || !topic.isInternal) && matches(topic.name)) found.set(topic.name, topic)
      }
      continue
    }
    const topic = byName.get(operand)
    if (topic === undefined || topic.error?.name === 'UNKNOWN_TOPIC_OR_PARTITION') {
      missing.push(operand)
    } else {
      if (topic.error !== null) throw topic.error
      found.set(operand, topic)
    }
  }
  const known = missing.length > 0 || hasPattern ? await knownNames(client) : []
  return { topics: [...found.values()], missing, known }
}

/** By name in the order of bytes, so that output is the same everywhere. */
export function sortedByName<T extends { readonly name: string }>(topics: readonly T[]): T[] {
  return [...topics].sort((left, right) => (left.name < right.name ? -1 : 1))
}

async function knownNames(client: Client): Promise<string[]> {
  const { topics } = await client.metadata()
  return topics.map(({ name }) => name)
}

/** The error for a topic that does not exist, with the nearest name. */
export function noSuchTopic(
  name: string,
  brokers: readonly string[],
  known: readonly string[],
): CommandError {
  const near = closest(name, known)
  const suggestion = near === null ? '' : `did you mean "${near}"? `
  const creation = /^[A-Za-z0-9._-]{1,249}$/.test(name)
    ? `create it with: ottla topic create ${name}`
    : ''
  return new CommandError(
    exitCodes.notFound,
    `no such topic "${name}" on ${brokers.join(',')}`,
    `${suggestion}${creation}`.trim(),
    { details: { name: 'UNKNOWN_TOPIC_OR_PARTITION', topic: name } },
  )
}

/** The one topic of this name. Rejects with CommandError 3. */
export async function findTopic(
  client: Client,
  name: string,
  brokers: readonly string[],
): Promise<TopicMetadata> {
  const { topics, missing, known } = await findTopics(client, [name])
  const [topic] = topics
  if (topic !== undefined) return topic
  if (missing.length > 0) throw noSuchTopic(name, brokers, known)
  throw new CommandError(exitCodes.notFound, `no topic matches ${name}`)
}

/** How many replicas a topic has: its partitions' largest number. */
export function replicaCount(topic: TopicMetadata): number {
  return Math.max(0, ...topic.partitions.map(({ replicas }) => replicas.length))
}
