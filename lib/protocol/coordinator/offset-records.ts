/**
 * Committed offsets in `__consumer_offsets`.
 * Source: apache/kafka: group-coordinator/src/main/resources/common/message/*OffsetCommit*.json.
 */

import { int32, int64, string, uuid } from '../schema.ts'
import { recordKind } from './record-kind.ts'

/** As brokers before 0.9 wrote them; read like OffsetCommit, never written. */
export const LegacyOffsetCommit = recordKind({
  id: 0,
  name: 'LegacyOffsetCommit',
  versions: [0, 0],
  flexible: null,
  key: { group: string(), topic: string(), partition: int32() },
  value: { offset: int64(), metadata: string(), commitTimestamp: int64() },
})

/** v1 the commit's own time to expire, v3 leader epoch (KIP-320), v4 topic id (KIP-848). */
export const OffsetCommit = recordKind({
  id: 1,
  name: 'OffsetCommit',
  versions: [0, 4],
  flexible: 4,
  written: 4,
  key: { group: string(), topic: string(), partition: int32() },
  value: {
    offset: int64(),
    leaderEpoch: int32({ since: 3, fallback: -1, ignorable: true }),
    metadata: string(),
    commitTimestamp: int64(),
    expireTimestamp: int64({ since: 1, until: 1, fallback: -1, ignorable: true }),
    topicId: uuid({ since: 4, tag: 0, ignorable: true }),
  },
})
