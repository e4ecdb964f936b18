import { type ErrorName, errorCode } from '../../lib/base/errors.ts'
import { zeroUuid } from '../../lib/base/uuid.ts'
import { InitProducerId } from '../../lib/protocol/apis/init-producer-id.ts'
import { Produce } from '../../lib/protocol/apis/produce.ts'
import { readBatchHeader } from '../../lib/record/batch.ts'
import { assert, suite } from '../support/suite.ts'
import { batch, oldMessage, Scenario } from './support/scenario.ts'

const test = suite('produce')

function corrupted(bytes: Uint8Array, position: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[position] = (copy[position] ?? 0) ^ 0xff
  return copy
}

test('offsets follow the order of arrival, in every version from v3 on', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  let next = 0
  for (let version = 3; version <= 12; version++) {
    for (const acks of [1, -1]) {
      const answer = await world.produce('a', batch(['x', 'y']), { version, acks })
      assert.is(answer.errorCode, 0, `v${version} acks=${acks}`)
      assert.is(answer.baseOffset, next)
      assert.is(answer.logAppendTimeMs, -1)
      assert.is(answer.logStartOffset, version >= 5 ? 0 : -1)
      next += 2
    }
  }
  await world.stop()
})

test('v13 takes topics by id', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const topicId = await world.topicId('a')
  const send = (id: string) =>
    world.call(Produce, 13, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ topicId: id, partitionData: [{ index: 0, records: [batch(['x'])] }] }],
    })
  const good = await send(topicId)
  assert.is(good.responses[0]?.topicId, topicId)
  assert.is(good.responses[0]?.partitionResponses[0]?.errorCode, 0)
  const bad = await send('QUJDREVGR0hJSktMTU5PUA')
  assert.is(bad.responses[0]?.partitionResponses[0]?.errorCode, errorCode('UNKNOWN_TOPIC_ID'))
  await world.stop()
})

const good = batch(['x'])
const timestampNow = Date.UTC(2026, 0, 1)
const cases: readonly {
  readonly what: string
  readonly error: ErrorName
  readonly topic?: string
  readonly partition?: number
  readonly acks?: number
  readonly version?: number
  readonly records: Uint8Array
}[] = [
  { what: 'unknown topic', error: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 'nope', records: good },
  { what: 'unknown partition', error: 'UNKNOWN_TOPIC_OR_PARTITION', partition: 7, records: good },
  { what: 'negative partition', error: 'UNKNOWN_TOPIC_OR_PARTITION', partition: -1, records: good },
  { what: 'acks 2', error: 'INVALID_REQUIRED_ACKS', acks: 2, records: good },
  {
    what: 'an internal topic',
    error: 'INVALID_TOPIC_EXCEPTION',
    topic: '__consumer_offsets',
    records: good,
  },
  { what: 'no batch', error: 'INVALID_RECORD', records: new Uint8Array(0) },
  { what: 'two batches', error: 'INVALID_RECORD', records: Buffer.concat([good, good]) },
  { what: 'a cut batch', error: 'INVALID_RECORD', records: good.subarray(0, good.length - 1) },
  { what: 'magic 1', error: 'INVALID_RECORD', records: withByte(good, 16, 1) },
  { what: 'a wrong CRC', error: 'CORRUPT_MESSAGE', records: corrupted(good, good.length - 1) },
  {
    what: 'zstd before v7',
    error: 'UNSUPPORTED_COMPRESSION_TYPE',
    version: 6,
    records: batch(['x'], { codec: 'zstd' }),
  },
  { what: 'a control batch', error: 'INVALID_RECORD', records: batch(['x'], { isControl: true }) },
  {
    what: 'a batch above max.message.bytes',
    error: 'MESSAGE_TOO_LARGE',
    topic: 'small',
    records: batch(['x'.repeat(2000)]),
  },
  {
    what: 'a time too far ahead',
    error: 'INVALID_TIMESTAMP',
    records: batch(['x'], { timestamp: timestampNow + 7_200_000 }),
  },
  {
    what: 'no key on a compacted topic',
    error: 'INVALID_RECORD',
    topic: 'compacted',
    records: good,
  },
  {
    what: 'a transactional batch',
    error: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    records: batch(['x'], {
      isTransactional: true,
      producerId: 5,
      producerEpoch: 0,
      baseSequence: 0,
    }),
  },
]

function withByte(bytes: Uint8Array, position: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[position] = value
  return copy
}

test('what is refused, with which code', async () => {
  const world = await Scenario.start({
    topics: [
      'a:1',
      'small:1:max.message.bytes=1000',
      'compacted:1:cleanup.policy=compact',
      '__consumer_offsets:1',
    ],
  })
  for (const { what, error, topic = 'a', records, ...rest } of cases) {
    const answer = await world.produce(topic, records, rest)
    assert.is(answer.errorCode, errorCode(error), what)
    assert.is(answer.baseOffset, -1, what)
  }
  assert.is((await world.produce('a', good)).baseOffset, 0)
  await world.stop()
})

test('offending records are named from v8 on', async () => {
  const world = await Scenario.start({ topics: ['c:1:cleanup.policy=compact'] })
  const answer = await world.produce('c', batch(['x', 'y']), { version: 8 })
  assert.is(answer.errorCode, errorCode('INVALID_RECORD'))
  assert.equal(
    answer.recordErrors.map(({ batchIndex }) => batchIndex),
    [0, 1],
  )
  assert.ok(answer.errorMessage)
  await world.stop()
})

test('one bad partition does not spoil the others', async () => {
  const world = await Scenario.start({ topics: ['a:2'] })
  const { responses } = await world.call(Produce, 9, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [
      {
        name: 'a',
        partitionData: [
          { index: 0, records: [batch(['x'])] },
          { index: 5, records: [batch(['x'])] },
          { index: 1, records: [corrupted(batch(['x']), 66)] },
        ],
      },
      { name: 'nope', partitionData: [{ index: 0, records: [batch(['x'])] }] },
    ],
  })
  const codes = responses.map(({ partitionResponses }) =>
    partitionResponses.map((partition) => partition.errorCode),
  )
  assert.equal(codes, [[0, 3, 2], [3]])
  await world.stop()
})

test('acks=0 has no answer; an error closes the connection', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const client = await world.connect()
  const topicData = (name: string) => [
    { name, partitionData: [{ index: 0, records: [batch(['x'])] }] },
  ]
  client.send(Produce, 9, { acks: 0, timeoutMs: 1000, topicData: topicData('a') })
  const second = await client.call(Produce, 9, {
    acks: 1,
    timeoutMs: 1000,
    topicData: topicData('a'),
  })
  assert.is(second.responses[0]?.partitionResponses[0]?.baseOffset, 1)
  client.send(Produce, 9, { acks: 0, timeoutMs: 1000, topicData: topicData('nope') })
  await world.env.clock.settle()
  assert.ok(client.isClosed)
  await world.stop()
})

test('pipelined appends keep their order and their replies', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  for (const pieceBytes of [1, 50, 65536]) {
    world.env.network.pieceBytes = pieceBytes
    const client = await world.connect()
    const start = (await world.fetch('a', 0)).highWatermark
    for (let index = 0; index < 20; index++) {
      const partitionData = [{ index: 0, records: [batch([`m${index}`])] }]
      const topicData = [{ name: 'a', partitionData }]
      client.send(Produce, 9, { acks: index % 2 === 0 ? -1 : 1, timeoutMs: 1000, topicData })
    }
    for (let index = 0; index < 20; index++) {
      const { responses } = await client.answer(Produce, 9)
      assert.is(responses[0]?.partitionResponses[0]?.baseOffset, start + index)
    }
  }
  await world.stop()
})

test('the leader writes base offset and epoch into the batch, and nothing else', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  await world.produce('a', batch(['x', 'y']))
  const sent = batch(['z'], { codec: 'gzip' })
  await world.produce('a', sent)
  const { bytes } = await world.fetch('a', 2)
  const header = readBatchHeader(bytes)
  assert.is(header.baseOffset, 2)
  assert.ok(header.partitionLeaderEpoch >= 0)
  assert.equal([...bytes.subarray(16)], [...sent.subarray(16)])
  await world.stop()
})

test('LogAppendTime is answered and stored', async () => {
  const world = await Scenario.start({ topics: ['t:1:message.timestamp.type=LogAppendTime'] })
  await world.env.clock.advance(5000)
  const answer = await world.produce('t', batch(['x'], { timestamp: 1 }))
  assert.is(answer.logAppendTimeMs, timestampNow + 5000)
  const { bytes } = await world.fetch('t', 0)
  assert.is(readBatchHeader(bytes).maxTimestamp, timestampNow + 5000)
  await world.stop()
})

test('an idempotent batch that comes again gets its first offset', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const { producerId, producerEpoch } = await world.call(InitProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 1000,
  })
  const of = (baseSequence: number) => batch(['x'], { producerId, producerEpoch, baseSequence })
  assert.is((await world.produce('a', of(0))).baseOffset, 0)
  assert.is((await world.produce('a', of(1))).baseOffset, 1)
  assert.is((await world.produce('a', of(0))).baseOffset, 0)
  const gap = await world.produce('a', of(5))
  assert.is(gap.errorCode, errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER'))
  await world.stop()
})

test('producer ids are fresh each time, also after a restart', async () => {
  const world = await Scenario.start()
  const seen = new Set<number>()
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 5; index++) {
      const answer = await world.call(InitProducerId, 5, { transactionalId: null })
      assert.is(answer.errorCode, 0)
      assert.is(answer.producerEpoch, 0)
      assert.not.ok(seen.has(answer.producerId), `id ${answer.producerId} twice`)
      seen.add(answer.producerId)
    }
    await world.restart()
  }
  const refused = await world.call(InitProducerId, 4, { transactionalId: 'tx' })
  assert.is(refused.errorCode, errorCode('INVALID_REQUEST'))
  await world.stop()
})

test('old message sets are converted', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  for (const [version, magic] of [
    [0, 0],
    [1, 0],
    [2, 1],
  ] as const) {
    const answer = await world.produce('a', oldMessage(magic, 'old'), { version })
    assert.is(answer.errorCode, 0, `v${version}`)
    assert.is(answer.baseOffset, version)
    const { bytes } = await world.fetch('a', version)
    assert.is(readBatchHeader(bytes).magic, 2)
    assert.ok(bytes.includes('old'))
  }
  await world.stop()
})

test('a reply names the topic by name before v13', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const { responses } = await world.call(Produce, 12, {
    acks: 1,
    timeoutMs: 10,
    topicData: [{ name: 'a', partitionData: [{ index: 0, records: [batch(['x'])] }] }],
  })
  assert.is(responses[0]?.name, 'a')
  assert.is(responses[0]?.topicId, zeroUuid)
  await world.stop()
})
