/** Configurations of topics and brokers: described with their sources, changed one key at a time (KIP-339). */

import { KafkaError } from '../base/errors.ts'
import { DescribeConfigs, type DescribeConfigsResponse } from '../protocol/apis/describe-configs.ts'
import { IncrementalAlterConfigs } from '../protocol/apis/incremental-alter-configs.ts'
import { type AdminOptions, resultError } from './admin-topics.ts'
import type { Client } from './client.ts'

/** The kinds of thing that have a configuration, with their numbers on the wire. */
export const resourceTypes = {
  topic: 2,
  broker: 4,
  'broker-logger': 8,
  'client-metrics': 16,
  group: 32,
} as const

export type ResourceType = keyof typeof resourceTypes

export interface ConfigResource {
  readonly type: ResourceType
  /** A topic's name; a broker's id, or '' for what all brokers share. */
  readonly name: string
}

/** Where a value comes from. */
export type ConfigSource =
  | 'unknown'
  | 'topic'
  | 'dynamic-broker'
  | 'dynamic-default-broker'
  | 'static-broker'
  | 'default'
  | 'broker-logger'
  | 'client-metrics'
  | 'group'

export type ConfigType =
  | 'unknown'
  | 'boolean'
  | 'string'
  | 'int'
  | 'short'
  | 'long'
  | 'double'
  | 'list'
  | 'class'
  | 'password'

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: ConfigSource
}

export interface ConfigEntry {
  readonly name: string
  /** null when it is sensitive, or not set. */
  readonly value: string | null
  readonly source: ConfigSource
  readonly isDefault: boolean
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  readonly type: ConfigType
  /** null unless asked for. */
  readonly documentation: string | null
  /** Everything that sets it, the one that wins first. */
  readonly synonyms: readonly ConfigSynonym[]
}

export interface DescribeConfigsResult extends ConfigResource {
  readonly error: KafkaError | null
  readonly entries: readonly ConfigEntry[]
}

export type ConfigOperation = 'set' | 'delete' | 'append' | 'subtract'

export interface ConfigChange {
  readonly key: string
  readonly operation: ConfigOperation
  /** Nothing for `delete`. */
  readonly value?: string | null
}

export interface AlterConfigs extends ConfigResource {
  readonly changes: readonly ConfigChange[]
}

export interface AlterConfigsResult extends ConfigResource {
  readonly error: KafkaError | null
}

const sources: readonly ConfigSource[] = [
  'unknown',
  'topic',
  'dynamic-broker',
  'dynamic-default-broker',
  'static-broker',
  'default',
  'broker-logger',
  'client-metrics',
  'group',
]

const types: readonly ConfigType[] = [
  'unknown',
  'boolean',
  'string',
  'int',
  'short',
  'long',
  'double',
  'list',
  'class',
  'password',
]

const operations: Readonly<Record<ConfigOperation, number>> = {
  set: 0,
  delete: 1,
  append: 2,
  subtract: 3,
}

/** Results in the order of `resources`; `keys` limits them to some names. */
export async function describeConfigs(
  client: Client,
  resources: readonly (ConfigResource & { readonly keys?: readonly string[] })[],
  {
    timeoutMs = client.timeoutMs,
    documentation = false,
  }: { timeoutMs?: number; documentation?: boolean } = {},
): Promise<DescribeConfigsResult[]> {
  return await perBroker(resources, async (to, group) => {
    const response = await client.request(
      DescribeConfigs,
      (connection) => ({
        resources: group.map(({ type, name, keys }) => ({
          resourceType: resourceTypes[type],
          resourceName: name,
          configurationKeys: keys === undefined ? null : [...keys],
        })),
        ...(connection.supports(DescribeConfigs, 1) ? { includeSynonyms: true } : {}),
        ...(connection.supports(DescribeConfigs, 3) ? { includeDocumentation: documentation } : {}),
      }),
      { to, timeoutMs },
    )
    return group.map((resource) => {
      const answer = response.results.find((result) => isSame(result, resource))
      const { type, name } = resource
      if (answer === undefined) return { type, name, error: unanswered(resource), entries: [] }
      const error = resultError(answer.errorCode, answer.errorMessage)
      return { type, name, error, entries: answer.configs.map(entryOf) }
    })
  })
}

/** Results in the order of `resources`; each takes all its changes, or none. */
export async function alterConfigs(
  client: Client,
  resources: readonly AlterConfigs[],
  { timeoutMs = client.timeoutMs, validateOnly = false }: AdminOptions = {},
): Promise<AlterConfigsResult[]> {
  return await perBroker(resources, async (to, group) => {
    const body = {
      resources: group.map(({ type, name, changes }) => ({
        resourceType: resourceTypes[type],
        resourceName: name,
        configs: changes.map(({ key, operation, value }) => ({
          name: key,
          configOperation: operations[operation],
          value: value ?? null,
        })),
      })),
      validateOnly,
    }
    const options = { to, timeoutMs, isRepeatable: false }
    const response = await client.request(IncrementalAlterConfigs, () => body, options)
    return group.map((resource) => {
      const answer = response.responses.find((result) => isSame(result, resource))
      const { type, name } = resource
      if (answer === undefined) return { type, name, error: unanswered(resource) }
      return { type, name, error: resultError(answer.errorCode, answer.errorMessage) }
    })
  })
}

/** A broker speaks only of itself: its resources go to it, all others to any broker. */
async function perBroker<R extends ConfigResource, A>(
  resources: readonly R[],
  send: (to: number | 'any', group: readonly R[]) => Promise<readonly A[]>,
): Promise<A[]> {
  const groups = new Map<number | 'any', R[]>()
  for (const resource of resources) {
    const isOfBroker = resource.type === 'broker' || resource.type === 'broker-logger'
    const to = isOfBroker && /^\d+$/.test(resource.name) ? Number(resource.name) : 'any'
    const group = groups.get(to)
    if (group === undefined) groups.set(to, [resource])
    else group.push(resource)
  }
  const answers = new Map<R, A>()
  await Promise.all(
    [...groups].map(async ([to, group]) => {
      const got = await send(to, group)
      for (const [index, resource] of group.entries()) {
        const answer = got[index]
        if (answer !== undefined) answers.set(resource, answer)
      }
    }),
  )
  return resources.flatMap((resource) => answers.get(resource) ?? [])
}

function isSame(
  { resourceType, resourceName }: { resourceType: number; resourceName: string },
  { type, name }: ConfigResource,
): boolean {
  return resourceType === resourceTypes[type] && resourceName === name
}

function entryOf(
  config: DescribeConfigsResponse['results'][number]['configs'][number],
): ConfigEntry {
  // Version 0 says only whether it is a default.
  const source =
    config.configSource < 0 && config.isDefault ? 'default' : sourceOf(config.configSource)
  return {
    name: config.name,
    value: config.value,
    source,
    isDefault: source === 'default',
    isReadOnly: config.readOnly,
    isSensitive: config.isSensitive,
    type: types[config.configType] ?? 'unknown',
    documentation: config.documentation,
    synonyms: config.synonyms.map(({ name, value, source: from }) => ({
      name,
      value,
      source: sourceOf(from),
    })),
  }
}

function sourceOf(code: number): ConfigSource {
  return sources[code] ?? 'unknown'
}

function unanswered({ type, name }: ConfigResource): KafkaError {
  return new KafkaError('UNKNOWN_SERVER_ERROR', `the broker said nothing of ${type} "${name}"`)
}
