/**
 * ElectLeaders (43): has partitions elect a leader: the preferred one, or any at the price of
 * records (KIP-183).
 * v1 kind of election, an error for the whole answer (KIP-460); v2 flexible.
 */

import {
  api,
  array,
  int8,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const ElectLeaders = api({
  key: 43,
  name: 'ElectLeaders',
  versions: [0, 2],
  flexible: 2,
  request: {
    electionType: int8({ since: 1 }),
    topicPartitions: array(struct({ topic: string(), partitions: array(int32()) }), {
      nullableSince: 0,
    }),
    timeoutMs: int32({ fallback: 60000 }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16({ since: 1 }),
    replicaElectionResults: array(
      struct({
        topic: string(),
        partitionResult: array(
          struct({
            partitionId: int32(),
            errorCode: int16(),
            errorMessage: string({ nullableSince: 0 }),
          }),
        ),
      }),
    ),
  },
})

export type ElectLeadersRequest = RequestOf<typeof ElectLeaders>
export type ElectLeadersResponse = ResponseOf<typeof ElectLeaders>
