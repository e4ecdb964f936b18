/**
 * IncrementalAlterConfigs (44), served v0-1: sets, deletes, appends to and subtracts from settings of
 * topics, brokers and groups; takes effect at once. v1 flexible.
 * Yields per resource INVALID_REQUEST for a resource or key that comes twice, a missing value, an
 * unknown operation, another broker, or loggers; INVALID_CONFIG for an unknown key, a bad value, or a
 * list operation on what is no list; UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION; REQUEST_TIMED_OUT.
 */

import { KafkaError } from '../../base/errors.ts'
import { checkTopicName } from '../../controller/topic-names.ts'
import {
  IncrementalAlterConfigs,
  type IncrementalAlterConfigsRequest,
} from '../../protocol/apis/incremental-alter-configs.ts'
import type { BrokerContext } from '../context.ts'
import { seen } from '../create-topic.ts'
import { eachPartition, handle, inSlices } from '../handler.ts'
import { brokerOfResource, checkGroupResource, resourceType } from '../resources.ts'
import { givenTwice } from '../twice.ts'

type Resource = IncrementalAlterConfigsRequest['resources'][number]
type Config = Resource['configs'][number]

/** By their numbers on the wire. */
const operations = ['set', 'delete', 'append', 'subtract'] as const

export const incrementalAlterConfigs = handle(
  IncrementalAlterConfigs,
  async (broker, { resources, validateOnly }) => {
    const twice = givenTwice(resources, resourceKey)
    const responses = await eachPartition(
      inSlices(resources, broker.env),
      async (resource) => {
        const { resourceType, resourceName } = resource
        if (twice.has(resourceKey(resource))) {
          throw new KafkaError('INVALID_REQUEST', `resource ${resourceName} comes twice`)
        }
        await alter(broker, resource, validateOnly)
        return { resourceType, resourceName, errorCode: 0, errorMessage: null }
      },
      ({ resourceType, resourceName }, { code, message }) => ({
        resourceType,
        resourceName,
        errorCode: code,
        errorMessage: message,
      }),
    )
    return { responses }
  },
)

function resourceKey({ resourceType, resourceName }: Resource): string {
  return `${resourceType} ${resourceName}`
}

async function alter(broker: BrokerContext, resource: Resource, validateOnly: boolean) {
  const twice = givenTwice(resource.configs, ({ name }) => name)
  const revision = await broker.controller.alterConfigs({
    resourceType: kindOf(broker, resource),
    resourceName: resource.resourceName,
    operations: resource.configs.map((config) => operationOf(config, twice)),
    validateOnly,
  })
  if (!validateOnly) await seen(broker, revision, broker.config['request.timeout.ms'])
}

function kindOf(broker: BrokerContext, resource: Resource): 'topic' | 'broker' | 'group' {
  const { resourceType: type, resourceName: name } = resource
  if (type === resourceType.topic) {
    if (name === '') throw new KafkaError('INVALID_REQUEST', 'topics have no common default')
    checkTopicName(name)
    return 'topic'
  }
  if (type === resourceType.broker) {
    brokerOfResource(broker, name)
    return 'broker'
  }
  if (type === resourceType.group) {
    checkGroupResource(name)
    return 'group'
  }
  throw new KafkaError(
    'INVALID_REQUEST',
    type === resourceType.brokerLogger
      ? 'the levels of loggers cannot be changed on this broker'
      : `resources of type ${type} have no configs on this broker`,
  )
}

function operationOf({ name: key, configOperation, value }: Config, twice: ReadonlySet<string>) {
  const op = operations[configOperation]
  if (op === undefined) {
    throw new KafkaError('INVALID_REQUEST', `config ${key}: unknown operation ${configOperation}`)
  }
  if (twice.has(key)) {
    throw new KafkaError('INVALID_REQUEST', `config ${key} comes twice`)
  }
  if (value === null && op !== 'delete') {
    throw new KafkaError('INVALID_REQUEST', `config ${key}: no value to ${op}`)
  }
  return { op, key, value }
}
