/**
 * A classic group in `__consumer_offsets`: one record with all its members.
 * Source: apache/kafka: group-coordinator/src/main/resources/common/message/GroupMetadata*.json.
 */

import { array, bytes, int32, int64, string, struct } from '../schema.ts'
import { recordKind } from './record-kind.ts'

/**
 * v1 rebalance time-outs, v2 the time of the last change of state (KIP-211), v3 static members
 * (KIP-345), v4 tagged fields.
 */
export const GroupMetadata = recordKind({
  id: 2,
  name: 'GroupMetadata',
  versions: [0, 4],
  flexible: 4,
  written: 3,
  key: { group: string() },
  value: {
    protocolType: string(),
    generation: int32(),
    protocol: string({ nullableSince: 0 }),
    leader: string({ nullableSince: 0 }),
    currentStateTimestamp: int64({ since: 2, fallback: -1, ignorable: true }),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({
          since: 3,
          nullableSince: 3,
          fallback: null,
          ignorable: true,
        }),
        clientId: string(),
        clientHost: string(),
        rebalanceTimeout: int32({ since: 1, fallback: -1, ignorable: true }),
        sessionTimeout: int32(),
        subscription: bytes(),
        assignment: bytes(),
      }),
    ),
  },
})
