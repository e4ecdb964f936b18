/**
 * FindCoordinator (10), served v0-6: which broker looks after a group.
 * v1 kinds of keys, and an error message; v3 flexible; v4 many keys in one request; v5 KIP-890; v6 share groups.
 * The first request for a group makes the topic that holds the groups.
 * Differs from Kafka: the topic is made before the answer, where Kafka says COORDINATOR_NOT_AVAILABLE first;
 * errors come with a text; transactional ids and share partitions have no coordinator yet.
 * Yields COORDINATOR_NOT_AVAILABLE; INVALID_REQUEST for other kinds of keys than groups.
 */

import { KafkaError } from '../../base/errors.ts'
import { offsetsTopic } from '../../coordinator/group/group-coordinator.ts'
import { FindCoordinator } from '../../protocol/apis/find-coordinator.ts'
import type { BrokerContext } from '../context.ts'
import { endpointOf, type NodeEndpoint } from '../endpoints.ts'
import { handle, kafkaErrorOf } from '../handler.ts'
import { ensureOffsetsTopic } from '../offsets-topic.ts'

const manyKeysVersion = 4
/** Numbers of the kinds of keys. */
const groupType = 0
const kinds = new Map([
  [1, 'transactional ids'],
  [2, 'share partitions'],
])
const nowhere = { nodeId: -1, host: '', port: -1 }

export const findCoordinator = handle(FindCoordinator, async (broker, request, context) => {
  const { listenerName } = context.session
  const { keyType, coordinatorKeys } = request
  const isMany = context.apiVersion >= manyKeysVersion
  const keys = isMany ? coordinatorKeys : [request.key]
  const refusal = keys.length === 0 ? null : await prepare(broker, keyType)
  const coordinators = keys.map((key) => {
    if (refusal !== null) return { key, ...nowhere, ...failed(refusal) }
    try {
      const { nodeId, host, port } = coordinatorOf(broker, key, listenerName)
      return { key, nodeId, host, port, errorCode: 0, errorMessage: isMany ? '' : 'NONE' }
    } catch (error) {
      return { key, ...nowhere, ...failed(kafkaErrorOf(error)) }
    }
  })
  if (isMany) return { coordinators }
  const [only] = coordinators
  if (only === undefined) return {}
  const { key: _key, ...answer } = only
  return answer
})

/** Makes the topic if need be; why nothing can be found, or null. */
async function prepare(broker: BrokerContext, keyType: number): Promise<KafkaError | null> {
  if (keyType !== groupType) {
    const kind = kinds.get(keyType) ?? `keys of type ${keyType}`
    return new KafkaError('INVALID_REQUEST', `this broker coordinates no ${kind}`)
  }
  try {
    await ensureOffsetsTopic(broker)
    return null
  } catch (error) {
    return kafkaErrorOf(error)
  }
}

function coordinatorOf(broker: BrokerContext, groupId: string, listenerName: string): NodeEndpoint {
  const { image } = broker.metadata
  const partition = broker.groups.partitionFor(groupId)
  const leader = image.topics.get(offsetsTopic)?.partitions[partition]?.leader ?? -1
  const node = image.brokers.get(leader)
  const endpoint = node === undefined ? null : endpointOf(node, listenerName)
  if (endpoint !== null) return endpoint
  throw new KafkaError('COORDINATOR_NOT_AVAILABLE', `${offsetsTopic}-${partition} has no leader`)
}

function failed({ code, message }: KafkaError) {
  return { errorCode: code, errorMessage: message }
}
