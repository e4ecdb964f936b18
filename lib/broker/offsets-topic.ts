/** The topic that the groups live in, made when it is first needed. */

import { KafkaError } from '../base/errors.ts'
import { offsetsTopic } from '../coordinator/group/group-coordinator.ts'
import type { BrokerContext } from './context.ts'
import { createAndWait } from './create-topic.ts'

/** Those under way, by broker: one creation for all who ask meanwhile. */
const creations = new WeakMap<BrokerContext, Promise<void>>()

/** Resolves when the topic exists and this broker has its partitions. COORDINATOR_NOT_AVAILABLE. */
export async function ensureOffsetsTopic(broker: BrokerContext): Promise<void> {
  if (broker.metadata.image.topics.has(offsetsTopic)) return
  const creation = creations.get(broker) ?? create(broker)
  creations.set(broker, creation)
  await creation.finally(() => creations.delete(broker))
}

async function create(broker: BrokerContext): Promise<void> {
  const { config } = broker
  try {
    await createAndWait(broker, {
      name: offsetsTopic,
      numPartitions: config['offsets.topic.num.partitions'],
      replicationFactor: config['offsets.topic.replication.factor'],
      configs: {
        'cleanup.policy': 'compact',
        'compression.type': 'producer',
        'segment.bytes': String(config['offsets.topic.segment.bytes']),
      },
      timeoutMs: config['request.timeout.ms'],
    })
  } catch (error) {
    if (error instanceof KafkaError && error.name === 'TOPIC_ALREADY_EXISTS') return
    const reason = error instanceof Error ? error.message : String(error)
    broker.env.log.error('offsets topic not created', { topic: offsetsTopic, reason })
    throw new KafkaError('COORDINATOR_NOT_AVAILABLE', `${offsetsTopic} cannot be made: ${reason}`)
  }
}
