/**
 * Which value holds: topic override > dynamic broker > dynamic default of all brokers > static
 * (file and flags) > default. All layers are texts; resolving parses them. What DescribeConfigs
 * shows (sources and synonyms) follows from the same layers.
 * Source: apache/kafka: .../server/ConfigHelper, DynamicBrokerConfig, LogConfig.validateValues.
 */

import {
  parseSetting,
  type Setting,
  SettingError,
  type SettingTable,
  type SettingValues,
} from '../base/setting.ts'
import {
  type BrokerConfig,
  brokerSetting,
  brokerSettings,
  brokerSynonyms,
  isBrokerSetting,
} from './broker.ts'
import { isTopicSetting, removedTopicSettings, type TopicConfig, topicSettings } from './topic.ts'

/** Names to values, as texts. Only names of a table get in. */
export type Configs = Readonly<Record<string, string>>

export interface ConfigLayers {
  /** Of this broker, by AlterConfigs. */
  readonly dynamicBroker: Configs
  /** Of all brokers, by AlterConfigs. */
  readonly dynamicDefault: Configs
  /** The broker's file and flags. */
  readonly static: Configs
}

export const noLayers: ConfigLayers = { dynamicBroker: {}, dynamicDefault: {}, static: {} }

/** The text that the layers hold for a broker setting, with ConfigSource's number; strongest first. */
function layered(layers: ConfigLayers, name: string): { value: string; source: ConfigSource }[] {
  const found: { value: string; source: ConfigSource }[] = []
  const add = (configs: Configs, source: ConfigSource) => {
    const value = configs[name]
    if (value !== undefined) found.push({ value, source })
  }
  add(layers.dynamicBroker, configSource.dynamicBroker)
  add(layers.dynamicDefault, configSource.dynamicDefault)
  add(layers.static, configSource.static)
  return found
}

/** DescribeConfigs' numbers. */
export const configSource = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefault: 3,
  static: 4,
  default: 5,
  group: 8,
} as const

export type ConfigSource = (typeof configSource)[keyof typeof configSource]

/** All settings of the broker. Throws SettingError. */
export function resolveBrokerConfig(layers: ConfigLayers): BrokerConfig {
  const texts = { ...layers.static, ...layers.dynamicDefault, ...layers.dynamicBroker }
  return parseAll(brokerSettings, texts)
}

function parseAll<T extends SettingTable>(table: T, texts: Configs): SettingValues<T> {
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(table)) {
    const text = texts[name]
    values[name] = text === undefined ? setting.fallback : parseSetting(name, setting, text)
  }
  return values as SettingValues<T>
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** What a topic gets that overrides nothing. */
export function topicDefaults(broker: BrokerConfig): TopicConfig {
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(topicSettings)) {
    const [synonym] = brokerSynonyms[name] ?? []
    values[name] = synonym === undefined ? setting.fallback : broker[synonym]
  }
  values['flush.ms'] = broker['log.flush.interval.ms'] ?? broker['log.flush.scheduler.interval.ms']
  values['retention.ms'] = retentionMs(broker)
  values['segment.ms'] = broker['log.roll.ms'] ?? broker['log.roll.hours'] * hourMs
  values['segment.jitter.ms'] =
    broker['log.roll.jitter.ms'] ?? broker['log.roll.jitter.hours'] * hourMs
  return values as unknown as TopicConfig
}

function retentionMs(broker: BrokerConfig): number {
  const minutes = broker['log.retention.minutes']
  const value =
    broker['log.retention.ms'] ??
    (minutes === null ? broker['log.retention.hours'] * hourMs : minutes * minuteMs)
  return value < 0 ? -1 : value
}

/**
 * The settings a log works with. `internal.segment.bytes` is already put in the place of
 * `segment.bytes`. Throws SettingError.
 */
export function resolveTopicConfig(broker: BrokerConfig, overrides: Configs): TopicConfig {
  const values: Record<string, unknown> = { ...topicDefaults(broker) }
  for (const [name, text] of Object.entries(overrides)) {
    if (isTopicSetting(name)) values[name] = parseTopicSetting(name, text)
  }
  const internalSegmentBytes = values['internal.segment.bytes']
  if (internalSegmentBytes !== null) values['segment.bytes'] = internalSegmentBytes
  return values as unknown as TopicConfig
}

function parseTopicSetting(name: keyof TopicConfig, text: string): unknown {
  const setting: Setting<unknown> = topicSettings[name]
  return parseSetting(name, setting, text)
}

/**
 * How many replicas an acks=all record needs. Where nobody said, it is the majority from three
 * replicas on, so that one lost disk never loses an acknowledged record; never more than there are
 * replicas.
 */
export function effectiveMinIsr(options: {
  layers: ConfigLayers
  overrides: Configs
  replicationFactor: number
}): number {
  const { layers, overrides, replicationFactor } = options
  const name = 'min.insync.replicas'
  const text = overrides[name] ?? layered(layers, name)[0]?.value
  const wanted =
    text === undefined
      ? replicationFactor >= 3
        ? Math.floor(replicationFactor / 2) + 1
        : 1
      : parseSetting(name, topicSettings[name], text)
  return Math.min(wanted, replicationFactor)
}

/**
 * A topic's overrides as they are to be stored: those that left Kafka are dropped, the rest is
 * checked, each alone and together with the broker's defaults. Throws SettingError.
 */
export function checkTopicConfigs(overrides: Configs, broker: BrokerConfig): Configs {
  const kept: Record<string, string> = {}
  for (const [name, text] of Object.entries(overrides)) {
    if (removedTopicSettings.has(name)) continue
    if (!isTopicSetting(name)) throw unknownSetting(name, Object.keys(topicSettings))
    parseTopicSetting(name, text)
    kept[name] = text
  }
  const config = resolveTopicConfig(broker, kept)
  if (config['remote.storage.enable']) {
    throw new SettingError('remote.storage.enable: got true, but there is no remote storage')
  }
  if (config['min.compaction.lag.ms'] > config['max.compaction.lag.ms']) {
    throw new SettingError(
      `min.compaction.lag.ms: got ${config['min.compaction.lag.ms']}, expected at most max.compaction.lag.ms (${config['max.compaction.lag.ms']})`,
    )
  }
  return kept
}

/** The broker settings of `texts`, checked; names of no setting come back beside them. Throws SettingError. */
export function checkBrokerConfigs(texts: Configs): { configs: Configs; unknown: string[] } {
  const configs: Record<string, string> = {}
  const unknown: string[] = []
  for (const [name, text] of Object.entries(texts)) {
    const setting = brokerSetting(name)
    if (setting === undefined) unknown.push(name)
    else {
      parseSetting(name, setting, text)
      configs[name] = text
    }
  }
  return { configs, unknown }
}

/** The error for a name that no table has, with the nearest name where one is near. */
export function unknownSetting(
  name: string,
  known: readonly string[] = Object.keys(brokerSettings),
): SettingError {
  const near = nearest(name, known)
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return new SettingError(`${JSON.stringify(name.slice(0, 100))}: no such setting${hint}`)
}

function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 100) return undefined
  const distances = known.map((other) => ({ other, distance: editDistance(name, other) }))
  const best = distances.reduce((a, b) => (b.distance < a.distance ? b : a))
  return best.distance <= Math.max(2, name.length / 5) ? best.other : undefined
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** Whether a broker setting can be changed while the broker runs. */
export function isDynamicBrokerSetting(name: string): boolean {
  return isBrokerSetting(name) && brokerSettings[name].dynamic !== 'no'
}
