/**
 * Who leads a partition: a table without any state, so that every combination can be tested.
 *
 * - A leader stays while it is live, in the ISR, and was elected since its broker last crashed.
 * - Else the first live replica of the ISR, in the order of `replicas`; else of the ELR (replicas
 *   that left the ISR when it was below min ISR, and so have every committed record); else none.
 *   Never a replica that may lack committed records: that is an operator's decision.
 * - Every change of the leader is a new leader epoch. So is the same leader after a crash: records
 *   that it lost and others in their place must not bear one epoch. After a clean stop it goes on
 *   under the old one.
 * - Dead members leave the ISR as long as one stays; the last ones stay, so that they are known.
 *
 * Source: KIP-966, KIP-279; apache/kafka: .../controller/PartitionChangeBuilder.java; KAFKA-19522.
 */

import type { BrokerId } from '../base/types.ts'
import type { BrokerImage, PartitionImage } from '../metadata/image.ts'
import type { PartitionValue } from '../metadata/keys.ts'

export type ElectionResult = Omit<PartitionValue, 'writer'>

/** The partition as it is to be; null when nothing is wrong with it. */
export function elect(
  partition: PartitionImage,
  brokers: ReadonlyMap<BrokerId, BrokerImage>,
): ElectionResult | null {
  const { value } = partition
  const isLive = (id: BrokerId) => isElectable(brokers.get(id))
  const liveIsr = value.isr.filter(isLive)
  const leader = chooseLeader(value, liveIsr, isLive)
  const isr = leader === -1 ? value.isr : liveIsr.length > 0 ? liveIsr : [leader]
  const isSameLeader = leader === value.leader && isUnbroken(value, brokers)
  if (isSameLeader && isr.length === value.isr.length) return null
  return {
    ...value,
    leader,
    leaderEpoch: isSameLeader ? value.leaderEpoch : value.leaderEpoch + 1,
    leaderBrokerEpoch: isSameLeader ? value.leaderBrokerEpoch : (brokers.get(leader)?.epoch ?? -1),
    isr,
    elr: nextElr(value, isr),
  }
}

/** Registered, and not on its way out. */
export function isElectable(broker: BrokerImage | undefined): boolean {
  return broker !== undefined && broker.state !== 'draining'
}

function chooseLeader(
  value: PartitionValue,
  liveIsr: readonly BrokerId[],
  isLive: (id: BrokerId) => boolean,
): BrokerId {
  if (liveIsr.includes(value.leader)) return value.leader
  const fromIsr = value.replicas.find((id) => liveIsr.includes(id))
  if (fromIsr !== undefined) return fromIsr
  return value.replicas.find((id) => value.elr.includes(id) && isLive(id)) ?? -1
}

/** Whether the leader leads on without a crash since its election; true also when there is none. */
function isUnbroken(value: PartitionValue, brokers: ReadonlyMap<BrokerId, BrokerImage>): boolean {
  if (value.leader === -1) return true
  const broker = brokers.get(value.leader)
  if (!broker) return false
  return value.leaderBrokerEpoch >= (broker.value.cleanSince ?? broker.epoch)
}

/** Those who leave an ISR that is then below min ISR are remembered until it is full again. */
function nextElr(value: PartitionValue, isr: readonly BrokerId[]): BrokerId[] {
  if (isr.length >= value.minIsr) return []
  return value.replicas.filter(
    (id) => !isr.includes(id) && (value.elr.includes(id) || value.isr.includes(id)),
  )
}
