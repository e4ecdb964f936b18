/** Changing topics and waiting until the change can be seen: in the metadata here, and in the logs. */

import type { CreatedTopic, NewTopic } from '../controller/topics.ts'
import type { BrokerContext } from './context.ts'

/** "The broker's default", for partitions and replicas. */
const byDefault = -1

/**
 * Creates a topic and waits until this broker knows it and has opened its partitions, so that the
 * client's next request finds it. Throws what Controller.createTopic throws, REQUEST_TIMED_OUT.
 */
export async function createAndWait(
  broker: BrokerContext,
  { timeoutMs, ...wanted }: Pick<NewTopic, 'name'> & Partial<NewTopic> & { timeoutMs: number },
): Promise<CreatedTopic> {
  const created = await broker.controller.createTopic({
    numPartitions: byDefault,
    replicationFactor: byDefault,
    ...wanted,
  })
  if (wanted.validateOnly !== true) await seen(broker, created.revision, timeoutMs)
  return created
}

/** Resolves when this broker's metadata and partitions are at `revision`. REQUEST_TIMED_OUT. */
export async function seen(
  broker: BrokerContext,
  revision: number,
  timeoutMs: number,
): Promise<void> {
  await broker.metadata.waitFor(revision, timeoutMs)
  broker.replicas.onImage(broker.metadata.image)
  await broker.replicas.whenApplied(revision, timeoutMs)
}
