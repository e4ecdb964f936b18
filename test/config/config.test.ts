import { SettingError } from '../../lib/base/setting.ts'
import { brokerSettings, brokerSynonyms } from '../../lib/config/broker.ts'
import { singleNodeConfigs } from '../../lib/config/broker-groups.ts'
import {
  type ConfigLayers,
  checkBrokerConfigs,
  checkTopicConfigs,
  effectiveMinIsr,
  noLayers,
  resolveBrokerConfig,
  resolveTopicConfig,
} from '../../lib/config/config.ts'
import { type TopicConfig, topicSettings } from '../../lib/config/topic.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('config')

function layers(fields: Partial<ConfigLayers>): ConfigLayers {
  return { ...noLayers, ...fields }
}

function topicConfig(fields: Partial<ConfigLayers>, overrides = {}): TopicConfig {
  return resolveTopicConfig(resolveBrokerConfig(layers(fields)), overrides)
}

test('the order of precedence is topic, broker, all brokers, file, default', () => {
  const name = 'log.segment.bytes'
  const all = {
    dynamicBroker: { [name]: '5000000' },
    dynamicDefault: { [name]: '4000000' },
    static: { [name]: '3000000' },
  }
  const of = (fields: Partial<ConfigLayers>, overrides = {}) =>
    topicConfig(fields, overrides)['segment.bytes']
  assert.is(of(all, { 'segment.bytes': '2000000' }), 2_000_000)
  assert.is(of(all), 5_000_000)
  assert.is(of({ ...all, dynamicBroker: {} }), 4_000_000)
  assert.is(of({ static: all.static }), 3_000_000)
  assert.is(of({}), 1_073_741_824)
})

const hourMs = 3_600_000
const units: readonly [
  name: 'retention.ms' | 'segment.ms' | 'segment.jitter.ms' | 'flush.ms',
  texts: Record<string, string>,
  value: number,
][] = [
  ['retention.ms', {}, 168 * hourMs],
  ['retention.ms', { 'log.retention.hours': '2' }, 2 * hourMs],
  ['retention.ms', { 'log.retention.hours': '2', 'log.retention.minutes': '3' }, 180_000],
  ['retention.ms', { 'log.retention.minutes': '3', 'log.retention.ms': '9' }, 9],
  ['retention.ms', { 'log.retention.hours': '-1' }, -1],
  ['retention.ms', { 'log.retention.ms': '-1' }, -1],
  ['segment.ms', { 'log.roll.hours': '2' }, 2 * hourMs],
  ['segment.ms', { 'log.roll.hours': '2', 'log.roll.ms': '9' }, 9],
  ['segment.jitter.ms', { 'log.roll.jitter.hours': '1' }, hourMs],
  ['segment.jitter.ms', { 'log.roll.jitter.ms': '7' }, 7],
  ['flush.ms', {}, 2 ** 63],
  ['flush.ms', { 'log.flush.scheduler.interval.ms': '8' }, 8],
  ['flush.ms', { 'log.flush.scheduler.interval.ms': '8', 'log.flush.interval.ms': '9' }, 9],
]

for (const [name, texts, value] of units) {
  test(`${name} of ${JSON.stringify(texts)} is ${value}`, () => {
    assert.is(topicConfig({ static: texts })[name], value)
  })
}

test('without any override a topic has the default of its own table', () => {
  const config = topicConfig({})
  for (const [name, setting] of Object.entries(topicSettings)) {
    assert.equal(Reflect.get(config, name), setting.fallback, name)
  }
})

test('every synonym is a broker setting of the same type, and changeable', () => {
  for (const [name, [synonym]] of Object.entries(brokerSynonyms)) {
    assert.ok(Object.hasOwn(topicSettings, name), name)
    if (synonym === undefined) continue
    const topic = Reflect.get(topicSettings, name) as { kind: string }
    assert.is(brokerSettings[synonym].kind, topic.kind, name)
    assert.is(brokerSettings[synonym].dynamic, 'cluster', name)
  }
})

test('internal.segment.bytes stands in for segment.bytes, and has no lower limit', () => {
  assert.is(topicConfig({}, { 'internal.segment.bytes': '512' })['segment.bytes'], 512)
})

test('a topic or broker without a say has majorities from three replicas on', () => {
  const of = (replicationFactor: number, fields: Partial<ConfigLayers> = {}, overrides = {}) =>
    effectiveMinIsr({ layers: layers(fields), overrides, replicationFactor })
  assert.equal(
    [1, 2, 3, 4, 5].map((count) => of(count)),
    [1, 1, 2, 3, 3],
  )
  assert.is(of(3, { static: { 'min.insync.replicas': '1' } }), 1)
  assert.is(of(3, { dynamicDefault: { 'min.insync.replicas': '3' } }), 3)
  assert.is(of(3, {}, { 'min.insync.replicas': '1' }), 1)
  assert.is(of(2, {}, { 'min.insync.replicas': '3' }), 2, 'never more than there are replicas')
})

test('overrides are checked, and those that left Kafka dropped', () => {
  const broker = resolveBrokerConfig(noLayers)
  const kept = checkTopicConfigs({ 'retention.ms': '1', 'message.format.version': '2' }, broker)
  assert.equal(kept, { 'retention.ms': '1' })
  for (const [configs, text] of [
    [{ 'retention.hours': '1' }, 'no such setting'],
    [{ 'retention.bites': '1' }, 'did you mean retention.bytes?'],
    [{ 'retention.ms': '-2' }, 'expected a whole number of at least -1'],
    [{ 'min.compaction.lag.ms': '2', 'max.compaction.lag.ms': '1' }, 'at most max.compaction'],
    [{ toString: '1' }, 'no such setting'],
  ] as const) {
    assert.throws(
      () => checkTopicConfigs(configs, broker),
      (error: Error) => error instanceof SettingError && error.message.includes(text),
    )
  }
})

test("a broker's file may hold settings of Kafka that mean nothing here; they are named", () => {
  const { configs, unknown } = checkBrokerConfigs({ 'num.partitions': '3', 'log4j.level': 'x' })
  assert.equal(configs, { 'num.partitions': '3' })
  assert.equal(unknown, ['log4j.level'])
  assert.throws(() => checkBrokerConfigs({ 'num.partitions': '0' }), /num\.partitions: got "0"/)
})

test('a single node keeps one replica of the internal topics', () => {
  const config = resolveBrokerConfig(layers({ static: singleNodeConfigs }))
  assert.is(config['offsets.topic.replication.factor'], 1)
  assert.is(config['transaction.state.log.replication.factor'], 1)
  assert.is(config['transaction.state.log.min.isr'], 1)
  assert.is(config['share.coordinator.state.topic.replication.factor'], 1)
})

test('every setting has a sentence of documentation, and a default that it would accept itself', () => {
  for (const [name, setting] of [
    ...Object.entries(topicSettings),
    ...Object.entries(brokerSettings),
  ]) {
    assert.match(setting.doc, /^[A-Z_a-z].*\.$/, name)
    const text = (setting as { format(value: unknown): string | null }).format(setting.fallback)
    if (text !== null) assert.equal(setting.parse(text), setting.fallback, name)
  }
})
