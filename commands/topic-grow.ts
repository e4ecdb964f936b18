/** `topic grow`: more partitions. There is no way back, and keys go elsewhere from then on. */

import { Admin } from '../lib/client/admin.ts'
import type { Client } from '../lib/client/client.ts'
import type { TopicMetadata } from '../lib/client/metadata-cache.ts'
import { CommandError, command, exitCodes } from './command.ts'
import { findTopic } from './topics/find.ts'
import { BadValue, parseInteger } from './values.ts'

const columns = [
  { title: 'PARTITION', key: 'partition', about: 'number', isNumber: true },
  { title: 'OLD', key: 'old', about: 'replicas before; - for a new partition' },
  { title: 'NEW', key: 'new', about: 'replicas now' },
]

export const topicGrow = command({
  name: 'topic grow',
  about: 'add partitions to a topic',
  positionals: 'TOPIC PARTITIONS',
  options: {},
  examples: [['topic grow orders 12', 'twelve in the end, not twelve more']],
  description: [
    'PARTITIONS is the number there will be. Records stay where they are; a key may go to another partition from then on. A topic cannot shrink.',
  ],
  columns,
  exits: { 3: 'no such topic', 6: 'not allowed, or not more than there are' },
  run: async (context, { positionals: [name = '', text = ''] }) => {
    const count = partitionCount(text)
    const client = await context.client()
    const before = await findTopic(client, name, context.globals.brokers)
    const had = before.partitions.length
    if (count <= had) {
      throw new CommandError(
        exitCodes.refused,
        `topic "${name}" has ${had} ${had === 1 ? 'partition' : 'partitions'} already, want more than that, got ${count}`,
        '',
        { details: { name: 'INVALID_PARTITIONS', topic: name } },
      )
    }
    const admin = new Admin(client)
    const [result] = await admin.createPartitions([{ name, count }])
    if (result?.error) throw result.error
    const after = await grown(client, name, { admin, count })
    await context.out.snapshot({
      kind: 'topic-grow',
      plural: 'partitions',
      columns,
      rows: after.partitions.map(({ partition, replicas }) => ({
        partition,
        old: before.partitions[partition]?.replicas ?? null,
        new: replicas,
      })),
      extra: { topic: name },
    })
    return exitCodes.done
  },
})

function partitionCount(text: string): number {
  try {
    return parseInteger(text, { min: 1, max: 0x7fffffff })
  } catch (error) {
    if (!(error instanceof BadValue)) throw error
    throw new CommandError(
      exitCodes.usage,
      `bad number of partitions "${text}": want ${error.want}`,
    )
  }
}

/** The topic once the broker asked knows all its partitions and each has a leader. */
async function grown(
  client: Client,
  name: string,
  { admin, count }: { admin: Admin; count: number },
): Promise<TopicMetadata> {
  const deadlineMs = client.deadline()
  for (;;) {
    await admin.waitForLeaders([name])
    const [topic] = await admin.describeTopics([name])
    if (topic !== undefined && topic.partitions.length >= count) return topic
    if (client.env.clock.monotonicMs() >= deadlineMs) {
      throw new CommandError(
        exitCodes.unavailable,
        `topic "${name}" was grown, but brokers do not show ${count} partitions yet`,
      )
    }
    await client.pause(50)
  }
}
