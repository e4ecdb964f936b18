/**
 * InitProducerId (22), served v0-5: an id for an idempotent producer.
 * v2 flexible; v3 the producer's current id and epoch (KIP-360); v4 PRODUCER_FENCED; v5 KIP-890.
 * Without a transactional id the answer is always a fresh id with epoch 0, as in Kafka.
 * Differs from Kafka: a transactional id gets INVALID_REQUEST until there is a coordinator.
 * Yields INVALID_REQUEST, also for an id without its epoch or the other way round; COORDINATOR_NOT_AVAILABLE when the metadata store gives no ids.
 */

import { errorCode } from '../../base/errors.ts'
import { InitProducerId } from '../../protocol/apis/init-producer-id.ts'
import { handle } from '../handler.ts'

const none = -1
const refused = { producerId: none, producerEpoch: none }

export const initProducerId = handle(InitProducerId, async (broker, request) => {
  if (request.transactionalId !== null) {
    return { ...refused, errorCode: errorCode('INVALID_REQUEST') }
  }
  if ((request.producerId === none) !== (request.producerEpoch === none)) {
    return { ...refused, errorCode: errorCode('INVALID_REQUEST') }
  }
  return { producerId: await broker.producerIds.next(), producerEpoch: 0 }
})
