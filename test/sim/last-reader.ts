/** After everything: reads all topics of a cluster once more, as a client, for the checker. */

import type { Offset } from '../../lib/base/types.ts'
import { Consumer } from '../../lib/client/consumer.ts'
import { listOffsets } from '../../lib/client/offsets.ts'
import { ClientHost } from './client-host.ts'
import { nameOf } from './ledger.ts'

export class LastReader extends ClientHost {
  #isFinished = false

  get unfinished(): string | null {
    return this.#isFinished ? null : 'has not read everything'
  }

  protected override async run(): Promise<void> {
    const { client, cluster } = this
    const partitions = cluster.topics.flatMap(({ name, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
    )
    const starts = await listOffsets(
      client,
      partitions.map((one) => ({ ...one, at: 'earliest' })),
    )
    const ends = await listOffsets(
      client,
      partitions.map((one) => ({ ...one, at: 'latest' })),
    )
    const found = starts.map(({ offset }) => ({ start: offset, names: new Map<Offset, string>() }))
    const consumer = new Consumer(client)
    consumer.assign(
      ends.map(({ topic, partition, offset }, index) => ({
        topic,
        partition,
        from: found[index]?.start ?? 0,
        to: offset,
      })),
    )
    for await (const batch of consumer) {
      const at = partitions.findIndex(
        ({ topic, partition }) => topic === batch.topic && partition === batch.partition,
      )
      for (const { offset, value } of batch.records()) found[at]?.names.set(offset, nameOf(value))
    }
    for (const [index, { topic, partition }] of partitions.entries()) {
      cluster.ledger(topic, partition).history.final = found[index] ?? null
    }
    this.#isFinished = true
    client.close()
  }
}
