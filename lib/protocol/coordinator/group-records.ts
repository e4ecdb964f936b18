/**
 * The records of `__consumer_offsets` as bytes, and back.
 *
 *   key    | kind: int16 | key message, version 0 |
 *   value  | version: int16 | value message |         null: what the key says is taken back
 *
 * Source: apache/kafka: coordinator-common/.../runtime/CoordinatorRecordSerde.java.
 */

import { encodeMessage, readMessage } from '../codec.ts'
import { Reader } from '../reader.ts'
import type { Encodable, Fields, MessageOf } from '../schema.ts'
import { GroupMetadata } from './classic-group-records.ts'
import {
  ConsumerGroupCurrentMemberAssignment,
  ConsumerGroupMemberMetadata,
  ConsumerGroupMetadata,
  ConsumerGroupPartitionMetadata,
  ConsumerGroupRegularExpression,
  ConsumerGroupTargetAssignmentMember,
  ConsumerGroupTargetAssignmentMetadata,
} from './consumer-group-records.ts'
import { LegacyOffsetCommit, OffsetCommit } from './offset-records.ts'
import type { KeyOf, RecordKind, ValueOf } from './record-kind.ts'

/** Every kind, by ascending id. */
export const groupRecordKinds = [
  LegacyOffsetCommit,
  OffsetCommit,
  GroupMetadata,
  ConsumerGroupMetadata,
  ConsumerGroupPartitionMetadata,
  ConsumerGroupMemberMetadata,
  ConsumerGroupTargetAssignmentMetadata,
  ConsumerGroupTargetAssignmentMember,
  ConsumerGroupCurrentMemberAssignment,
  ConsumerGroupRegularExpression,
] as const

type Kind = (typeof groupRecordKinds)[number]

/** A record of a known kind: `kind` tells the types of `key` and `value`. */
export type GroupRecord = {
  [N in Kind['name']]: {
    readonly kind: N
    readonly key: KeyOf<Extract<Kind, { readonly name: N }>>
    /** null: what the key says is taken back. */
    readonly value: ValueOf<Extract<Kind, { readonly name: N }>> | null
  }
}[Kind['name']]

/** The bytes of a record: what a ShardRecord is. */
export interface RecordBytes {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

const byId = new Map<number, RecordKind>(groupRecordKinds.map((kind) => [kind.id, kind]))
const prefixBytes = 2

/** The bytes of a record; without a value, of the record that takes back what `key` says. */
export function encodeGroupRecord<N extends string, K extends Fields, V extends Fields>(
  kind: RecordKind<N, K, V>,
  key: Encodable<MessageOf<RecordKind<N, K, V>['key']>>,
  value: Encodable<MessageOf<RecordKind<N, K, V>['value']>> | null,
): RecordBytes {
  const { written } = kind
  return {
    key: prefixed(kind.id, encodeMessage(kind.key, 0, key)),
    value: value === null ? null : prefixed(written, encodeMessage(kind.value, written, value)),
  }
}

/** null for kinds that are not known: another version's, or of groups that are not served. DecodeError. */
export function decodeGroupRecord({ key, value }: RecordBytes): GroupRecord | null {
  const keyReader = new Reader([key])
  const kind = byId.get(keyReader.int16())
  if (kind === undefined) return null
  const decodedKey = readMessage(kind.key, 0, keyReader)
  const decoded = { kind: kind.name, key: decodedKey, value: decodedValue(kind, value) }
  // The kind was found by the key's id, so both messages are those that its name stands for.
  return decoded as GroupRecord
}

function decodedValue(kind: RecordKind, value: Uint8Array | null): object | null {
  if (value === null) return null
  const reader = new Reader([value])
  return readMessage(kind.value, reader.int16(), reader)
}

function prefixed(prefix: number, message: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(prefixBytes + message.length)
  bytes.writeInt16BE(prefix, 0)
  bytes.set(message, prefixBytes)
  return bytes
}
