/**
 * The error codes of the Kafka protocol, and the one error class that carries them.
 * One row per code: name, code, whether a client may simply try again, and a sentence for people.
 * Source: apache/kafka: .../protocol/Errors.java (codes and retriability).
 */

type Row = readonly [name: string, code: number, isRetriable: boolean, message: string]

const rows = [
  ['UNKNOWN_SERVER_ERROR', -1, false, 'the broker met an unexpected error; its log says more'],
  ['NONE', 0, false, ''],
  ['OFFSET_OUT_OF_RANGE', 1, false, 'the offset is not within the log'],
  ['CORRUPT_MESSAGE', 2, true, 'the batch fails its checksum or is malformed'],
  ['UNKNOWN_TOPIC_OR_PARTITION', 3, true, 'no such topic or partition here'],
  ['INVALID_FETCH_SIZE', 4, false, 'invalid fetch size'],
  ['LEADER_NOT_AVAILABLE', 5, true, 'the partition has no leader at the moment'],
  ['NOT_LEADER_OR_FOLLOWER', 6, true, 'this broker is not the leader of the partition'],
  ['REQUEST_TIMED_OUT', 7, true, 'the request was not done within its time-out'],
  ['BROKER_NOT_AVAILABLE', 8, false, 'broker not available'],
  ['REPLICA_NOT_AVAILABLE', 9, true, 'replica not available'],
  ['MESSAGE_TOO_LARGE', 10, false, 'the batch is larger than max.message.bytes'],
  ['STALE_CONTROLLER_EPOCH', 11, false, 'stale controller epoch'],
  ['OFFSET_METADATA_TOO_LARGE', 12, false, 'the metadata of the offset is too long'],
  ['NETWORK_EXCEPTION', 13, true, 'network exception'],
  ['COORDINATOR_LOAD_IN_PROGRESS', 14, true, 'coordinator load in progress'],
  ['COORDINATOR_NOT_AVAILABLE', 15, true, 'coordinator not available'],
  ['NOT_COORDINATOR', 16, true, 'not coordinator'],
  ['INVALID_TOPIC_EXCEPTION', 17, false, 'the topic name is not valid'],
  ['RECORD_LIST_TOO_LARGE', 18, false, 'the batch is larger than segment.bytes'],
  ['NOT_ENOUGH_REPLICAS', 19, true, 'fewer replicas are in sync than min.insync.replicas asks for'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 20, true, 'not enough replicas after append'],
  ['INVALID_REQUIRED_ACKS', 21, false, 'acks must be -1, 0 or 1'],
  ['ILLEGAL_GENERATION', 22, false, 'illegal generation'],
  ['INCONSISTENT_GROUP_PROTOCOL', 23, false, 'inconsistent group protocol'],
  ['INVALID_GROUP_ID', 24, false, 'invalid group id'],
  ['UNKNOWN_MEMBER_ID', 25, false, 'unknown member id'],
  ['INVALID_SESSION_TIMEOUT', 26, false, 'invalid session timeout'],
  ['REBALANCE_IN_PROGRESS', 27, false, 'rebalance in progress'],
  ['INVALID_COMMIT_OFFSET_SIZE', 28, false, 'invalid commit offset size'],
  ['TOPIC_AUTHORIZATION_FAILED', 29, false, 'topic authorization failed'],
  ['GROUP_AUTHORIZATION_FAILED', 30, false, 'group authorization failed'],
  ['CLUSTER_AUTHORIZATION_FAILED', 31, false, 'cluster authorization failed'],
  ['INVALID_TIMESTAMP', 32, false, 'a record timestamp is outside the limits of the topic'],
  ['UNSUPPORTED_SASL_MECHANISM', 33, false, 'unsupported sasl mechanism'],
  ['ILLEGAL_SASL_STATE', 34, false, 'illegal sasl state'],
  ['UNSUPPORTED_VERSION', 35, false, 'the version of the request is not supported'],
  ['TOPIC_ALREADY_EXISTS', 36, false, 'the topic exists already'],
  ['INVALID_PARTITIONS', 37, false, 'the number of partitions is not valid'],
  ['INVALID_REPLICATION_FACTOR', 38, false, 'the replication factor is not valid'],
  ['INVALID_REPLICA_ASSIGNMENT', 39, false, 'the replica assignment is not valid'],
  ['INVALID_CONFIG', 40, false, 'a configuration is not valid'],
  ['NOT_CONTROLLER', 41, true, 'not controller'],
  ['INVALID_REQUEST', 42, false, 'the request is not valid'],
  ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 43, false, 'the message format does not support the request'],
  ['POLICY_VIOLATION', 44, false, 'a policy of the broker or topic forbids it'],
  ['OUT_OF_ORDER_SEQUENCE_NUMBER', 45, false, 'the sequence number does not follow the last one'],
  ['DUPLICATE_SEQUENCE_NUMBER', 46, false, 'duplicate sequence number'],
  ['INVALID_PRODUCER_EPOCH', 47, false, 'a newer producer took over this producer id'],
  ['INVALID_TXN_STATE', 48, false, 'invalid txn state'],
  ['INVALID_PRODUCER_ID_MAPPING', 49, false, 'invalid producer id mapping'],
  ['INVALID_TRANSACTION_TIMEOUT', 50, false, 'invalid transaction timeout'],
  ['CONCURRENT_TRANSACTIONS', 51, true, 'concurrent transactions'],
  ['TRANSACTION_COORDINATOR_FENCED', 52, false, 'transaction coordinator fenced'],
  ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 53, false, 'transactional id authorization failed'],
  ['SECURITY_DISABLED', 54, false, 'security disabled'],
  ['OPERATION_NOT_ATTEMPTED', 55, false, 'operation not attempted'],
  ['KAFKA_STORAGE_ERROR', 56, true, 'the log directory of the partition failed or is full'],
  ['LOG_DIR_NOT_FOUND', 57, false, 'log dir not found'],
  ['SASL_AUTHENTICATION_FAILED', 58, false, 'sasl authentication failed'],
  ['UNKNOWN_PRODUCER_ID', 59, false, 'unknown producer id'],
  ['REASSIGNMENT_IN_PROGRESS', 60, false, 'reassignment in progress'],
  ['DELEGATION_TOKEN_AUTH_DISABLED', 61, false, 'delegation token auth disabled'],
  ['DELEGATION_TOKEN_NOT_FOUND', 62, false, 'delegation token not found'],
  ['DELEGATION_TOKEN_OWNER_MISMATCH', 63, false, 'delegation token owner mismatch'],
  ['DELEGATION_TOKEN_REQUEST_NOT_ALLOWED', 64, false, 'delegation token request not allowed'],
  ['DELEGATION_TOKEN_AUTHORIZATION_FAILED', 65, false, 'delegation token authorization failed'],
  ['DELEGATION_TOKEN_EXPIRED', 66, false, 'delegation token expired'],
  ['INVALID_PRINCIPAL_TYPE', 67, false, 'invalid principal type'],
  ['NON_EMPTY_GROUP', 68, false, 'non empty group'],
  ['GROUP_ID_NOT_FOUND', 69, false, 'group id not found'],
  ['FETCH_SESSION_ID_NOT_FOUND', 70, true, 'fetch session id not found'],
  ['INVALID_FETCH_SESSION_EPOCH', 71, true, 'invalid fetch session epoch'],
  ['LISTENER_NOT_FOUND', 72, true, 'listener not found'],
  ['TOPIC_DELETION_DISABLED', 73, false, 'delete.topic.enable is false on the broker'],
  [
    'FENCED_LEADER_EPOCH',
    74,
    true,
    'the leader epoch of the request is older than the current one',
  ],
  [
    'UNKNOWN_LEADER_EPOCH',
    75,
    true,
    'the leader epoch of the request is newer than the one known here',
  ],
  [
    'UNSUPPORTED_COMPRESSION_TYPE',
    76,
    false,
    'this version of the request cannot carry the compression type',
  ],
  ['STALE_BROKER_EPOCH', 77, false, 'stale broker epoch'],
  ['OFFSET_NOT_AVAILABLE', 78, true, 'offset not available'],
  ['MEMBER_ID_REQUIRED', 79, false, 'member id required'],
  ['PREFERRED_LEADER_NOT_AVAILABLE', 80, true, 'preferred leader not available'],
  ['GROUP_MAX_SIZE_REACHED', 81, false, 'group max size reached'],
  ['FENCED_INSTANCE_ID', 82, false, 'fenced instance id'],
  ['ELIGIBLE_LEADERS_NOT_AVAILABLE', 83, true, 'eligible leaders not available'],
  ['ELECTION_NOT_NEEDED', 84, true, 'election not needed'],
  ['NO_REASSIGNMENT_IN_PROGRESS', 85, false, 'no reassignment in progress'],
  ['GROUP_SUBSCRIBED_TO_TOPIC', 86, false, 'group subscribed to topic'],
  ['INVALID_RECORD', 87, false, 'a record fails validation'],
  ['UNSTABLE_OFFSET_COMMIT', 88, true, 'unstable offset commit'],
  ['THROTTLING_QUOTA_EXCEEDED', 89, true, 'throttling quota exceeded'],
  ['PRODUCER_FENCED', 90, false, 'producer fenced'],
  ['RESOURCE_NOT_FOUND', 91, false, 'resource not found'],
  ['DUPLICATE_RESOURCE', 92, false, 'duplicate resource'],
  ['UNACCEPTABLE_CREDENTIAL', 93, false, 'unacceptable credential'],
  ['INCONSISTENT_VOTER_SET', 94, false, 'inconsistent voter set'],
  ['INVALID_UPDATE_VERSION', 95, false, 'invalid update version'],
  ['FEATURE_UPDATE_FAILED', 96, false, 'feature update failed'],
  ['PRINCIPAL_DESERIALIZATION_FAILURE', 97, false, 'principal deserialization failure'],
  ['SNAPSHOT_NOT_FOUND', 98, false, 'snapshot not found'],
  ['POSITION_OUT_OF_RANGE', 99, false, 'position out of range'],
  ['UNKNOWN_TOPIC_ID', 100, true, 'no topic has this id'],
  ['DUPLICATE_BROKER_REGISTRATION', 101, false, 'duplicate broker registration'],
  ['BROKER_ID_NOT_REGISTERED', 102, false, 'broker id not registered'],
  ['INCONSISTENT_TOPIC_ID', 103, true, 'inconsistent topic id'],
  ['INCONSISTENT_CLUSTER_ID', 104, false, 'inconsistent cluster id'],
  ['TRANSACTIONAL_ID_NOT_FOUND', 105, false, 'transactional id not found'],
  ['FETCH_SESSION_TOPIC_ID_ERROR', 106, true, 'fetch session topic id error'],
  ['INELIGIBLE_REPLICA', 107, false, 'ineligible replica'],
  ['NEW_LEADER_ELECTED', 108, false, 'new leader elected'],
  ['OFFSET_MOVED_TO_TIERED_STORAGE', 109, false, 'offset moved to tiered storage'],
  ['FENCED_MEMBER_EPOCH', 110, false, 'fenced member epoch'],
  ['UNRELEASED_INSTANCE_ID', 111, false, 'unreleased instance id'],
  ['UNSUPPORTED_ASSIGNOR', 112, false, 'unsupported assignor'],
  ['STALE_MEMBER_EPOCH', 113, false, 'stale member epoch'],
  ['MISMATCHED_ENDPOINT_TYPE', 114, false, 'mismatched endpoint type'],
  ['UNSUPPORTED_ENDPOINT_TYPE', 115, false, 'unsupported endpoint type'],
  ['UNKNOWN_CONTROLLER_ID', 116, false, 'unknown controller id'],
  ['UNKNOWN_SUBSCRIPTION_ID', 117, false, 'unknown subscription id'],
  ['TELEMETRY_TOO_LARGE', 118, false, 'telemetry too large'],
  ['INVALID_REGISTRATION', 119, false, 'invalid registration'],
  ['TRANSACTION_ABORTABLE', 120, false, 'transaction abortable'],
  ['INVALID_RECORD_STATE', 121, false, 'invalid record state'],
  ['SHARE_SESSION_NOT_FOUND', 122, true, 'share session not found'],
  ['INVALID_SHARE_SESSION_EPOCH', 123, true, 'invalid share session epoch'],
  ['FENCED_STATE_EPOCH', 124, false, 'fenced state epoch'],
  ['INVALID_VOTER_KEY', 125, false, 'invalid voter key'],
  ['DUPLICATE_VOTER', 126, false, 'duplicate voter'],
  ['VOTER_NOT_FOUND', 127, false, 'voter not found'],
  ['INVALID_REGULAR_EXPRESSION', 128, false, 'invalid regular expression'],
  ['REBOOTSTRAP_REQUIRED', 129, false, 'rebootstrap required'],
  ['STREAMS_INVALID_TOPOLOGY', 130, false, 'streams invalid topology'],
  ['STREAMS_INVALID_TOPOLOGY_EPOCH', 131, false, 'streams invalid topology epoch'],
  ['STREAMS_TOPOLOGY_FENCED', 132, false, 'streams topology fenced'],
  ['SHARE_SESSION_LIMIT_REACHED', 133, true, 'share session limit reached'],
] as const satisfies readonly Row[]

/** The name of an error of the protocol, as Kafka spells it. */
export type ErrorName = (typeof rows)[number][0]

const byName = new Map<string, Row>(rows.map((row) => [row[0], row]))
const byCode = new Map<number, Row>(rows.map((row) => [row[1], row]))

/** The int16 that stands for `name` on the wire. */
export function errorCode(name: ErrorName): number {
  return byName.get(name)?.[1] ?? -1
}

/** The name of a code; a code from a newer broker than we know reads `ERROR_<code>`. */
export function errorName(code: number): ErrorName | `ERROR_${number}` {
  return (byCode.get(code)?.[0] as ErrorName | undefined) ?? `ERROR_${code}`
}

/** Whether a client may send the same request again after this code. */
export function isRetriable(code: number): boolean {
  return byCode.get(code)?.[2] ?? false
}

/** What the code means, as a sentence without a full stop; '' for 0. */
export function errorMessage(code: number): string {
  return byCode.get(code)?.[3] ?? `error ${code}, which this version does not know`
}

/**
 * An error of the protocol: thrown low, turned into an errorCode at the border (a handler's
 * partition loop, or dispatch), or made from an errorCode by the client.
 */
export class KafkaError extends Error {
  readonly code: number
  readonly isRetriable: boolean

  constructor(nameOrCode: ErrorName | number, message?: string, options?: ErrorOptions) {
    const code = typeof nameOrCode === 'number' ? nameOrCode : errorCode(nameOrCode)
    super(message ?? errorMessage(code), options)
    this.name = errorName(code)
    this.code = code
    this.isRetriable = isRetriable(code)
  }
}

/** Bytes from outside that do not follow their format: the connection or file they came from is at fault. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
}
