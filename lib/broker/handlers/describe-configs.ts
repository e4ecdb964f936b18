/**
 * DescribeConfigs (32), served v0-4: settings of topics, brokers and
 * groups, with where each value is from.
 * v0 isDefault; v1 source and synonyms; v3 type and documentation; v4 flexible.
 * A null or empty list of keys means all. A broker resource is this broker's id, or '' for what is set
 * for all brokers. Loggers have no levels of their own here.
 * Yields per resource UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST.
 */

import { KafkaError } from '../../base/errors.ts'
import { configSource } from '../../config/config.ts'
import {
  type ConfigEntry,
  describeBrokerConfigs,
  describeDefaultBrokerConfigs,
  describeGroupConfigs,
  describeTopicConfigs,
} from '../../config/describe.ts'
import { checkTopicName } from '../../controller/topic-names.ts'
import {
  DescribeConfigs,
  type DescribeConfigsRequest,
} from '../../protocol/apis/describe-configs.ts'
import type { BrokerContext } from '../context.ts'
import { eachPartition, handle, inSlices } from '../handler.ts'
import { brokerOfResource, checkGroupResource, resourceType } from '../resources.ts'

type Resource = DescribeConfigsRequest['resources'][number]

export const describeConfigs = handle(DescribeConfigs, async (broker, request, { apiVersion }) => {
  const { includeSynonyms, includeDocumentation } = request
  const results = await eachPartition(
    inSlices(request.resources, broker.env),
    ({ configurationKeys, ...resource }) => ({
      ...resource,
      errorCode: 0,
      errorMessage: '',
      configs: entriesOf(broker, { configurationKeys, ...resource }).map((entry) => ({
        name: entry.name,
        value: entry.value,
        readOnly: entry.isReadOnly,
        ...(apiVersion === 0 && { isDefault: entry.source === configSource.default }),
        configSource: entry.source,
        isSensitive: entry.isSensitive,
        synonyms: includeSynonyms ? entry.synonyms : [],
        configType: entry.type,
        documentation: includeDocumentation ? entry.documentation : null,
      })),
    }),
    ({ resourceType, resourceName }, { code, message }) => ({
      resourceType,
      resourceName,
      errorCode: code,
      errorMessage: message,
      configs: [],
    }),
  )
  return { results }
})

function entriesOf(broker: BrokerContext, resource: Resource): ConfigEntry[] {
  const { resourceType: type, resourceName: name, configurationKeys: names } = resource
  const { configLayers: layers } = broker
  if (type === resourceType.topic) {
    checkTopicName(name)
    const topic = broker.metadata.image.topics.get(name)
    if (topic === undefined) {
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${name}`)
    }
    return describeTopicConfigs({ layers, overrides: topic.configs, names })
  }
  if (type === resourceType.broker) {
    return brokerOfResource(broker, name) === null
      ? describeDefaultBrokerConfigs(layers.dynamicDefault, names)
      : describeBrokerConfigs({ layers, names })
  }
  if (type === resourceType.group) {
    checkGroupResource(name)
    const overrides = broker.metadata.image.groupConfigs.get(name)?.value.configs ?? {}
    return describeGroupConfigs({ layers, overrides, names })
  }
  if (type === resourceType.brokerLogger) {
    brokerOfResource(broker, name)
    return []
  }
  throw new KafkaError(
    'INVALID_REQUEST',
    `resources of type ${type} have no configs on this broker`,
  )
}
