/**
 * The settings of one group (resource type GROUP). They hold in place of the broker's, within the
 * broker's limits.
 * Source: KIP-848, KIP-1240; apache/kafka: .../group/GroupConfig.java.
 */

import { int, parseSetting, type Setting, SettingError } from '../base/setting.ts'
import type { BrokerConfig } from './broker.ts'
import { type Configs, unknownSetting } from './config.ts'

export const groupSettings = {
  'consumer.session.timeout.ms': int(45_000, {
    min: 1,
    unit: 'ms',
    doc: 'How long a member may be silent before it is removed.',
  }),
  'consumer.heartbeat.interval.ms': int(5000, {
    min: 1,
    unit: 'ms',
    doc: 'How often a member is told to report.',
  }),
} as const

export type GroupSettingName = keyof typeof groupSettings

/** The broker's setting that holds where the group has none. */
export const groupSynonyms = {
  'consumer.session.timeout.ms': 'group.consumer.session.timeout.ms',
  'consumer.heartbeat.interval.ms': 'group.consumer.heartbeat.interval.ms',
} as const satisfies Readonly<Record<GroupSettingName, keyof BrokerConfig>>

export interface GroupConfig {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

export function isGroupSetting(name: string): name is GroupSettingName {
  return Object.hasOwn(groupSettings, name)
}

/** The setting of that name, if there is one. */
export function groupSetting(name: string): Setting<unknown> | undefined {
  return isGroupSetting(name) ? groupSettings[name] : undefined
}

/** Between which settings of the broker a group's must be. */
const limits = {
  'consumer.session.timeout.ms': [
    'group.consumer.min.session.timeout.ms',
    'group.consumer.max.session.timeout.ms',
  ],
  'consumer.heartbeat.interval.ms': [
    'group.consumer.min.heartbeat.interval.ms',
    'group.consumer.max.heartbeat.interval.ms',
  ],
} as const satisfies Readonly<
  Record<GroupSettingName, readonly [keyof BrokerConfig, keyof BrokerConfig]>
>

/** What holds for a group with these overrides. */
export function groupConfig(broker: BrokerConfig, overrides: Configs): GroupConfig {
  return {
    sessionTimeoutMs: settingOf(broker, overrides, 'consumer.session.timeout.ms'),
    heartbeatIntervalMs: settingOf(broker, overrides, 'consumer.heartbeat.interval.ms'),
  }
}

/** The limits of the broker may have changed since the group's value was stored. */
function settingOf(broker: BrokerConfig, overrides: Configs, name: GroupSettingName): number {
  const text = overrides[name]
  const value =
    text === undefined ? broker[groupSynonyms[name]] : parseSetting(name, groupSettings[name], text)
  const [min, max] = limits[name]
  return Math.min(Math.max(value, broker[min]), broker[max])
}

/** A group's overrides as they are to be stored, checked each alone and together. Throws SettingError. */
export function checkGroupConfigs(overrides: Configs, broker: BrokerConfig): Configs {
  for (const [name, text] of Object.entries(overrides)) {
    const setting = groupSetting(name)
    if (setting === undefined) throw unknownSetting(name, Object.keys(groupSettings))
    const value = parseSetting(name, setting, text)
    if (isGroupSetting(name)) checkLimits(broker, name, Number(value))
  }
  const { sessionTimeoutMs, heartbeatIntervalMs } = groupConfig(broker, overrides)
  if (sessionTimeoutMs <= heartbeatIntervalMs) {
    throw new SettingError(
      `consumer.session.timeout.ms: got ${sessionTimeoutMs}, expected more than consumer.heartbeat.interval.ms (${heartbeatIntervalMs})`,
    )
  }
  return overrides
}

function checkLimits(broker: BrokerConfig, name: GroupSettingName, value: number): void {
  const [min, max] = limits[name]
  if (value >= broker[min] && value <= broker[max]) return
  throw new SettingError(
    `${name}: got ${value}, expected ${broker[min]} to ${broker[max]} (${min}, ${max})`,
  )
}
