/**
 * InitProducerId (22), served v0-5: an id for an idempotent producer.
 * v2 flexible; v3 the producer's current id and epoch (KIP-360); v4 PRODUCER_FENCED; v5 KIP-890.
 * Without a transactional id the answer is always a fresh id with epoch 0, as in Kafka.
 * Differs from Kafka: a transactional id gets INVALID_REQUEST until there is a coordinator.
 * Yields INVALID_REQUEST, COORDINATOR_NOT_AVAILABLE when the metadata store gives no ids.
 */

import { KafkaError } from '../../base/errors.ts'
import { InitProducerId } from '../../protocol/apis/init-producer-id.ts'
import { handle } from '../handler.ts'

export const initProducerId = handle(InitProducerId, async (broker, request) => {
  if (request.transactionalId !== null) {
    throw new KafkaError('INVALID_REQUEST', 'transactions are not available on this broker')
  }
  return { producerId: await broker.producerIds.next(), producerEpoch: 0 }
})
