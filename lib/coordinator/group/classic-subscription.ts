/**
 * The topics in the metadata of a member of protocol type "consumer". This is the only thing that the
 * broker reads of it, to know whose offsets are still wanted, so what it cannot read is no error.
 *
 *   version: int16 | topics: array(string) | userData: bytes | ...        v1 owned partitions, ...
 *
 * Source: apache/kafka: clients/.../common/message/ConsumerProtocolSubscription.json.
 */

import { DecodeError } from '../../base/errors.ts'
import { Reader } from '../../protocol/reader.ts'

/** The protocol type of consumers. */
export const consumerProtocolType = 'consumer'

const leastTopicBytes = 2

/** null: these bytes are no subscription. */
export function subscribedTopicsOf(metadata: Uint8Array): string[] | null {
  try {
    const reader = new Reader([metadata])
    if (reader.int16() < 0) return null
    const count = reader.length(leastTopicBytes)
    const topics: string[] = []
    for (let index = 0; index < count; index++) {
      const size = reader.shortLength()
      if (size < 0) return null
      topics.push(reader.text(size))
    }
    return count < 0 ? null : topics
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}
