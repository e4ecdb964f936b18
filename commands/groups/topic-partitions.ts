/** Topics with some of their partitions, as a person types them: `orders`, `orders:0,3-5`. */

import type { TopicPartition } from '../../lib/base/types.ts'
import { parsePartitionList } from '../records/partition-list.ts'
import { BadValue } from '../values.ts'

export interface TopicSelection {
  readonly topic: string
  /** undefined: all of them. */
  readonly partitions: readonly number[] | undefined
}

/** Throws BadValue. A colon cannot be part of a topic's name. */
export function parseTopicPartitions(text: string): TopicSelection {
  const [, topic = '', list] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? []
  if (topic === '') throw new BadValue('a topic, or TOPIC:PARTITIONS such as orders:0,3-5')
  return { topic, partitions: list === undefined ? undefined : parsePartitionList(list) }
}

export function selects(
  selections: readonly TopicSelection[],
  { topic, partition }: TopicPartition,
): boolean {
  return selections.some(
    (one) => one.topic === topic && (one.partitions?.includes(partition) ?? true),
  )
}
