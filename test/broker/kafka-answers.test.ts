/** Answers in which we once differed from Apache Kafka (found by test/interop/differential.ts). */

import { type ErrorName, errorCode } from '../../lib/base/errors.ts'
import { zeroUuid } from '../../lib/base/uuid.ts'
import { CreateTopics } from '../../lib/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../lib/protocol/apis/delete-topics.ts'
import { DescribeTopicPartitions } from '../../lib/protocol/apis/describe-topic-partitions.ts'
import { Fetch, type FetchRequest } from '../../lib/protocol/apis/fetch.ts'
import { IncrementalAlterConfigs } from '../../lib/protocol/apis/incremental-alter-configs.ts'
import { InitProducerId } from '../../lib/protocol/apis/init-producer-id.ts'
import { ListOffsets } from '../../lib/protocol/apis/list-offsets.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import { Produce } from '../../lib/protocol/apis/produce.ts'
import type { Encodable } from '../../lib/protocol/schema.ts'
import { assert, suite } from '../support/suite.ts'
import { batch, Scenario } from './support/scenario.ts'

const test = suite('kafka answers')

const unknownId = 'QUJDREVGR0hJSktMTU5PUA'
/** The operations on a topic that a client without an authorizer may do. */
const topicOperations = 3576

test('Metadata answers a topic once that is asked for twice', async () => {
  const world = await Scenario.start({ topics: ['a:1', 'b:1'] })
  const names = ['a', 'b', 'a', 'zz', 'zz'].map((name) => ({ name }))
  const { topics } = await world.call(Metadata, 9, { topics: names, allowAutoTopicCreation: false })
  assert.equal(
    topics.map(({ name }) => name),
    ['a', 'b', 'zz'],
  )
  await world.stop()
})

test('the operations on an unknown topic are told too', async () => {
  const world = await Scenario.start()
  const metadata = await world.call(Metadata, 9, {
    topics: [{ name: 'zz' }],
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: true,
  })
  assert.is(metadata.topics[0]?.topicAuthorizedOperations, topicOperations)
  const described = await world.call(DescribeTopicPartitions, 0, { topics: [{ name: 'zz' }] })
  assert.is(described.topics[0]?.topicAuthorizedOperations, topicOperations)
  await world.stop()
})

test('a bad replication factor comes before a bad number of partitions', async () => {
  const world = await Scenario.start()
  const { topics } = await world.call(CreateTopics, 7, {
    topics: [{ name: 'a', numPartitions: 0, replicationFactor: 0 }],
    timeoutMs: 1000,
  })
  assert.is(topics[0]?.errorCode, errorCode('INVALID_REPLICATION_FACTOR'))
  await world.stop()
})

test('DeleteTopics answers what comes twice once, and refuses what names nothing', async () => {
  const world = await Scenario.start({ topics: ['a:1', 'b:1'] })
  const [a, b] = [await world.topicId('a'), await world.topicId('b')]
  const answer = await world.call(DeleteTopics, 6, {
    topics: [
      { name: 'a' },
      { name: null, topicId: a },
      { name: null, topicId: b },
      { name: null, topicId: b },
      { name: null },
    ],
    timeoutMs: 1000,
  })
  const refused = errorCode('INVALID_REQUEST')
  assert.equal(
    answer.responses.map((one) => [one.name, one.errorCode]),
    [
      ['a', refused],
      [null, refused],
      [null, refused],
    ],
  )
  const { topics } = await world.call(Metadata, 9, { topics: null })
  assert.is(topics.length, 2)
  await world.stop()
})

const good = batch(['a', 'b'])

function withInt32(position: number, value: number): Uint8Array {
  const copy = Buffer.from(good)
  copy.writeInt32BE(value, position)
  return copy
}

function withByte(position: number, value: number): Uint8Array {
  const copy = Buffer.from(good)
  copy.writeUInt8(value, position)
  return copy
}

const nonsense: readonly (readonly [string, Uint8Array, ErrorName])[] = [
  ['zeros', new Uint8Array(80), 'CORRUPT_MESSAGE'],
  ['a batch of a negative size', withInt32(8, -1), 'CORRUPT_MESSAGE'],
  ['a batch smaller than its header', withInt32(8, 48), 'CORRUPT_MESSAGE'],
  ['a batch that ends after its header', withInt32(8, 49), 'INVALID_RECORD'],
  ['magic 3', withByte(16, 3), 'CORRUPT_MESSAGE'],
  ['five bytes', new Uint8Array(5), 'INVALID_RECORD'],
  ['a batch cut short', good.subarray(0, good.length - 1), 'INVALID_RECORD'],
]
for (const [what, records, error] of nonsense) {
  test(`Produce: ${what} is ${error}`, async () => {
    const world = await Scenario.start({ topics: ['a:1'] })
    assert.is((await world.produce('a', records)).errorCode, errorCode(error))
    await world.stop()
  })
}

test('Produce looks for the topic first, then at the records, then at acks', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const codeOf = async (topic: string, records: Uint8Array, acks: number) =>
    (await world.produce(topic, records, { acks })).errorCode
  assert.is(await codeOf('zz', good, 5), errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  assert.is(await codeOf('a', new Uint8Array(5), 5), errorCode('INVALID_RECORD'))
  assert.is(await codeOf('a', good, 5), errorCode('INVALID_REQUIRED_ACKS'))
  await world.stop()
})

test('a transactional batch needs a transactional id in the request', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const fields = { isTransactional: true, producerId: 5, producerEpoch: 0, baseSequence: 0 }
  const { errorCode: code } = await world.produce('a', batch(['x'], fields))
  assert.is(code, errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'))
  await world.stop()
})

test('the zero topic id is no name: UNKNOWN_TOPIC_ID', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const partitionData = [{ index: 0, records: [good] }]
  const produced = await world.call(Produce, 13, {
    acks: 1,
    timeoutMs: 1000,
    topicData: [{ topicId: zeroUuid, partitionData }],
  })
  const code = errorCode('UNKNOWN_TOPIC_ID')
  assert.is(produced.responses[0]?.partitionResponses[0]?.errorCode, code)
  const fetched = await fetchAnswer(world, 13, { topicId: zeroUuid })
  assert.is(fetched.responses[0]?.partitions[0]?.errorCode, code)
  await world.stop()
})

function fetchAnswer(
  world: Scenario,
  version: number,
  topic: { topic?: string; topicId?: string },
  fields: Encodable<FetchRequest> = {},
) {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }]
  const topics = [{ ...topic, partitions }]
  return world.call(Fetch, version, { maxWaitMs: 0, minBytes: 1, ...fields, topics })
}

test('a fetch of what does not exist has an empty list of aborted transactions', async () => {
  const world = await Scenario.start()
  const byName = await fetchAnswer(world, 12, { topic: 'zz' })
  assert.equal(byName.responses[0]?.partitions[0]?.abortedTransactions, [])
  const byId = await fetchAnswer(world, 13, { topicId: unknownId })
  assert.equal(byId.responses[0]?.partitions[0]?.abortedTransactions, [])
  await world.stop()
})

test('session id 0 with an epoch is a session that does not exist', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const answer = await fetchAnswer(world, 11, { topic: 'a' }, { sessionId: 0, sessionEpoch: 5 })
  assert.is(answer.errorCode, errorCode('FETCH_SESSION_ID_NOT_FOUND'))
  await world.stop()
})

test('a fetch does not wait for more than its answer may hold', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  await world.produce('a', good)
  // The clock stands still: a fetch that waits is never answered.
  const limits = { maxWaitMs: 60_000, minBytes: 10_000, maxBytes: 50 }
  const answer = await fetchAnswer(world, 11, { topic: 'a' }, limits)
  assert.is(answer.responses[0]?.partitions[0]?.errorCode, 0)
  await world.stop()
})

test('ListOffsets answers a partition once that is asked for twice', async () => {
  const world = await Scenario.start({ topics: ['a:2'] })
  const partitions = [0, 1, 0].map((partitionIndex) => ({ partitionIndex, timestamp: -1 }))
  const { topics } = await world.call(ListOffsets, 7, { topics: [{ name: 'a', partitions }] })
  assert.equal(
    topics[0]?.partitions.map((one) => [one.partitionIndex, one.errorCode]),
    [
      [0, errorCode('INVALID_REQUEST')],
      [1, 0],
    ],
  )
  await world.stop()
})

test('ListOffsets looks at the timestamp before the topic', async () => {
  const world = await Scenario.start()
  const partitions = [{ partitionIndex: 0, timestamp: -77 }]
  const { topics } = await world.call(ListOffsets, 7, { topics: [{ name: 'zz', partitions }] })
  assert.is(topics[0]?.partitions[0]?.errorCode, errorCode('UNSUPPORTED_VERSION'))
  await world.stop()
})

test('InitProducerId: an id and an epoch come together, and a refusal has neither', async () => {
  const world = await Scenario.start()
  for (const given of [{ producerId: 5 }, { producerEpoch: 5 }]) {
    const answer = await world.call(InitProducerId, 4, { transactionalId: null, ...given })
    const { errorCode: code, producerId, producerEpoch } = answer
    assert.equal([code, producerId, producerEpoch], [errorCode('INVALID_REQUEST'), -1, -1])
  }
  await world.stop()
})

test('configs: remote storage is refused, unknown keys can be deleted, names are checked', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const codeOf = async (resourceName: string, name: string, configOperation: number) => {
    const { responses } = await world.call(IncrementalAlterConfigs, 1, {
      resources: [
        { resourceType: 2, resourceName, configs: [{ name, configOperation, value: 'true' }] },
      ],
    })
    return responses[0]?.errorCode
  }
  assert.is(await codeOf('a', 'remote.storage.enable', 0), errorCode('INVALID_CONFIG'))
  assert.is(await codeOf('a', 'no.such.key', 1), 0)
  assert.is(await codeOf('a b', 'retention.ms', 1), errorCode('INVALID_TOPIC_EXCEPTION'))
  assert.is(await codeOf('', 'retention.ms', 1), errorCode('INVALID_REQUEST'))
  await world.stop()
})
