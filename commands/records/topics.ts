/** Topics and partitions that a command line names, looked up; what is missing is told with a hint. */

import { KafkaError } from '../../lib/base/errors.ts'
import type { TopicMetadata } from '../../lib/client/metadata-cache.ts'
import { type CommandContext, CommandError, exitCodes } from '../command.ts'
import { findTopics, isPattern, noSuchTopic } from '../topics/find.ts'
import { partitionRanges } from './partition-list.ts'

/**
 * The topic. Throws CommandError 3 with a hint when there is none; never creates it. A topic that
 * was created a moment ago is waited for: brokers do not all hear of it at once.
 */
export async function lookUpTopic(context: CommandContext, name: string): Promise<TopicMetadata> {
  const client = await context.client()
  const answered = context.waiting(context.globals.brokers.join(','))
  try {
    return await client.topic(name)
  } catch (error) {
    if (!(error instanceof KafkaError) || error.name !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
    const { topics } = await client.metadata()
    const known = topics.filter(({ isInternal }) => !isInternal).map((topic) => topic.name)
    throw noSuchTopic(name, context.globals.brokers, known)
  } finally {
    answered()
  }
}

/** The topics of operands, names and `/patterns/`, each once. Throws CommandError 3 or 2. */
export async function lookUpTopics(
  context: CommandContext,
  operands: readonly string[],
): Promise<TopicMetadata[]> {
  const found = new Map<string, TopicMetadata>()
  for (const operand of operands) {
    if (!isPattern(operand)) {
      found.set(operand, await lookUpTopic(context, operand))
      continue
    }
    const { topics } = await findTopics(await context.client(), [operand])
    if (topics.length === 0) {
      throw new CommandError(exitCodes.notFound, `no topic matches ${operand}`)
    }
    for (const topic of topics) found.set(topic.name, topic)
  }
  return [...found.values()]
}

/** `topic "orders" has partitions 0-2, not 9` */
export function noSuchPartition({ name, partitions }: TopicMetadata, missing: number): string {
  const known = partitions.map(({ partition }) => partition)
  const word = known.length === 1 ? 'partition' : 'partitions'
  return `topic "${name}" has ${word} ${partitionRanges(known)}, not ${missing}`
}

/** Throws CommandError 3 unless the topic has the partition. */
export function checkPartition(topic: TopicMetadata, partition: number): void {
  if (topic.partitions.some((known) => known.partition === partition)) return
  throw new CommandError(exitCodes.notFound, noSuchPartition(topic, partition), '', {
    details: { name: 'UNKNOWN_TOPIC_OR_PARTITION', topic: topic.name },
  })
}
