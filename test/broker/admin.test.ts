import { type ErrorName, errorCode } from '../../lib/base/errors.ts'
import { zeroUuid } from '../../lib/base/uuid.ts'
import { ApiVersions } from '../../lib/protocol/apis/api-versions.ts'
import { CreatePartitions } from '../../lib/protocol/apis/create-partitions.ts'
import { CreateTopics } from '../../lib/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../lib/protocol/apis/delete-topics.ts'
import { DescribeConfigs } from '../../lib/protocol/apis/describe-configs.ts'
import { IncrementalAlterConfigs } from '../../lib/protocol/apis/incremental-alter-configs.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import type { Encodable, RequestOf } from '../../lib/protocol/schema.ts'
import { assert, suite } from '../support/suite.ts'
import { batch, Scenario } from './support/scenario.ts'

function byText(a: string | null, b: string | null): number {
  return (a ?? '') < (b ?? '') ? -1 : 1
}

const test = suite('admin')

type NewTopic = Encodable<RequestOf<typeof CreateTopics>['topics'][number]>

async function create(
  world: Scenario,
  topic: NewTopic,
  { version = 7, validateOnly = false } = {},
) {
  const { topics } = await world.call(CreateTopics, version, {
    topics: [{ numPartitions: 1, replicationFactor: 1, ...topic }],
    timeoutMs: 1000,
    ...(version >= 1 && { validateOnly }),
  })
  const found = topics[0]
  if (found === undefined) throw new Error('CreateTopics answered no topic')
  return found
}

test('a topic that was created can be written to at once, in every version', async () => {
  const world = await Scenario.start()
  for (let version = 0; version <= 7; version++) {
    const name = `t${version}`
    const answer = await create(world, { name, numPartitions: 2 }, { version })
    assert.is(answer.errorCode, 0)
    assert.is(answer.numPartitions, version >= 5 ? 2 : -1)
    assert.is(answer.topicId === zeroUuid, version < 7)
    assert.is((await world.produce(name, batch(['x']), { partition: 1 })).errorCode, 0)
  }
  const { configs } = await create(world, {
    name: 'c',
    configs: [{ name: 'retention.ms', value: '5' }],
  })
  const retention = configs?.find(({ name }) => name === 'retention.ms')
  assert.equal([retention?.value, retention?.configSource], ['5', 1])
  await world.stop()
})

const refused: readonly (readonly [what: string, error: ErrorName, topic: NewTopic])[] = [
  ['an existing topic', 'TOPIC_ALREADY_EXISTS', { name: 'a' }],
  ['an empty name', 'INVALID_TOPIC_EXCEPTION', { name: '' }],
  ['a dot', 'INVALID_TOPIC_EXCEPTION', { name: '.' }],
  ['a path', 'INVALID_TOPIC_EXCEPTION', { name: '../../etc' }],
  ['a name that collides', 'INVALID_TOPIC_EXCEPTION', { name: 'x_y' }],
  ['no partitions', 'INVALID_PARTITIONS', { name: 'n', numPartitions: 0 }],
  ['-2 partitions', 'INVALID_PARTITIONS', { name: 'n', numPartitions: -2 }],
  ['no replicas', 'INVALID_REPLICATION_FACTOR', { name: 'n', replicationFactor: 0 }],
  ['more replicas than brokers', 'INVALID_REPLICATION_FACTOR', { name: 'n', replicationFactor: 3 }],
  ['an unknown config', 'INVALID_CONFIG', { name: 'n', configs: [{ name: 'nope', value: '1' }] }],
  [
    'a bad config',
    'INVALID_CONFIG',
    { name: 'n', configs: [{ name: 'retention.ms', value: 'x' }] },
  ],
  [
    'a config without value',
    'INVALID_CONFIG',
    { name: 'n', configs: [{ name: 'retention.ms', value: null }] },
  ],
  [
    'an assignment beside a count',
    'INVALID_REQUEST',
    { name: 'n', assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
  ],
  [
    'an unknown broker',
    'INVALID_REPLICA_ASSIGNMENT',
    {
      name: 'n',
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [{ partitionIndex: 0, brokerIds: [9] }],
    },
  ],
  [
    'an assignment with a hole',
    'INVALID_REPLICA_ASSIGNMENT',
    {
      name: 'n',
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [{ partitionIndex: 1, brokerIds: [1] }],
    },
  ],
]
test('what CreateTopics refuses, with which code', async () => {
  const world = await Scenario.start({ topics: ['a:1', 'x.y:1'] })
  for (const [what, error, topic] of refused) {
    for (const validateOnly of [true, false]) {
      const answer = await create(world, topic, { validateOnly })
      assert.is(answer.errorCode, errorCode(error), what)
      assert.ok(answer.errorMessage, what)
    }
  }
  const { topics } = await world.call(Metadata, 9, { topics: null })
  assert.equal(topics.map(({ name }) => name).sort(byText), ['a', 'x.y'])
  await world.stop()
})

test('a topic that comes twice is created not even once', async () => {
  const world = await Scenario.start()
  const twice = { name: 't', numPartitions: 1, replicationFactor: 1 }
  const { topics } = await world.call(CreateTopics, 5, { topics: [twice, twice] })
  assert.equal(
    topics.map(({ errorCode }) => errorCode),
    [errorCode('INVALID_REQUEST')],
  )
  await world.stop()
})

test('validate_only does everything but write', async () => {
  const world = await Scenario.start()
  const answer = await create(world, { name: 't', numPartitions: 3 }, { validateOnly: true })
  assert.equal([answer.errorCode, answer.numPartitions, answer.topicId], [0, 3, zeroUuid])
  const { topics } = await world.call(Metadata, 9, { topics: null })
  assert.is(topics.length, 0)
  await world.stop()
})

test('DeleteTopics by name and by id, and what it refuses', async () => {
  const world = await Scenario.start({ topics: ['a:1', 'b:1', 'c:1'] })
  const byName = await world.call(DeleteTopics, 3, { topicNames: ['a', 'nope'], timeoutMs: 1000 })
  assert.equal(
    byName.responses.map(({ errorCode }) => errorCode),
    [0, errorCode('UNKNOWN_TOPIC_OR_PARTITION')],
  )
  const topicId = await world.topicId('b')
  const unknownId = 'QUJDREVGR0hJSktMTU5PUA'
  const { responses } = await world.call(DeleteTopics, 6, {
    topics: [
      { topicId, name: null },
      { topicId: unknownId, name: null },
      { name: 'c', topicId: unknownId },
      { name: 'd' },
      { name: 'd' },
    ],
    timeoutMs: 1000,
  })
  assert.equal(
    responses.map(({ errorCode }) => errorCode),
    [0, 'UNKNOWN_TOPIC_ID', 'INVALID_REQUEST', 'INVALID_REQUEST'].map((error) =>
      error === 0 ? 0 : errorCode(error as ErrorName),
    ),
  )
  const { topics } = await world.call(Metadata, 9, { topics: null })
  assert.equal(
    topics.map(({ name }) => name),
    ['c'],
  )
  await world.stop()
})

test('DeleteTopics can be turned off', async () => {
  const world = await Scenario.start({
    topics: ['a:1'],
    configs: { 'delete.topic.enable': 'false' },
  })
  for (const [version, error] of [
    [2, 'INVALID_REQUEST'],
    [5, 'TOPIC_DELETION_DISABLED'],
  ] as const) {
    const { responses } = await world.call(DeleteTopics, version, { topicNames: ['a'] })
    assert.is(responses[0]?.errorCode, errorCode(error))
  }
  await world.stop()
})

test('CreatePartitions only grows', async () => {
  const world = await Scenario.start({ topics: ['a:2'] })
  const grow = async (
    name: string,
    count: number,
    more: { validateOnly?: boolean; assignments?: { brokerIds: number[] }[] } = {},
  ) => {
    const { validateOnly = false, assignments = null } = more
    const { results } = await world.call(CreatePartitions, 3, {
      topics: [{ name, count, assignments }],
      timeoutMs: 1000,
      validateOnly,
    })
    return results[0]?.errorCode
  }
  assert.is(await grow('a', 2), errorCode('INVALID_PARTITIONS'))
  assert.is(await grow('a', 1), errorCode('INVALID_PARTITIONS'))
  assert.is(await grow('nope', 5), errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  assert.is(
    await grow('a', 4, { assignments: [{ brokerIds: [1] }] }),
    errorCode('INVALID_REPLICA_ASSIGNMENT'),
  )
  assert.is(await grow('a', 4, { validateOnly: true }), 0)
  assert.is((await world.produce('a', batch(['x']), { partition: 3 })).errorCode, 3)
  assert.is(await grow('a', 4), 0)
  assert.is((await world.produce('a', batch(['x']), { partition: 3 })).errorCode, 0)
  await world.stop()
})

const op = { set: 0, delete: 1, append: 2, subtract: 3 }
const topicType = 2
const brokerType = 4

async function alter(
  world: Scenario,
  [resourceType, resourceName]: readonly [number, string],
  configs: readonly { name: string; configOperation: number; value: string | null }[],
  validateOnly = false,
) {
  const { responses } = await world.call(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType, resourceName, configs }],
    validateOnly,
  })
  return responses[0]?.errorCode
}

async function value(
  world: Scenario,
  [resourceType, resourceName]: readonly [number, string],
  name: string,
) {
  const { results } = await world.call(DescribeConfigs, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: [name] }],
    includeSynonyms: true,
  })
  const found = results[0]?.configs[0]
  return [found?.value, found?.configSource]
}

test('settings of a topic change at once', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const topic = [topicType, 'a'] as const
  const set = (text: string) => [
    { name: 'max.message.bytes', configOperation: op.set, value: text },
  ]
  const large = batch(['x'.repeat(500)])
  assert.is(await alter(world, topic, set('100'), true), 0)
  assert.is((await world.produce('a', large)).errorCode, 0)
  assert.is(await alter(world, topic, set('100')), 0)
  assert.is((await world.produce('a', large)).errorCode, errorCode('MESSAGE_TOO_LARGE'))
  assert.equal(await value(world, topic, 'max.message.bytes'), ['100', 1])
  await world.restart()
  assert.is((await world.produce('a', large)).errorCode, errorCode('MESSAGE_TOO_LARGE'))
  assert.is(
    await alter(world, topic, [
      { name: 'max.message.bytes', configOperation: op.delete, value: null },
    ]),
    0,
  )
  assert.is((await world.produce('a', large)).errorCode, 0)
  assert.is(
    await alter(world, topic, [
      { name: 'cleanup.policy', configOperation: op.append, value: 'compact' },
    ]),
    0,
  )
  assert.equal(await value(world, topic, 'cleanup.policy'), ['delete,compact', 1])
  assert.is(
    await alter(world, topic, [
      { name: 'cleanup.policy', configOperation: op.subtract, value: 'delete' },
    ]),
    0,
  )
  assert.equal(await value(world, topic, 'cleanup.policy'), ['compact', 1])
  await world.stop()
})

test('settings of brokers reach the topics at once', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const large = batch(['x'.repeat(500)])
  for (const [name, source] of [
    ['', 3],
    ['1', 2],
  ] as const) {
    const set = [{ name: 'message.max.bytes', configOperation: op.set, value: '100' }]
    assert.is(await alter(world, [brokerType, name], set), 0)
    assert.equal(await value(world, [brokerType, '1'], 'message.max.bytes'), ['100', source])
    assert.is((await world.produce('a', large)).errorCode, errorCode('MESSAGE_TOO_LARGE'))
    const unset = [{ name: 'message.max.bytes', configOperation: op.delete, value: null }]
    assert.is(await alter(world, [brokerType, name], unset), 0)
    assert.is((await world.produce('a', large)).errorCode, 0)
  }
  await world.stop()
})

const set1 = { configOperation: op.set, value: '1' }
const badAlters: readonly (readonly [
  what: string,
  error: ErrorName,
  resource: readonly [number, string],
  configs: Parameters<typeof alter>[2],
])[] = [
  [
    'an unknown topic',
    'UNKNOWN_TOPIC_OR_PARTITION',
    [topicType, 'nope'],
    [{ name: 'retention.ms', ...set1 }],
  ],
  ['an unknown key', 'INVALID_CONFIG', [topicType, 'a'], [{ name: 'nope', ...set1 }]],
  [
    'a bad value',
    'INVALID_CONFIG',
    [topicType, 'a'],
    [{ name: 'retention.ms', configOperation: op.set, value: 'x' }],
  ],
  [
    'no value',
    'INVALID_REQUEST',
    [topicType, 'a'],
    [{ name: 'retention.ms', configOperation: op.set, value: null }],
  ],
  [
    'a key twice',
    'INVALID_REQUEST',
    [topicType, 'a'],
    [
      { name: 'retention.ms', ...set1 },
      { name: 'retention.ms', ...set1 },
    ],
  ],
  [
    'append to what is no list',
    'INVALID_CONFIG',
    [topicType, 'a'],
    [{ name: 'retention.ms', configOperation: op.append, value: '1' }],
  ],
  [
    'an unknown operation',
    'INVALID_REQUEST',
    [topicType, 'a'],
    [{ name: 'retention.ms', configOperation: 9, value: '1' }],
  ],
  [
    'another broker',
    'INVALID_REQUEST',
    [brokerType, '7'],
    [{ name: 'message.max.bytes', ...set1 }],
  ],
  ['a logger', 'INVALID_REQUEST', [8, '1'], [{ name: 'root', ...set1 }]],
  ['an unknown kind', 'INVALID_REQUEST', [77, 'x'], [{ name: 'a', ...set1 }]],
]
test('what IncrementalAlterConfigs refuses, with which code', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  for (const [what, error, resource, configs] of badAlters) {
    assert.is(await alter(world, resource, configs), errorCode(error), what)
  }
  const resource = {
    resourceType: topicType,
    resourceName: 'a',
    configs: [{ name: 'retention.ms', ...set1 }],
  }
  const { responses } = await world.call(IncrementalAlterConfigs, 0, {
    resources: [resource, resource],
  })
  for (const answer of responses) assert.is(answer.errorCode, errorCode('INVALID_REQUEST'))
  await world.stop()
})

test('DescribeConfigs in every version; all keys, some keys, none such', async () => {
  const world = await Scenario.start({
    topics: ['a:1:retention.ms=7'],
    configs: { 'log.retention.ms': '8' },
  })
  for (let version = 0; version <= 4; version++) {
    const { results } = await world.call(DescribeConfigs, version, {
      resources: [
        { resourceType: topicType, resourceName: 'a', configurationKeys: null },
        { resourceType: topicType, resourceName: 'a', configurationKeys: ['retention.ms', 'nope'] },
        { resourceType: topicType, resourceName: 'nope', configurationKeys: null },
        { resourceType: brokerType, resourceName: '1', configurationKeys: [] },
        { resourceType: brokerType, resourceName: '', configurationKeys: null },
        { resourceType: brokerType, resourceName: '5', configurationKeys: null },
      ],
      ...(version >= 1 && { includeSynonyms: true }),
      ...(version >= 3 && { includeDocumentation: true }),
    })
    const codes = results.map(({ errorCode }) => errorCode)
    assert.equal(codes, [
      0,
      0,
      errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
      0,
      0,
      errorCode('INVALID_REQUEST'),
    ])
    assert.ok((results[0]?.configs.length ?? 0) > 25)
    const [retention, ...others] = results[1]?.configs ?? []
    assert.equal(others, [])
    assert.is(retention?.value, '7')
    if (version >= 1) {
      assert.equal(
        retention?.synonyms.map((synonym) => [synonym.name, synonym.value, synonym.source]),
        [
          ['retention.ms', '7', 1],
          ['log.retention.ms', '8', 4],
          ['log.retention.hours', '168', 5],
        ],
      )
    }
    if (version >= 3) assert.ok(retention?.documentation)
    assert.is(results[4]?.configs.length, 0)
  }
  await world.stop()
})

test('a long list of topics to create gives others their turn', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const [greedy, other] = [await world.connect(), await world.connect()]
  world.env.network.pieceBytes = 1 << 24
  const topics = Array.from({ length: 10_000 }, (_, n) => ({ name: `t${n}`, numPartitions: 0 }))
  greedy.send(CreateTopics, 7, { topics, timeoutMs: 1000 })
  other.send(ApiVersions, 0, {})
  while (other.frames.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.is(greedy.frames.length, 0)
  const { topics: answers } = await greedy.answer(CreateTopics, 7)
  assert.is(answers.length, 10_000)
  await world.stop()
})
