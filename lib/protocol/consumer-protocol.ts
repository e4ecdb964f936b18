/**
 * What members of a classic group of protocol type `consumer` tell each other through the
 * coordinator, which does not look inside: each one's subscription (JoinGroup), and the assignment
 * that the leader made for it (SyncGroup).
 *
 *   | version: int16 | message of that version, without tagged fields |
 *
 * Versions are open at the end: a newer one begins as version 3 does, and what follows is left
 * alone. Some clients claim a version and write less than it has, so a message that is too short is
 * read as an older version of itself.
 * Sources: KIP-429 (owned partitions), KIP-792 (generation), KIP-881 (rack); apache/kafka:
 * ConsumerProtocolSubscription.json, ConsumerProtocolAssignment.json, ConsumerProtocol.java.
 */

import { DecodeError } from '../base/errors.ts'
import { encodeMessage, readMessageStart } from './codec.ts'
import { Reader } from './reader.ts'
import {
  array,
  bytes,
  type Encodable,
  type Fields,
  int16,
  int32,
  type Message,
  type MessageOf,
  message,
  string,
  struct,
} from './schema.ts'

const topicPartitions = { topic: string(), partitions: array(int32()) }

export const ConsumerProtocolSubscription = message({
  name: 'ConsumerProtocolSubscription',
  versions: [0, 3],
  flexible: null,
  fields: {
    topics: array(string()),
    userData: bytes({ nullableSince: 0, fallback: null }),
    ownedPartitions: array(struct(topicPartitions), { since: 1, ignorable: true }),
    generationId: int32({ since: 2, fallback: -1, ignorable: true }),
    rackId: string({ since: 3, nullableSince: 3, fallback: null, ignorable: true }),
  },
})

export const ConsumerProtocolAssignment = message({
  name: 'ConsumerProtocolAssignment',
  versions: [0, 3],
  flexible: null,
  fields: {
    assignedPartitions: array(struct(topicPartitions)),
    userData: bytes({ nullableSince: 0, fallback: null }),
  },
})

export type ConsumerProtocolSubscription = MessageOf<typeof ConsumerProtocolSubscription>
export type ConsumerProtocolAssignment = MessageOf<typeof ConsumerProtocolAssignment>

const prefix = message({
  name: 'ConsumerProtocolVersion',
  versions: [0, 0],
  flexible: null,
  fields: { version: int16() },
})

/** A subscription, behind its version. */
export function encodeSubscription(
  subscription: Encodable<ConsumerProtocolSubscription>,
  version = 3,
): Uint8Array {
  return withVersion(version, encodeMessage(ConsumerProtocolSubscription, version, subscription))
}

/** An assignment, behind its version. */
export function encodeAssignment(
  assignment: Encodable<ConsumerProtocolAssignment>,
  version = 3,
): Uint8Array {
  return withVersion(version, encodeMessage(ConsumerProtocolAssignment, version, assignment))
}

/** Throws DecodeError for what is no subscription. */
export function decodeSubscription(given: Uint8Array): ConsumerProtocolSubscription {
  return decode(ConsumerProtocolSubscription, given)
}

/** Throws DecodeError for what is no assignment. */
export function decodeAssignment(given: Uint8Array): ConsumerProtocolAssignment {
  return decode(ConsumerProtocolAssignment, given)
}

function withVersion(version: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([encodeMessage(prefix, 0, { version }), body])
}

function decode<F extends Fields>(schema: Message<F>, given: Uint8Array): MessageOf<Message<F>> {
  const claimed = new Reader([given]).int16()
  if (claimed < 0) throw new DecodeError(`${schema.name}: version ${claimed}`)
  let failure: unknown
  for (let version = Math.min(claimed, schema.versions[1]); version >= 0; version--) {
    try {
      return readMessageStart(schema, version, new Reader([given.subarray(2)]))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      failure ??= error
    }
  }
  throw failure
}
