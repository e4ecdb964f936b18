/**
 * Bytes on disk, asked of every broker (DescribeLogDirs). A broker that does not offer the request,
 * or an answer we may not see, leaves sizes unknown; that is remarked on, and fails nothing.
 */

import type { BrokerId } from '../../lib/base/types.ts'
import type { Client } from '../../lib/client/client.ts'
import { DescribeLogDirs } from '../../lib/protocol/apis/describe-log-dirs.ts'
import type { CommandContext } from '../command.ts'

/** One replica's size in bytes. */
export interface ReplicaSize {
  readonly broker: BrokerId
  readonly topic: string
  readonly partition: number
  readonly sizeBytes: number
}

/** The replicas of these topics (null = all), and the brokers that did not tell. */
export async function replicaSizes(
  client: Client,
  topics: readonly { name: string; partitions: readonly number[] }[] | null,
): Promise<{ sizes: ReplicaSize[]; silent: BrokerId[] }> {
  if (client.cache.brokers().length === 0) await client.metadata({ topics: [] })
  const sizes: ReplicaSize[] = []
  const silent: BrokerId[] = []
  const wanted = topics?.map(({ name, partitions }) => ({ topic: name, partitions })) ?? null
  await Promise.all(
    client.cache.brokers().map(async ({ id }) => {
      try {
        const found = await client.request(DescribeLogDirs, () => ({ topics: wanted }), { to: id })
        sizes.push(...sizesIn(found.results, id))
      } catch (error) {
        if (!(error instanceof Error) || error.name === 'AssertionError') throw error
        silent.push(id)
      }
    }),
  )
  return { sizes, silent: silent.sort((left, right) => left - right) }
}

interface LogDir {
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly partitionSize: number
    }[]
  }[]
}

function sizesIn(results: readonly LogDir[], broker: BrokerId): ReplicaSize[] {
  return results.flatMap(({ topics }) =>
    topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, partitionSize }) => ({
        broker,
        topic: name,
        partition: partitionIndex,
        sizeBytes: partitionSize,
      })),
    ),
  )
}

/** Bytes of all replicas per topic, for `topic list --size`; says which brokers did not tell. */
export async function sizesOfTopics(context: CommandContext): Promise<Map<string, number>> {
  const { sizes, silent } = await replicaSizes(await context.client(), null)
  if (silent.length > 0) context.note(`no sizes from broker ${silent.join(', ')}`)
  const totals = new Map<string, number>()
  for (const { topic, sizeBytes } of sizes) {
    totals.set(topic, (totals.get(topic) ?? 0) + sizeBytes)
  }
  return totals
}
