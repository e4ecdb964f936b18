/** Config resources: their types on the wire, and which broker a broker resource means. */

import { KafkaError } from '../base/errors.ts'
import type { BrokerId } from '../base/types.ts'
import type { BrokerContext } from './context.ts'

/** ConfigResource.Type's numbers. */
export const resourceType = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
} as const

/** INVALID_REQUEST: groups have no common default. */
export function checkGroupResource(name: string): void {
  if (name === '') throw new KafkaError('INVALID_REQUEST', 'group resource "": expected a group id')
}

/** This broker's id; null for '' (all brokers). INVALID_REQUEST for any other broker or text. */
export function brokerOfResource(broker: BrokerContext, name: string): BrokerId | null {
  if (name === '') return null
  if (name === String(broker.brokerId)) return broker.brokerId
  throw new KafkaError(
    'INVALID_REQUEST',
    `broker resource ${JSON.stringify(name)}: expected ${broker.brokerId} (this broker) or '' (all)`,
  )
}
