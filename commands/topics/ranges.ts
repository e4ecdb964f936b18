/** First and next offset of partitions, as commands show them: null where none could be had. */

import type { Offset } from '../../lib/base/types.ts'
import type { Client } from '../../lib/client/client.ts'
import type { TopicMetadata } from '../../lib/client/metadata-cache.ts'
import { listOffsets } from '../../lib/client/offsets.ts'
import { type CommandContext, CommandError, type ExitCode, exitCodes } from '../command.ts'
import { failureOf } from '../failures.ts'

export interface PartitionRange {
  readonly topic: string
  readonly partition: number
  readonly start: Offset | null
  readonly end: Offset | null
  /** The first offset at or after the time asked for; null when there is none, or it was not asked. */
  readonly at: Offset | null
  /** Why something is null that should not be. */
  readonly error: Error | null
}

/** By topic and partition, in the order of `topics`. */
export async function partitionRanges(
  client: Client,
  topics: readonly Pick<TopicMetadata, 'name' | 'partitions'>[],
  atMs: number | null = null,
): Promise<PartitionRange[]> {
  const partitions = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  )
  const kinds = ['earliest', 'latest', ...(atMs === null ? [] : [atMs])] as const
  const queries = kinds.flatMap((at) => partitions.map((one) => ({ ...one, at })))
  const answers = await listOffsets(client, queries)
  return partitions.map((one, index) => {
    const of = (kind: number) => answers[kind * partitions.length + index]
    const [start, end, at] = [of(0), of(1), atMs === null ? undefined : of(2)]
    const error = start?.error ?? end?.error ?? at?.error ?? null
    const offsetOf = (answer: typeof start) =>
      answer === undefined || answer.error !== null || answer.offset < 0 ? null : answer.offset
    return { ...one, start: offsetOf(start), end: offsetOf(end), at: offsetOf(at), error }
  })
}

/** A line on standard error for each partition without an answer; the exit code that follows. */
export function reportRanges(context: CommandContext, ranges: readonly PartitionRange[]): ExitCode {
  const exits = new Set<ExitCode>()
  for (const { topic, partition, error } of ranges) {
    if (error === null) continue
    const { exit, message } = failureOf(error)
    exits.add(exit)
    context.warn(`topic "${topic}" partition ${partition}: ${message}`)
  }
  const [first = exitCodes.done] = exits
  return exits.size > 1 ? exitCodes.someFailed : first
}

/** The partitions asked for. Throws CommandError 3 for one that the topic does not have. */
export function selectPartitions(
  topic: TopicMetadata,
  wanted: readonly number[] | undefined,
): TopicMetadata {
  if (wanted === undefined) return topic
  const count = topic.partitions.length
  const absent = wanted.find((number) => number >= count)
  if (absent !== undefined) {
    const range = count === 1 ? 'partition 0' : `partitions 0-${count - 1}`
    throw new CommandError(exitCodes.notFound, `topic "${topic.name}" has ${range}, not ${absent}`)
  }
  return {
    ...topic,
    partitions: topic.partitions.filter(({ partition }) => wanted.includes(partition)),
  }
}
