/**
 * CreatePartitions (37), served v0-3: more partitions for a topic. v2 flexible; v3 quotas.
 * It answers when this broker has what it gets of the new ones, or at `timeoutMs`.
 * Yields per topic UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS unless the count grows,
 * INVALID_REPLICA_ASSIGNMENT, INVALID_REQUEST for a topic that comes twice, REQUEST_TIMED_OUT.
 */

import { KafkaError } from '../../base/errors.ts'
import { CreatePartitions } from '../../protocol/apis/create-partitions.ts'
import { seen } from '../create-topic.ts'
import { handle, inSlices, kafkaErrorOf } from '../handler.ts'
import { givenTwice } from '../twice.ts'

export const createPartitions = handle(CreatePartitions, async (broker, request) => {
  const { validateOnly, timeoutMs } = request
  const results = []
  const answered = new Set<string>()
  const twice = givenTwice(request.topics, ({ name }) => name)
  for await (const { name, count, assignments } of inSlices(request.topics, broker.env)) {
    if (answered.has(name)) continue
    answered.add(name)
    try {
      if (twice.has(name)) {
        throw new KafkaError('INVALID_REQUEST', `topic ${name} comes twice in the request`)
      }
      const revision = await broker.controller.createPartitions({
        name,
        count,
        assignments: assignments?.map(({ brokerIds }) => brokerIds) ?? null,
        validateOnly,
      })
      if (!validateOnly) await seen(broker, revision, timeoutMs)
      results.push({ name, errorCode: 0, errorMessage: null })
    } catch (error) {
      const { code, message } = kafkaErrorOf(error)
      results.push({ name, errorCode: code, errorMessage: message })
    }
  }
  return { results }
})
