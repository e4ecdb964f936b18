import { type ConfigLayers, noLayers } from '../../lib/config/config.ts'
import {
  type ConfigEntry,
  describeBrokerConfigs,
  describeDefaultBrokerConfigs,
  describeTopicConfigs,
} from '../../lib/config/describe.ts'
import { assert, suite } from '../support/suite.ts'
import { kafkaBrokerSettings, kafkaTopicSettings } from './kafka-settings.ts'

const test = suite('describe')

const typeNames = [
  '',
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

function rows(table: string): string[][] {
  return table
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
}

function byName(entries: readonly ConfigEntry[]): Map<string, ConfigEntry> {
  return new Map(entries.map((entry) => [entry.name, entry]))
}

function layers(fields: Partial<ConfigLayers>): ConfigLayers {
  return { ...noLayers, ...fields }
}

test('a topic has the settings, types, defaults and synonyms that Kafka shows', () => {
  const entries = byName(describeTopicConfigs({ layers: noLayers, overrides: {}, names: null }))
  for (const [name = '', type, value, synonym] of rows(kafkaTopicSettings)) {
    const entry = entries.get(name)
    assert.is(typeNames[entry?.type ?? 0], type, name)
    assert.is(entry?.value, value, name)
    assert.is(entry?.source, 5, name)
    assert.is(entry?.isReadOnly, false, name)
    assert.is(entry?.synonyms.at(-1)?.name ?? '', synonym, name)
    entries.delete(name)
  }
  assert.equal([...entries.keys()], ['ottla.durability', 'ottla.key.schema', 'ottla.value.schema'])
})

/** Where we differ, and why. */
const ownDefaults: Readonly<Record<string, string>> = {
  listeners: 'loopback only',
  'node.id': 'has a default',
  'process.roles': 'is always both',
  'controller.listener.names': 'has a default',
}

test('a broker has the types, defaults and dynamics that Kafka shows', () => {
  const entries = byName(describeBrokerConfigs({ layers: noLayers, names: null }))
  for (const [name = '', type, value, dynamics] of rows(kafkaBrokerSettings)) {
    const entry = entries.get(name)
    assert.is(typeNames[entry?.type ?? 0], type, name)
    if (!(name in ownDefaults)) assert.is(entry?.value ?? 'null', value, name)
    assert.is(entry?.isReadOnly ? 'read-only' : 'dynamic', dynamics, name)
  }
})

function synonymTexts(entries: readonly ConfigEntry[], name: string): string[] {
  return (byName(entries).get(name)?.synonyms ?? []).map(
    (synonym) => `${synonym.source}:${synonym.name}=${synonym.value}`,
  )
}

const mixed = layers({
  dynamicBroker: { 'log.segment.bytes': '5000000', 'log.flush.interval.ms': '1234' },
  dynamicDefault: { 'log.segment.bytes': '4000000', 'log.retention.bytes': '77' },
  static: { 'log.segment.bytes': '3000000', 'log.retention.hours': '24', 'log.roll.hours': '2' },
})

// Each line as a real broker with the same settings showed it.
const shown: readonly [name: string, value: string, source: number, synonyms: string[]][] = [
  [
    'segment.bytes',
    '2000000',
    1,
    [
      '1:segment.bytes=2000000',
      '2:log.segment.bytes=5000000',
      '3:log.segment.bytes=4000000',
      '4:log.segment.bytes=3000000',
      '5:log.segment.bytes=1073741824',
    ],
  ],
  ['retention.bytes', '77', 3, ['3:log.retention.bytes=77', '5:log.retention.bytes=-1']],
  ['retention.ms', '86400000', 5, []],
  ['segment.ms', '7200000', 5, []],
  [
    'flush.ms',
    '1234',
    2,
    ['2:log.flush.interval.ms=1234', '5:log.flush.scheduler.interval.ms=9223372036854775807'],
  ],
  ['cleanup.policy', 'delete', 5, ['5:log.cleanup.policy=delete']],
  ['remote.storage.enable', 'false', 5, []],
]

for (const [name, value, source, synonyms] of shown) {
  test(`${name} of a topic, with its source and synonyms`, () => {
    const overrides = { 'segment.bytes': '2000000' }
    const entries = describeTopicConfigs({ layers: mixed, overrides, names: null })
    const entry = byName(entries).get(name)
    assert.is(entry?.value, value)
    assert.is(entry?.source, source)
    assert.equal(synonymTexts(entries, name), synonyms)
  })
}

const shownOfBroker: readonly [name: string, value: string | null, synonyms: string[]][] = [
  [
    'log.segment.bytes',
    '5000000',
    [
      '2:log.segment.bytes=5000000',
      '3:log.segment.bytes=4000000',
      '4:log.segment.bytes=3000000',
      '5:log.segment.bytes=1073741824',
    ],
  ],
  ['log.retention.hours', '24', ['4:log.retention.hours=24', '5:log.retention.hours=168']],
  ['log.retention.minutes', null, []],
  ['log.retention.ms', null, []],
  [
    'log.flush.interval.ms',
    '1234',
    ['2:log.flush.interval.ms=1234', '5:log.flush.scheduler.interval.ms=9223372036854775807'],
  ],
  ['advertised.listeners', null, []],
]

for (const [name, value, synonyms] of shownOfBroker) {
  test(`${name} of a broker, with its synonyms`, () => {
    const entries = describeBrokerConfigs({ layers: mixed, names: [name] })
    assert.is(entries.length, 1)
    assert.is(entries[0]?.value, value)
    assert.equal(synonymTexts(entries, name), synonyms)
  })
}

test('of all brokers only what is set is shown', () => {
  const entries = describeDefaultBrokerConfigs(mixed.dynamicDefault, null)
  assert.equal(
    entries.map(({ name, value, source }) => [name, value, source]),
    [
      ['log.retention.bytes', '77', 3],
      ['log.segment.bytes', '4000000', 3],
    ],
  )
})

test('a secret is never shown, nor its synonyms', () => {
  const [entry] = describeBrokerConfigs({
    layers: layers({ static: { 'ssl.key.password': 'hunter2' } }),
    names: ['ssl.key.password'],
  })
  assert.is(entry?.isSensitive, true)
  assert.is(entry?.source, 4)
  assert.not.ok(JSON.stringify(entry).includes('hunter2'))
})

test('names choose entries; unknown ones are left out, an empty list means all', () => {
  const of = (names: string[] | null) =>
    describeTopicConfigs({ layers: noLayers, overrides: {}, names }).map(({ name }) => name)
  assert.equal(of(['retention.ms', 'nonsense', 'toString']), ['retention.ms'])
  assert.equal(of([]), of(null))
  assert.not.ok(of(null).includes('internal.segment.bytes'))
  assert.equal(of(['internal.segment.bytes']), ['internal.segment.bytes'])
})
