/**
 * Metadata (3): tells the brokers, the controller, and the leaders and replicas of topics.
 * v0 takes an empty list for all topics, from v1 on that is null. v1 racks, controller, internal
 * topics; v2 cluster id; v3 throttle time; v4 auto-creation may be declined; v5 offline replicas
 * (KIP-112); v6 throttled after the reply (KIP-219); v7 leader epochs (KIP-320); v8 authorized
 * operations (KIP-430); v9 flexible; v10 topic ids (KIP-516), asked by id from v12; v11 no
 * operations of the cluster (KIP-700); v13 an error for the whole answer (KIP-1102).
 */

import {
  api,
  array,
  bool,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const Metadata = api({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexible: 9,
  request: {
    topics: array(
      struct({
        topicId: uuid({ since: 10, ignorable: true }),
        name: string({ nullableSince: 10 }),
      }),
      { nullableSince: 1 },
    ),
    allowAutoTopicCreation: bool({ since: 4, fallback: true }),
    includeClusterAuthorizedOperations: bool({ since: 8, until: 10 }),
    includeTopicAuthorizedOperations: bool({ since: 8 }),
  },
  response: {
    throttleTimeMs: int32({ since: 3, ignorable: true }),
    brokers: array(
      struct({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ since: 1, nullableSince: 1, fallback: null, ignorable: true }),
      }),
    ),
    clusterId: string({ since: 2, nullableSince: 2, fallback: null, ignorable: true }),
    controllerId: int32({ since: 1, fallback: -1, ignorable: true }),
    topics: array(
      struct({
        errorCode: int16(),
        name: string({ nullableSince: 12 }),
        topicId: uuid({ since: 10, ignorable: true }),
        isInternal: bool({ since: 1, ignorable: true }),
        partitions: array(
          struct({
            errorCode: int16(),
            partitionIndex: int32(),
            leaderId: int32(),
            leaderEpoch: int32({ since: 7, fallback: -1, ignorable: true }),
            replicaNodes: array(int32()),
            isrNodes: array(int32()),
            offlineReplicas: array(int32(), { since: 5, ignorable: true }),
          }),
        ),
        topicAuthorizedOperations: int32({ since: 8, fallback: -2147483648 }),
      }),
    ),
    clusterAuthorizedOperations: int32({ since: 8, until: 10, fallback: -2147483648 }),
    errorCode: int16({ since: 13, ignorable: true }),
  },
})

export type MetadataRequest = RequestOf<typeof Metadata>
export type MetadataResponse = ResponseOf<typeof Metadata>
