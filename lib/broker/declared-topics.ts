/** Topics that are to be there from the start: `name:partitions[:k=v,...]`, as texts of the command line. */

import { KafkaError } from '../base/errors.ts'
import { checkTopicName } from '../controller/topic-names.ts'
import type { BrokerContext } from './context.ts'
import { createAndWait } from './create-topic.ts'

export interface DeclaredTopic {
  readonly name: string
  /** -1 = the broker's default. */
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

const partitionsMax = 100_000

/** Throws KafkaError INVALID_REQUEST, INVALID_TOPIC_EXCEPTION or INVALID_PARTITIONS, with what was expected. */
export function parseDeclaredTopic(text: string): DeclaredTopic {
  const [name = '', partitions, ...rest] = text.split(':')
  checkTopicName(name)
  const count = partitions === undefined || partitions === '' ? -1 : Number(partitions)
  const isCount = Number.isInteger(count) && (count === -1 || (count > 0 && count <= partitionsMax))
  if (!isCount) {
    throw new KafkaError(
      'INVALID_PARTITIONS',
      `topic "${text}": got ${partitions} partitions, expected 1 to ${partitionsMax}`,
    )
  }
  return { name, partitions: count, configs: parseConfigs(text, rest.join(':')) }
}

/** `k=v,k=v`; a comma not followed by another `k=` belongs to the value, as in cleanup.policy=compact,delete. */
function parseConfigs(topic: string, text: string): Record<string, string> {
  const configs: Record<string, string> = {}
  if (text === '') return configs
  for (const pair of text.split(/,(?=[a-z.]+=)/)) {
    const at = pair.indexOf('=')
    if (at <= 0) {
      throw new KafkaError('INVALID_REQUEST', `topic "${topic}": got "${pair}", expected KEY=VALUE`)
    }
    configs[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return configs
}

/** Creates those that do not exist yet; one that does stays as it is. Throws what creating a topic throws. */
export async function createDeclared(
  broker: BrokerContext,
  topics: readonly DeclaredTopic[],
): Promise<void> {
  for (const { name, partitions, configs } of topics) {
    if (broker.metadata.image.topics.has(name)) {
      broker.env.log.info('declared topic exists', { topic: name })
      continue
    }
    const timeoutMs = broker.config['request.timeout.ms']
    await createAndWait(broker, { name, numPartitions: partitions, configs, timeoutMs })
  }
}
