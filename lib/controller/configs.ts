/**
 * Changing settings of topics and brokers while they run (IncrementalAlterConfigs). Values are
 * stored as the texts that came; every broker resolves them again when its image changes.
 * Source: KIP-339; apache/kafka: .../controller/ConfigurationControlManager.java.
 */

import { KafkaError } from '../base/errors.ts'
import { listItems, type Setting } from '../base/setting.ts'
import { brokerSetting } from '../config/broker.ts'
import {
  type Configs,
  checkBrokerConfigs,
  isDynamicBrokerSetting,
  unknownSetting,
} from '../config/config.ts'
import { checkGroupConfigs, groupSetting, groupSettings } from '../config/group.ts'
import { isTopicSetting, removedTopicSettings, topicSettings } from '../config/topic.ts'
import type { Versioned } from '../metadata/image.ts'
import type { ConfigValue } from '../metadata/keys.ts'
import type { Revision } from '../metadata/store.ts'
import type { Desk } from './desk.ts'
import { unchanged, type Write } from './office.ts'
import { checkSchemas } from './schemas.ts'
import { asInvalidConfig, checkedConfigs, configsDigest, knownTopic } from './topics.ts'

export interface ConfigOperation {
  readonly op: 'set' | 'delete' | 'append' | 'subtract'
  readonly key: string
  readonly value: string | null
}

export interface ConfigChange {
  readonly resourceType: 'topic' | 'broker' | 'group'
  /** A topic's name, a broker's id, or '' for all brokers, a group's id. */
  readonly resourceName: string
  readonly operations: readonly ConfigOperation[]
  readonly validateOnly?: boolean
}

/** Throws INVALID_REQUEST, INVALID_CONFIG, UNKNOWN_TOPIC_OR_PARTITION. */
export async function alterConfigs(desk: Desk, change: ConfigChange): Promise<Revision> {
  checkOperations(change.operations)
  const [alter, altered] = resources[change.resourceType]
  if (change.validateOnly) {
    await altered(desk, change)
    return desk.image.revision
  }
  return desk.retrying(() => alter(desk, change))
}

/** Per kind of resource what changes it, and what only checks the change. */
const resources = {
  topic: [alterTopic, checkTopic],
  broker: [alterBroker, alteredBroker],
  group: [alterGroup, alteredGroup],
} as const

function checkOperations(operations: readonly ConfigOperation[]): void {
  const seen = new Set<string>()
  for (const { op, key, value } of operations) {
    if (seen.has(key)) throw new KafkaError('INVALID_REQUEST', `${key} stands twice in the request`)
    seen.add(key)
    if (value === null && op !== 'delete') {
      throw new KafkaError('INVALID_REQUEST', `${key}: a value is missing`)
    }
  }
}

function alteredTopic(desk: Desk, { resourceName, operations }: ConfigChange): Configs {
  const { configs } = knownTopic(desk.image, resourceName)
  const altered = applied(configs, operations, (key): Setting<unknown> | undefined =>
    isTopicSetting(key) ? topicSettings[key] : undefined,
  )
  return checkedConfigs(desk, altered)
}

async function checkTopic(desk: Desk, change: ConfigChange): Promise<void> {
  const { resourceName: name } = change
  const { configs } = knownTopic(desk.image, name)
  await checkSchemas(name, alteredTopic(desk, change), configs)
}

async function alterTopic(desk: Desk, change: ConfigChange): Promise<Revision | null> {
  const { resourceName: name } = change
  const { keys, image } = desk
  const configs = alteredTopic(desk, change)
  const topic = knownTopic(image, name)
  const configKey = keys.topicConfig(name)
  const before = image.topicConfigs.get(name)
  await checkSchemas(name, configs, topic.configs)
  return desk
    .office()
    .commit(
      [
        unchanged(keys.topic(name), topic.modRevision),
        unchanged(configKey, before?.modRevision ?? null),
      ],
      [
        configWrite(configKey, before, configs),
        { key: keys.topic(name), value: { ...topic.value, configsDigest: configsDigest(configs) } },
      ],
    )
}

function configWrite(
  key: string,
  before: Versioned<ConfigValue> | null | undefined,
  configs: Configs,
): Write {
  if (Object.keys(configs).length === 0) return { key, value: null }
  return { key, value: { ...before?.value, v: 1, configs } }
}

function alteredBroker(desk: Desk, { resourceName, operations }: ConfigChange): Configs {
  const isDefault = resourceName === ''
  for (const { op, key } of operations) {
    // What a broker of another version knew can be taken away here.
    if (op !== 'delete' || brokerSetting(key) !== undefined) checkDynamic(key, isDefault)
  }
  const altered = applied(
    storedBroker(desk, resourceName)?.value.configs ?? {},
    operations,
    brokerSetting,
  )
  return asInvalidConfig(() => checkBrokerConfigs(altered)).configs
}

/** Throws INVALID_CONFIG for an unknown key, INVALID_REQUEST for one that cannot be changed there. */
function checkDynamic(key: string, isDefault: boolean): void {
  const setting = brokerSetting(key)
  if (!setting) throw new KafkaError('INVALID_CONFIG', unknownSetting(key).message)
  if (!isDynamicBrokerSetting(key)) {
    throw new KafkaError('INVALID_REQUEST', `${key} cannot be changed while the broker runs`)
  }
  if (isDefault && setting.dynamic === 'broker') {
    throw new KafkaError('INVALID_REQUEST', `${key} can only be set for one broker, by its id`)
  }
}

/** Throws INVALID_REQUEST when there is no such broker. */
function storedBroker(desk: Desk, resourceName: string): Versioned<ConfigValue> | null | undefined {
  if (resourceName === '') return desk.image.defaultBrokerConfig
  const brokerId = Number(resourceName)
  if (/^\d{1,9}$/.test(resourceName) && desk.image.brokers.has(brokerId)) {
    return desk.image.brokerConfigs.get(brokerId)
  }
  const shown = JSON.stringify(resourceName.slice(0, 40))
  throw new KafkaError(
    'INVALID_REQUEST',
    `got ${shown}, expected the id of a broker, or '' for all`,
  )
}

async function alterBroker(desk: Desk, change: ConfigChange): Promise<Revision | null> {
  const { resourceName } = change
  const configs = alteredBroker(desk, change)
  const before = storedBroker(desk, resourceName)
  const { keys } = desk
  const key =
    resourceName === '' ? keys.defaultBrokerConfig : keys.brokerConfig(Number(resourceName))
  return desk
    .office()
    .commit([unchanged(key, before?.modRevision ?? null)], [configWrite(key, before, configs)])
}

/** A group need not exist to have settings. */
function alteredGroup(desk: Desk, { resourceName, operations }: ConfigChange): Configs {
  const before = desk.image.groupConfigs.get(resourceName)?.value.configs ?? {}
  const altered = applied(before, operations, groupSetting, Object.keys(groupSettings))
  return asInvalidConfig(() => checkGroupConfigs(altered, desk.brokerConfig()))
}

async function alterGroup(desk: Desk, change: ConfigChange): Promise<Revision | null> {
  const configs = alteredGroup(desk, change)
  const before = desk.image.groupConfigs.get(change.resourceName)
  const key = desk.keys.groupConfig(change.resourceName)
  return desk
    .office()
    .commit([unchanged(key, before?.modRevision ?? null)], [configWrite(key, before, configs)])
}

/** The texts after the operations; their values are not checked yet. Throws INVALID_CONFIG. */
function applied(
  configs: Configs,
  operations: readonly ConfigOperation[],
  settingOf: (key: string) => Setting<unknown> | undefined,
  known: readonly string[] = Object.keys(topicSettings),
): Record<string, string> {
  const altered = new Map(Object.entries(configs))
  for (const { op, key, value } of operations) {
    if (removedTopicSettings.has(key)) continue
    if (op === 'delete') {
      altered.delete(key)
      continue
    }
    const setting = settingOf(key)
    if (!setting) {
      throw new KafkaError('INVALID_CONFIG', unknownSetting(key, known).message)
    }
    if (op === 'set') altered.set(key, value ?? '')
    else altered.set(key, alteredList({ op, key, value: value ?? '', setting }, altered.get(key)))
  }
  return Object.fromEntries(altered)
}

function alteredList(
  options: { op: 'append' | 'subtract'; key: string; value: string; setting: Setting<unknown> },
  before: string | undefined,
): string {
  const { op, key, value, setting } = options
  if (setting.kind !== 'list') {
    throw new KafkaError(
      'INVALID_CONFIG',
      `${key} is a ${setting.kind}: only a list can be appended to or subtracted from`,
    )
  }
  const items = listItems(before ?? setting.format(setting.fallback) ?? '')
  const changed = listItems(value)
  return op === 'append'
    ? [...items, ...changed.filter((item) => !items.includes(item))].join(',')
    : items.filter((item) => !changed.includes(item)).join(',')
}
