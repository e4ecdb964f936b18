/**
 * ConsumerGroupHeartbeat (68), served v0-1: a member of a consumer group joins, reports what it has and
 * is told what it is to have, or leaves (KIP-848). v1 subscribedTopicRegex, and members make their ids.
 * Differs from Kafka: an expression is resolved before the answer, so that the first one already holds
 * partitions; new targets are not held back to gather changes (KIP-1263).
 * Yields INVALID_REQUEST, UNSUPPORTED_VERSION, UNSUPPORTED_ASSIGNOR, GROUP_ID_NOT_FOUND,
 * GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID,
 * FENCED_INSTANCE_ID, INVALID_REGULAR_EXPRESSION, and what finding the coordinator yields.
 */

import { KafkaError } from '../../base/errors.ts'
import { consumerGroupHeartbeat as heartbeat } from '../../coordinator/group/consumer-heartbeat.ts'
import { loadRegexEngine } from '../../coordinator/group/consumer-regex.ts'
import { ConsumerGroupHeartbeat } from '../../protocol/apis/consumer-group-heartbeat.ts'
import { handle, kafkaErrorOf } from '../handler.ts'

export const consumerGroupHeartbeat = handle(
  ConsumerGroupHeartbeat,
  async (broker, request, { session, clientId, apiVersion }) => {
    const client = { clientId: clientId ?? '', clientHost: `/${session.remote.host}`, apiVersion }
    try {
      if (!broker.config['group.coordinator.rebalance.protocols'].includes('consumer')) {
        throw new KafkaError(
          'UNSUPPORTED_VERSION',
          'group.coordinator.rebalance.protocols has no "consumer" in it',
        )
      }
      if (request.groupId === '') throw new KafkaError('INVALID_REQUEST', 'groupId is empty')
      if (request.subscribedTopicRegex) await loadRegexEngine()
      return await broker.groups.write(request.groupId, (shard) =>
        heartbeat(shard, request, client),
      )
    } catch (error) {
      const { code, message } = kafkaErrorOf(error)
      return { errorCode: code, errorMessage: message }
    }
  },
)
