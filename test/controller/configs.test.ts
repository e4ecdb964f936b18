import type { ErrorName } from '../../lib/base/errors.ts'
import type { ConfigChange, ConfigOperation } from '../../lib/controller/configs.ts'
import { startController } from '../support/controller.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('configs')

async function scene() {
  const all = await startController({ others: [2, 3] })
  await all.controller.createTopic({
    name: 'orders',
    numPartitions: 2,
    replicationFactor: 3,
    configs: { 'cleanup.policy': 'compact' },
  })
  return all
}

const set = (key: string, value: string | null): ConfigOperation => ({ op: 'set', key, value })
const topic = (...operations: ConfigOperation[]): ConfigChange => ({
  resourceType: 'topic',
  resourceName: 'orders',
  operations,
})
const broker = (resourceName: string, ...operations: ConfigOperation[]): ConfigChange => ({
  resourceType: 'broker',
  resourceName,
  operations,
})

const refused: readonly [what: string, change: ConfigChange, error: ErrorName, text: string][] = [
  ['an unknown topic', { ...topic(), resourceName: 'none' }, 'UNKNOWN_TOPIC_OR_PARTITION', 'none'],
  ['an unknown key', topic(set('retention.m', '1')), 'INVALID_CONFIG', 'retention.ms'],
  ['a broker setting on a topic', topic(set('log.retention.ms', '1')), 'INVALID_CONFIG', 'no such'],
  ['a bad value', topic(set('retention.ms', 'soon')), 'INVALID_CONFIG', 'got "soon"'],
  ['a value out of range', topic(set('segment.bytes', '14')), 'INVALID_CONFIG', 'at least 1048576'],
  ['a missing value', topic(set('retention.ms', null)), 'INVALID_REQUEST', 'missing'],
  [
    'a key twice',
    topic(set('retention.ms', '1'), set('retention.ms', '2')),
    'INVALID_REQUEST',
    'twice',
  ],
  [
    'append to what is no list',
    topic({ op: 'append', key: 'retention.ms', value: '1' }),
    'INVALID_CONFIG',
    'list',
  ],
  [
    'subtract from what is no list',
    topic({ op: 'subtract', key: 'retention.ms', value: '1' }),
    'INVALID_CONFIG',
    'list',
  ],
  [
    'append of a word that is not in the list of words',
    topic({ op: 'append', key: 'cleanup.policy', value: 'burn' }),
    'INVALID_CONFIG',
    'compact, delete',
  ],
  ['an unknown broker', broker('9', set('log.cleaner.threads', '2')), 'INVALID_REQUEST', '"9"'],
  ['no number', broker('one', set('log.cleaner.threads', '2')), 'INVALID_REQUEST', '"one"'],
  [
    'an unknown broker key',
    broker('1', set('log.cleaner.thread', '2')),
    'INVALID_CONFIG',
    'threads',
  ],
  ['a read-only key', broker('1', set('num.partitions', '2')), 'INVALID_REQUEST', 'while'],
  ['a key of one broker for all', broker('', set('listeners', 'A://:1')), 'INVALID_REQUEST', 'one'],
  ['a bad broker value', broker('', set('log.cleaner.threads', '-1')), 'INVALID_CONFIG', '-1'],
]

for (const [what, change, error, text] of refused) {
  test(`${what}: ${error}`, async () => {
    const { controller, store } = await scene()
    const { revision } = await store.range('')
    for (const validateOnly of [true, false]) {
      const found = await rejection(controller.alterConfigs({ ...change, validateOnly }))
      assert.is(found.name, error)
      assert.ok(found.message.includes(text), found.message)
    }
    assert.is((await store.range('')).revision, revision)
  })
}

test('set, delete, append and subtract change what the image has', async () => {
  const { controller, follower } = await scene()
  const steps: [ConfigOperation, Record<string, string>][] = [
    [set('retention.ms', '5'), { 'cleanup.policy': 'compact', 'retention.ms': '5' }],
    [
      { op: 'append', key: 'cleanup.policy', value: 'delete,compact' },
      { 'cleanup.policy': 'compact,delete', 'retention.ms': '5' },
    ],
    [
      { op: 'subtract', key: 'cleanup.policy', value: 'compact' },
      { 'cleanup.policy': 'delete', 'retention.ms': '5' },
    ],
    [{ op: 'delete', key: 'cleanup.policy', value: null }, { 'retention.ms': '5' }],
    [
      { op: 'append', key: 'cleanup.policy', value: 'compact' },
      { 'cleanup.policy': 'delete,compact', 'retention.ms': '5' },
    ],
    [
      set('message.format.version', '2.0'),
      { 'cleanup.policy': 'delete,compact', 'retention.ms': '5' },
    ],
  ]
  for (const [operation, expected] of steps) {
    await controller.alterConfigs(topic(operation))
    assert.equal(follower.image.topics.get('orders')?.configs, expected)
  }
})

test('validateOnly changes nothing', async () => {
  const { controller, follower } = await scene()
  await controller.alterConfigs({ ...topic(set('retention.ms', '5')), validateOnly: true })
  assert.equal(follower.image.topics.get('orders')?.configs, { 'cleanup.policy': 'compact' })
})

test('dynamic settings of one broker and of all are kept apart', async () => {
  const { controller, follower } = await scene()
  await controller.alterConfigs(broker('', set('log.retention.ms', '7')))
  await controller.alterConfigs(broker('2', set('log.retention.ms', '8')))
  assert.equal(follower.image.defaultBrokerConfig?.value.configs, { 'log.retention.ms': '7' })
  assert.equal(follower.image.brokerConfigs.get(2)?.value.configs, { 'log.retention.ms': '8' })
  await controller.alterConfigs(broker('2', { op: 'delete', key: 'log.retention.ms', value: null }))
  assert.is(follower.image.brokerConfigs.has(2), false)
})

test('min ISR of the partitions follows the settings', async () => {
  const { controller, follower, env } = await scene()
  const minIsr = () => follower.image.topics.get('orders')?.partitions.map((one) => one.minIsr)
  assert.equal(minIsr(), [2, 2])
  const steps: [ConfigChange, number][] = [
    [topic(set('min.insync.replicas', '3')), 3],
    [topic({ op: 'delete', key: 'min.insync.replicas', value: null }), 2],
    [broker('', set('min.insync.replicas', '1')), 1],
    [topic(set('min.insync.replicas', '9')), 3],
  ]
  for (const [change, expected] of steps) {
    await controller.alterConfigs(change)
    await follower.waitFor(follower.image.revision, 10)
    for (let turn = 0; turn < 20 && minIsr()?.[0] !== expected; turn++) {
      await new Promise<void>((resolve) => env.clock.endOfTurn(resolve))
    }
    assert.equal(minIsr(), [expected, expected])
  }
})

test('changes at a time are all kept', async () => {
  const { controller, follower } = await scene()
  const names = ['retention.ms', 'segment.ms', 'flush.ms', 'retention.bytes', 'delete.retention.ms']
  await Promise.all(names.map((name) => controller.alterConfigs(topic(set(name, '5')))))
  const configs = follower.image.topics.get('orders')?.configs ?? {}
  assert.equal(Object.keys(configs).sort(), ['cleanup.policy', ...names].sort())
})
