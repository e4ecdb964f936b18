/** What a cluster holds, in a form that compares: topics, settings, offsets, and every record. */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Admin } from '../../../lib/client/admin.ts'
import { Client } from '../../../lib/client/client.ts'
import { Consumer } from '../../../lib/client/consumer.ts'

export interface PartitionLook {
  readonly start: number
  readonly end: number
  /** A line per record: offset, leader epoch, producer, timestamp, key, value, headers. */
  readonly records: readonly string[]
}

export interface ClusterLook {
  readonly clusterId: string | null
  /** Name, id, partition count, settings of its own. */
  readonly topics: readonly string[]
  /** By `topic-partition`. */
  readonly partitions: ReadonlyMap<string, PartitionLook>
}

export async function lookAt(address: string): Promise<ClusterLook> {
  const client = new Client({ brokers: [address], retryForMs: 30_000, timeoutMs: 30_000 })
  const admin = new Admin(client)
  try {
    const topics = [...(await admin.listTopics())].sort((a, b) => (a.name < b.name ? -1 : 1))
    const configs = await admin.describeConfigs(
      topics.map(({ name }) => ({ type: 'topic' as const, name })),
    )
    const lines = topics.map(({ name, topicId, partitions }, index) => {
      const own = (configs[index]?.entries ?? []).filter(({ source }) => source === 'topic')
      const texts = own.map((entry) => `${entry.name}=${entry.value}`).sort()
      return `${name} ${topicId} ${partitions.length} ${texts.join(',')}`
    })
    const partitions = new Map<string, PartitionLook>()
    for (const { name, partitions: parts } of topics) {
      const found = await readTopic(client, admin, name, parts.length)
      for (const [partition, look] of found.entries()) partitions.set(`${name}-${partition}`, look)
    }
    const { clusterId } = await admin.describeCluster()
    return { clusterId, topics: lines, partitions }
  } finally {
    client.close()
  }
}

async function readTopic(
  client: Client,
  admin: Admin,
  topic: string,
  count: number,
): Promise<PartitionLook[]> {
  const wanted = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
  const ranges = await admin.offsetRanges(wanted)
  const records: string[][] = wanted.map(() => [])
  const consumer = new Consumer(client)
  consumer.assign(
    ranges.map(({ start, end }) => ({
      topic,
      partition: start.partition,
      from: start.offset,
      to: end.offset,
    })),
  )
  for await (const batch of consumer) {
    const head = `${batch.leaderEpoch} ${batch.producerId} ${batch.timestampType}`
    for (const { offset, timestamp, key, value, headers } of batch.records()) {
      const pairs = headers.map((header) => `${header.key}:${text(header.value)}`)
      const body = `${timestamp} ${text(key)} ${text(value)} ${pairs.join(',')}`
      records[batch.partition]?.push(`${offset} ${head} ${body}`)
    }
  }
  consumer.close()
  return ranges.map(({ start, end }, partition) => ({
    start: start.offset,
    end: end.offset,
    records: records[partition] ?? [],
  }))
}

/** Short, and different for different bytes. */
function text(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  if (bytes.length <= 24) return Buffer.from(bytes).toString('hex')
  return `${bytes.length}#${createHash('sha1').update(bytes).digest('hex').slice(0, 16)}`
}

/** Every path of a tree with the hash of what is in it. */
export function treeOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const content = entry.isFile()
        ? createHash('sha1').update(readFileSync(path)).digest('hex')
        : '/'
      return `${path.slice(folder.length)} ${content}`
    })
    .sort()
}
