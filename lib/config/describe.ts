/**
 * What DescribeConfigs answers: value, type, source, and the synonyms in order of precedence.
 * A topic setting's synonyms are its own override, then what the layers hold for the broker
 * settings that stand for it. As Kafka does, everything before the first synonym that has the
 * setting's main name is left out: `retention.ms` taken from `log.retention.hours` shows none.
 * Source: apache/kafka: .../server/ConfigHelper (createTopicConfigEntry, createBrokerConfigEntry).
 */

import type { Setting, SettingKind } from '../base/setting.ts'
import { brokerFamily, brokerSetting, brokerSettings, brokerSynonyms } from './broker.ts'
import {
  type ConfigLayers,
  type ConfigSource,
  type Configs,
  configSource,
  resolveBrokerConfig,
  topicDefaults,
} from './config.ts'
import { type GroupSettingName, groupSettings, groupSynonyms } from './group.ts'
import { type TopicSettingName, topicSettings } from './topic.ts'

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: ConfigSource
}

export interface ConfigEntry {
  readonly name: string
  /** null when not set, and always when sensitive. */
  readonly value: string | null
  /** DescribeConfigs' number of the type. */
  readonly type: number
  readonly source: ConfigSource
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  readonly synonyms: readonly ConfigSynonym[]
  readonly documentation: string
}

const typeNumbers: Readonly<Record<SettingKind, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
}

/** The entries of a topic, all or those in `names` (unknown names are left out). */
export function describeTopicConfigs(options: {
  layers: ConfigLayers
  overrides: Configs
  names: readonly string[] | null
}): ConfigEntry[] {
  const { layers, overrides, names } = options
  const defaults = topicDefaults(resolveBrokerConfig(layers))
  return wanted(topicSettings, names, overrides).map((name) => {
    const setting: Setting<unknown> = topicSettings[name]
    const override = overrides[name]
    const parsed = override === undefined ? defaults[name] : setting.parse(override)
    const value = setting.format(parsed)
    const synonyms = topicSynonyms(layers, name)
    if (override !== undefined) synonyms.unshift({ name, value, source: configSource.topic })
    return entry({ name, setting, value, synonyms, isReadOnly: false })
  })
}

function topicSynonyms(layers: ConfigLayers, name: TopicSettingName): ConfigSynonym[] {
  const [main] = brokerSynonyms[name] ?? []
  return main === undefined ? [] : brokerConfigSynonyms(layers, main)
}

/** The entries of a broker, all or those in `names` (unknown names are left out). */
export function describeBrokerConfigs(options: {
  layers: ConfigLayers
  names: readonly string[] | null
}): ConfigEntry[] {
  const { layers, names } = options
  const config = resolveBrokerConfig(layers)
  const set = { ...layers.static, ...layers.dynamicDefault, ...layers.dynamicBroker }
  return wanted(brokerSettings, names, set).map((name) => {
    const setting: Setting<unknown> = brokerSettings[name]
    return entry({
      name,
      setting,
      value: setting.format(config[name]),
      synonyms: brokerConfigSynonyms(layers, name),
      isReadOnly: setting.dynamic === 'no',
    })
  })
}

/** The entries of the resource "all brokers": only what was set there. */
export function describeDefaultBrokerConfigs(
  dynamicDefault: Configs,
  names: readonly string[] | null,
): ConfigEntry[] {
  return wanted(brokerSettings, names, dynamicDefault)
    .filter((name) => dynamicDefault[name] !== undefined)
    .map((name) => {
      const setting: Setting<unknown> = brokerSettings[name]
      const value = setting.format(setting.parse(dynamicDefault[name] ?? ''))
      const synonyms = [{ name, value, source: configSource.dynamicDefault }]
      return entry({ name, setting, value, synonyms, isReadOnly: setting.dynamic === 'no' })
    })
}

/** The entries of a group, all or those in `names` (unknown names are left out). */
export function describeGroupConfigs(options: {
  layers: ConfigLayers
  overrides: Configs
  names: readonly string[] | null
}): ConfigEntry[] {
  const { layers, overrides, names } = options
  const broker = resolveBrokerConfig(layers)
  return wanted(groupSettings, names, overrides).map((name: GroupSettingName) => {
    const setting: Setting<unknown> = groupSettings[name]
    const override = overrides[name]
    const synonym = groupSynonyms[name]
    const value = override ?? setting.format(broker[synonym])
    const synonyms = brokerConfigSynonyms(layers, synonym)
    if (override !== undefined) synonyms.unshift({ name, value, source: configSource.group })
    return entry({ name, setting, value, synonyms, isReadOnly: false })
  })
}

/** Names of the table that are asked for; internal ones only when set or asked for by name. */
function wanted<T extends Readonly<Record<string, Setting<unknown>>>>(
  table: T,
  names: readonly string[] | null,
  set: Configs,
): (keyof T & string)[] {
  if (names !== null && names.length > 0) {
    return names.filter((name) => Object.hasOwn(table, name))
  }
  return Object.keys(table).filter((name) => !table[name]?.internal || set[name] !== undefined)
}

function brokerConfigSynonyms(layers: ConfigLayers, name: string): ConfigSynonym[] {
  const family = brokerFamily(name)
  const all: ConfigSynonym[] = []
  const add = (source: ConfigSource, textOf: (member: string) => string | null | undefined) => {
    for (const member of family) {
      const text = textOf(member)
      if (text === undefined || text === null) continue
      const isSensitive = brokerSetting(member)?.kind === 'password'
      all.push({ name: member, value: isSensitive ? null : text, source })
    }
  }
  add(configSource.dynamicBroker, (member) => layers.dynamicBroker[member])
  add(configSource.dynamicDefault, (member) => layers.dynamicDefault[member])
  add(configSource.static, (member) => layers.static[member])
  add(configSource.default, (member) => {
    const setting = brokerSetting(member)
    return setting?.format(setting.fallback)
  })
  const first = all.findIndex((synonym) => synonym.name === name)
  return first < 0 ? [] : all.slice(first)
}

function entry(options: {
  name: string
  setting: Setting<unknown>
  value: string | null
  synonyms: readonly ConfigSynonym[]
  isReadOnly: boolean
}): ConfigEntry {
  const { name, setting, value, synonyms, isReadOnly } = options
  const isSensitive = setting.kind === 'password'
  return {
    name,
    value: isSensitive ? null : value,
    type: typeNumbers[setting.kind],
    source: synonyms[0]?.source ?? configSource.default,
    isReadOnly,
    isSensitive,
    synonyms,
    documentation: setting.doc,
  }
}
