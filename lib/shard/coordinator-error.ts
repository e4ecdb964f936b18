/**
 * What a client of a coordinator is told when the coordinator's log refuses or fails.
 * Source: apache/kafka: .../common/runtime/CoordinatorOperationExceptionHelper.java.
 */

import { DecodeError, type ErrorName, errorName, KafkaError } from '../base/errors.ts'

/** By what the log says; everything else is told as it is. */
const told: Partial<Record<string, ErrorName>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'COORDINATOR_NOT_AVAILABLE',
  NOT_ENOUGH_REPLICAS: 'COORDINATOR_NOT_AVAILABLE',
  REQUEST_TIMED_OUT: 'COORDINATOR_NOT_AVAILABLE',
  NOT_LEADER_OR_FOLLOWER: 'NOT_COORDINATOR',
  KAFKA_STORAGE_ERROR: 'NOT_COORDINATOR',
  MESSAGE_TOO_LARGE: 'UNKNOWN_SERVER_ERROR',
  RECORD_LIST_TOO_LARGE: 'UNKNOWN_SERVER_ERROR',
}

export function coordinatorError(error: unknown): KafkaError {
  if (error instanceof KafkaError) {
    return new KafkaError(told[errorName(error.code)] ?? error.code, error.message, {
      cause: error,
    })
  }
  const what = error instanceof DecodeError ? 'a record cannot be read' : 'unexpected error'
  const why = error instanceof Error ? error.message : String(error)
  return new KafkaError('COORDINATOR_NOT_AVAILABLE', `${what}: ${why}`, { cause: error })
}
