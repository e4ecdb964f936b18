import { errorCode } from '../../lib/base/errors.ts'
import { zeroUuid } from '../../lib/base/uuid.ts'
import { ApiVersions } from '../../lib/protocol/apis/api-versions.ts'
import { DescribeCluster } from '../../lib/protocol/apis/describe-cluster.ts'
import { DescribeTopicPartitions } from '../../lib/protocol/apis/describe-topic-partitions.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import { Produce } from '../../lib/protocol/apis/produce.ts'
import { assert, suite } from '../support/suite.ts'
import { Scenario } from './support/scenario.ts'

function byText(a: string | null, b: string | null): number {
  return (a ?? '') < (b ?? '') ? -1 : 1
}

const test = suite('metadata')

test('every version tells of brokers and topics', async () => {
  const world = await Scenario.start({ topics: ['a:2', 'b:1'] })
  for (let version = 0; version <= 13; version++) {
    const answer = await world.call(Metadata, version, { topics: version === 0 ? [] : null })
    assert.is(answer.brokers.length, 1)
    assert.equal(
      [answer.brokers[0]?.host, answer.brokers[0]?.port],
      ['127.0.0.1', world.address.port],
    )
    assert.equal(answer.topics.map(({ name }) => name).sort(byText), ['a', 'b'], `v${version}`)
    const partitions = answer.topics.find(({ name }) => name === 'a')?.partitions ?? []
    assert.equal(
      partitions.map(({ partitionIndex, leaderId }) => [partitionIndex, leaderId]),
      [
        [0, 1],
        [1, 1],
      ],
    )
    assert.is(answer.controllerId, version >= 1 ? 1 : -1)
    assert.is(answer.clusterId, version >= 2 ? world.broker.clusterId : null)
    const none = await world.call(Metadata, Math.max(version, 1), { topics: [] })
    assert.is(none.topics.length, 0)
  }
  await world.stop()
})

test('auto-creation needs the broker and the request to allow it', async () => {
  for (const [enable, allow, version, isMade] of [
    ['true', true, 4, true],
    ['true', true, 3, true],
    ['true', false, 4, false],
    ['false', true, 4, false],
  ] as const) {
    const world = await Scenario.start({
      configs: { 'auto.create.topics.enable': enable, 'num.partitions': '3' },
    })
    const { topics } = await world.call(Metadata, version, {
      topics: [{ name: 'new' }],
      ...(version >= 4 && { allowAutoTopicCreation: allow }),
    })
    assert.is(topics[0]?.errorCode, isMade ? 0 : errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
    assert.is(topics[0]?.partitions.length, isMade ? 3 : 0)
    await world.stop()
  }
})

test('clients of other machines create topics only where somebody said so', async () => {
  for (const [configs, isMade] of [
    [{}, false],
    [{ 'auto.create.topics.enable': 'true' }, true],
  ] as const) {
    const world = await Scenario.start({ configs })
    world.env.network.localHost = '192.0.2.7'
    const { topics } = await world.call(Metadata, 9, { topics: [{ name: 'new' }] })
    assert.is(topics[0]?.errorCode, isMade ? 0 : errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
    await world.stop()
  }
})

test('names that cannot be topics are refused, not created', async () => {
  const world = await Scenario.start()
  for (const name of ['', '.', '..', 'a b', 'ä', 'x'.repeat(250)]) {
    const { topics } = await world.call(Metadata, 9, { topics: [{ name }] })
    assert.is(topics[0]?.errorCode, errorCode('INVALID_TOPIC_EXCEPTION'), JSON.stringify(name))
  }
  await world.stop()
})

test('topics by id from v12 on', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const topicId = await world.topicId('a')
  const known = await world.call(Metadata, 12, { topics: [{ topicId, name: null }] })
  assert.equal([known.topics[0]?.name, known.topics[0]?.errorCode], ['a', 0])
  const unknownId = 'QUJDREVGR0hJSktMTU5PUA'
  const unknown = await world.call(Metadata, 12, { topics: [{ topicId: unknownId, name: null }] })
  assert.equal(
    [unknown.topics[0]?.name, unknown.topics[0]?.errorCode, unknown.topics[0]?.topicId],
    [null, errorCode('UNKNOWN_TOPIC_ID'), unknownId],
  )
  const early = await world.call(Metadata, 10, { topics: [{ topicId, name: null }] })
  assert.is(early.topics[0]?.errorCode, errorCode('INVALID_REQUEST'))
  assert.is(early.topics[0]?.name, '')
  await world.stop()
})

test('each listener is told its own address', async () => {
  const world = await Scenario.start({
    topics: ['a:1'],
    listeners: [
      {
        name: 'OUTSIDE',
        listen: { host: '127.0.0.1', port: 0 },
        advertise: { host: 'kafka.example', port: 9094 },
      },
      {
        name: 'SAME',
        listen: { host: '127.0.0.1', port: 9555 },
        advertise: { host: 'near.example', port: 0 },
      },
    ],
  })
  assert.equal(world.listener('OUTSIDE').port, 9094)
  assert.equal(world.listener('SAME').port, 9555)
  const client = await world.connect({ host: '127.0.0.1', port: 9555 })
  const { brokers } = await client.call(Metadata, 9, { topics: [] })
  assert.equal([brokers[0]?.host, brokers[0]?.port], ['near.example', 9555])
  const cluster = await client.call(DescribeCluster, 0, {})
  assert.equal([cluster.brokers[0]?.host, cluster.brokers[0]?.port], ['near.example', 9555])
  await world.stop()
})

test('authorized operations only when asked for', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const omitted = await world.call(Metadata, 9, { topics: [{ name: 'a' }] })
  assert.equal(
    [omitted.topics[0]?.topicAuthorizedOperations, omitted.clusterAuthorizedOperations],
    [-(2 ** 31), -(2 ** 31)],
  )
  const given = await world.call(Metadata, 9, {
    topics: [{ name: 'a' }],
    includeTopicAuthorizedOperations: true,
    includeClusterAuthorizedOperations: true,
  })
  assert.equal(
    [given.topics[0]?.topicAuthorizedOperations, given.clusterAuthorizedOperations],
    [3576, 8096],
  )
  await world.stop()
})

test('DescribeCluster tells controllers from brokers', async () => {
  const world = await Scenario.start()
  const answer = await world.call(DescribeCluster, 2, { includeFencedBrokers: true })
  assert.equal(
    [answer.errorCode, answer.clusterId, answer.controllerId],
    [0, world.broker.clusterId, 1],
  )
  const controllers = await world.call(DescribeCluster, 1, { endpointType: 2 })
  assert.is(controllers.errorCode, errorCode('MISMATCHED_ENDPOINT_TYPE'))
  assert.ok(controllers.errorMessage)
  const other = await world.call(DescribeCluster, 1, { endpointType: 7 })
  assert.is(other.errorCode, errorCode('UNSUPPORTED_ENDPOINT_TYPE'))
  await world.stop()
})

test('DescribeTopicPartitions pages by cursor until all is told', async () => {
  const world = await Scenario.start({ topics: ['a:3', 'b:2', 'c:4'] })
  const told: string[] = []
  let cursor: { topicName: string; partitionIndex: number } | null = null
  for (let page = 0; page < 20; page++) {
    const answer: Awaited<ReturnType<typeof describe>> = await describe(world, cursor)
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex } of partitions) told.push(`${name}${partitionIndex}`)
    }
    cursor = answer.nextCursor
    if (cursor === null) break
  }
  assert.equal(told, ['a0', 'a1', 'a2', 'b0', 'b1', 'c0', 'c1', 'c2', 'c3'])
  for (const bad of [
    { topicName: 'c', partitionIndex: 0 },
    { topicName: 'a', partitionIndex: -1 },
  ]) {
    const refused = await world.call(DescribeTopicPartitions, 0, {
      topics: [{ name: 'a' }],
      cursor: bad,
    })
    assert.is(refused.topics[0]?.errorCode, errorCode('INVALID_REQUEST'))
  }
  const named = await world.call(DescribeTopicPartitions, 0, {
    topics: [{ name: 'nope' }, { name: 'a b' }, { name: 'a' }],
    responsePartitionLimit: 100,
  })
  assert.equal(
    named.topics.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['a', 0],
      ['a b', errorCode('INVALID_TOPIC_EXCEPTION')],
      ['nope', errorCode('UNKNOWN_TOPIC_OR_PARTITION')],
    ],
  )
  await world.stop()
})

function describe(world: Scenario, cursor: { topicName: string; partitionIndex: number } | null) {
  return world.call(DescribeTopicPartitions, 0, { topics: [], responsePartitionLimit: 2, cursor })
}

const topicKeys = [0, 1, 2, 3, 18, 19, 20, 21, 22, 23, 32, 37, 44, 60, 75]
const groupKeys = [8, 9, 10, 11, 12, 13, 14, 15, 16, 42, 47, 68, 69]

test('ApiVersions tells of exactly what is served', async () => {
  const world = await Scenario.start()
  for (let version = 0; version <= 4; version++) {
    const software = { clientSoftwareName: 'a-1', clientSoftwareVersion: '1.0' }
    const { errorCode: code, apiKeys } = await world.call(
      ApiVersions,
      version,
      version >= 3 ? software : {},
    )
    assert.is(code, 0)
    const keys = apiKeys.map(({ apiKey }) => apiKey).sort((a, b) => a - b)
    assert.equal(
      keys,
      [...topicKeys, ...groupKeys].sort((a, b) => a - b),
    )
    for (const { apiKey, minVersion } of apiKeys) assert.is(minVersion, apiKey === 1 ? 4 : 0)
  }
  const bad = { clientSoftwareName: '-bad-', clientSoftwareVersion: '1.0' }
  assert.is((await world.call(ApiVersions, 3, bad)).errorCode, errorCode('INVALID_REQUEST'))
  await world.stop()
})

test('ApiVersions of a later version is answered in v0 with our range', async () => {
  const world = await Scenario.start()
  const client = await world.connect()
  client.stream.write([
    Buffer.from('0000000e00120063000000070003616263000000', 'hex').subarray(0, 18),
  ])
  const { errorCode: code, apiKeys } = await client.answer(ApiVersions, 0)
  assert.is(code, errorCode('UNSUPPORTED_VERSION'))
  assert.equal(apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  assert.ok(await client.isAlive())
  await world.stop()
})

test('unknown keys, unserved versions and malformed bodies close that connection only', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const good = await world.connect()
  const frames = [
    '00000008 7fff 0000 00000001',
    '0000000a 0001 0003 00000001 ffff',
    '0000000a 0000 000e 00000001 ffff',
    '0000000a 0003 0009 00000001 ffff',
    '00000010 0003 0001 00000001 ffff 7fffffff 0000',
    '00000003 000300',
    '00000000',
    'ffffffff',
    '16030100c8010000c40303',
  ]
  for (const hex of frames) {
    const bad = await world.connect()
    bad.stream.write([Buffer.from(hex.replaceAll(' ', ''), 'hex')])
    await world.env.clock.settle()
    assert.ok(bad.isClosed, hex)
    assert.ok(await good.isAlive(), `after ${hex}`)
  }
  await world.stop()
})

test('an empty and a null client id are both legal', async () => {
  const world = await Scenario.start()
  const client = await world.connect()
  const { errorCode } = await client.call(ApiVersions, 0, {}, '')
  assert.is(errorCode, 0)
  client.stream.write([Buffer.from('0000000a0012000000000007ffff', 'hex')])
  assert.is((await client.answer(ApiVersions, 0)).errorCode, 0)
  await world.stop()
})

test('a topic that is deleted and made again has a new id', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const before = await world.topicId('a')
  const { DeleteTopics } = await import('../../lib/protocol/apis/delete-topics.ts')
  await world.call(DeleteTopics, 5, { topicNames: ['a'], timeoutMs: 1000 })
  const produced = await world.call(Produce, 9, {
    acks: 1,
    topicData: [{ name: 'a', partitionData: [{ index: 0, records: [] }] }],
  })
  assert.is(
    produced.responses[0]?.partitionResponses[0]?.errorCode,
    errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
  )
  await world.call(Metadata, 9, { topics: [{ name: 'a' }] })
  const after = await world.topicId('a')
  assert.is.not(after, before)
  assert.is.not(after, zeroUuid)
  assert.is((await world.fetch('a', 0)).highWatermark, 0)
  await world.stop()
})
