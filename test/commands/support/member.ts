/** A member of a group, as far as the coordinator can tell: it joins by hand and does nothing more. */

import { Client } from '../../../lib/client/client.ts'
import { Coordinators } from '../../../lib/client/coordinators.ts'
import { ConsumerGroupHeartbeat } from '../../../lib/protocol/apis/consumer-group-heartbeat.ts'

export interface Member {
  leave(): Promise<void>
}

/** Joins with the new protocol, which gives partitions at once. */
export async function joinGroup(
  brokers: string,
  { group, topics, memberId = 'AAAAAAAAAAAAAAAAAAAAAQ' }: GroupToJoin,
): Promise<Member> {
  const client = new Client({ brokers: [brokers], clientId: 'c-1' })
  const connection = await new Coordinators(client).connectionFor(group)
  const heartbeat = async (memberEpoch: number) => {
    const joining =
      memberEpoch === 0
        ? { rebalanceTimeoutMs: 60_000, subscribedTopicNames: [...topics], topicPartitions: [] }
        : {}
    const body = { groupId: group, memberId, memberEpoch, ...joining }
    const { errorCode, errorMessage } = await connection.request(ConsumerGroupHeartbeat, body, {
      timeoutMs: 5000,
    })
    if (errorCode !== 0) throw new Error(`heartbeat: ${errorCode} ${errorMessage}`)
  }
  await heartbeat(0)
  return {
    async leave() {
      await heartbeat(-1)
      client.close()
    },
  }
}

interface GroupToJoin {
  readonly group: string
  readonly topics: readonly string[]
  readonly memberId?: string
}
