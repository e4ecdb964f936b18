/**
 * DescribeCluster (60), served v0-2: brokers, controller, cluster id.
 * v1 endpointType; v2 includeFencedBrokers and isFenced. A broker that is gone leaves the metadata
 * here, so there is never a fenced one to tell of.
 * Yields MISMATCHED_ENDPOINT_TYPE for controllers, UNSUPPORTED_ENDPOINT_TYPE for anything else.
 */

import { KafkaError } from '../../base/errors.ts'
import { DescribeCluster } from '../../protocol/apis/describe-cluster.ts'
import { endpointsOf } from '../endpoints.ts'
import { handle } from '../handler.ts'
import { clusterOperations, operationsOmitted } from '../topics.ts'

const endpointType = { brokers: 1, controllers: 2 } as const

export const describeCluster = handle(DescribeCluster, (broker, request, { session }) => {
  if (request.endpointType === endpointType.controllers) {
    throw new KafkaError('MISMATCHED_ENDPOINT_TYPE', 'this is a broker, not a controller endpoint')
  }
  if (request.endpointType !== endpointType.brokers) {
    throw new KafkaError('UNSUPPORTED_ENDPOINT_TYPE', `endpoint type ${request.endpointType}`)
  }
  const { image } = broker.metadata
  const { controllerId } = image
  const hasController = image.brokers.has(controllerId)
  return {
    clusterId: broker.clusterId,
    controllerId: hasController ? controllerId : broker.brokerId,
    brokers: endpointsOf(image, session.listenerName).map(({ nodeId, ...endpoint }) => ({
      brokerId: nodeId,
      ...endpoint,
    })),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? clusterOperations
      : operationsOmitted,
  }
})
