/** `topic offsets`: first and next offset of each partition, and the offset at a time. */

import { command } from './command.ts'
import { option, time } from './options.ts'
import { parsePartitionList } from './records/partition-list.ts'
import { findTopic } from './topics/find.ts'
import { partitionRanges, reportRanges, selectPartitions } from './topics/ranges.ts'
import { timeMs } from './values.ts'

const columns = [
  { title: 'PARTITION', key: 'partition', about: 'number', isNumber: true },
  { title: 'START', key: 'start', about: 'offset of the first record', isNumber: true },
  { title: 'END', key: 'end', about: 'offset of the next record to come', isNumber: true },
]
const atColumn = {
  title: 'AT',
  key: 'at',
  about: 'offset of the first record at or after --at; - when there is none; with --at only',
  isNumber: true,
}

export const topicOffsets = command({
  name: 'topic offsets',
  about: 'show the first and next offset of each partition',
  positionals: 'TOPIC',
  options: {
    at: time('also the offset at this time', { word: '@TIME' }),
    partition: option('only these partitions, such as 0,3-5', parsePartitionList, {
      word: 'LIST',
      letter: 'p',
    }),
  },
  examples: [
    ['topic offsets orders', 'what is there to read'],
    ['topic offsets orders --at @-1h', 'where each partition was an hour ago'],
    [
      "topic offsets orders --json | jq '[.partitions[]|.end-.start]|add'",
      'records, at most (markers and compacted ones count)',
    ],
  ],
  columns: [...columns, atColumn],
  exits: { 3: 'no such topic or partition', 7: 'partitions failed in different ways' },
  run: async (context, { at, partition, positionals: [name = ''] }) => {
    const client = await context.client()
    const topic = await findTopic(client, name, context.globals.brokers)
    const wanted = selectPartitions(topic, partition)
    const atMs = at === undefined ? null : timeMs(at, context.env.clock.nowMs())
    const ranges = await partitionRanges(client, [wanted], atMs)
    await context.out.snapshot({
      kind: 'topic-offsets',
      plural: 'partitions',
      columns: atMs === null ? columns : [...columns, atColumn],
      rows: ranges.map(({ partition: number, start, end, at: offset }) => ({
        partition: number,
        start,
        end,
        ...(atMs === null ? {} : { at: offset }),
      })),
      extra: { topic: name },
    })
    return reportRanges(context, ranges)
  },
})
