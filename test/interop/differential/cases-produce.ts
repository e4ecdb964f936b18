/** Produce and InitProducerId: what a batch must be, what is stored of it, and sequences. */

import { joinChunks } from '../../../lib/base/bytes.ts'
import { ApiVersions } from '../../../lib/protocol/apis/api-versions.ts'
import { Fetch } from '../../../lib/protocol/apis/fetch.ts'
import { InitProducerId } from '../../../lib/protocol/apis/init-producer-id.ts'
import { Produce, type ProduceResponse } from '../../../lib/protocol/apis/produce.ts'
import { encodeRequest } from '../../../lib/protocol/codec.ts'
import { type BatchOptions, batch, changed, damaged, oldMessage, at as place } from './batches.ts'
import { baseTime } from './compare.ts'
import type { NewTopic, NoAnswer, Peer } from './peer.ts'
import { type Accepted, type At, accept, rowsOf, type Section } from './row.ts'

const production = rowsOf(Produce)
const producerIds = rowsOf(InitProducerId)

/** Produce in every version that takes batches. */
const versions = [3, 99] as const
const unknownId = 'AAAAAAAAAAAAAAAAAAAAEw'

interface Sent {
  readonly topic?: string
  readonly topicId?: string
  readonly acks?: number
  readonly partition?: number
  readonly transactionalId?: string
}

/** The request for one partition. */
async function request(at: At, records: readonly Uint8Array[] | null, sent: Sent = {}) {
  const { topic = at.rowTopic, acks = -1, partition = 0, transactionalId = null } = sent
  const topicId = sent.topicId ?? (await at.peer.idOf(topic))
  const partitionData = [{ index: partition, records }]
  return {
    transactionalId,
    acks,
    timeoutMs: 5000,
    topicData: [{ name: topic, topicId, partitionData }],
  }
}

/** The batches from the answer's base offset on, as stored. */
async function stored({ peer, rowTopic }: At, answer: ProduceResponse | NoAnswer) {
  const partition =
    typeof answer === 'string' ? undefined : answer.responses[0]?.partitionResponses[0]
  if (partition === undefined || partition.errorCode !== 0) return null
  const fetched = await peer.call(Fetch, 11, {
    maxWaitMs: 2000,
    minBytes: 1,
    topics: [
      {
        topic: rowTopic,
        partitions: [
          { partition: 0, fetchOffset: partition.baseOffset, partitionMaxBytes: 1 << 24 },
        ],
      },
    ],
  })
  return fetched.responses[0]?.partitions[0]?.records
}

interface ProduceOptions extends Sent {
  readonly config?: NewTopic['configs']
  readonly accepted?: readonly Accepted[]
  /** One version instead of all. */
  readonly only?: number
}

/** Sends the same records to a topic of the row in each version, and reads back what came of it. */
function produce(
  name: string,
  records: readonly Uint8Array[] | null,
  { config = {}, accepted = [], only, ...sent }: ProduceOptions = {},
) {
  return production.steps(
    name,
    async (at, ask) => {
      await at.peer.ensure(at.rowTopic, { configs: { 'retention.ms': '-1', ...config } })
      const answer = await ask(await request(at, records, sent))
      return { answer, records: await stored(at, answer) }
    },
    {
      versions: only === undefined ? versions : [only, only],
      accepted: [...accepted, logStart],
    },
  )
}

const good = batch(['one', 'two', 'three'])
const logStart = accept(
  'Kafka tells the log start offset with some refusals, ottla with none',
  /\[\d\]\.logStartOffset$/,
)
const unparsed = accept(
  'ottla does not decompress or parse the records of a batch on its way in (DESIGN 11)',
  /./,
)
const hour = 3_600_000
const now = () => Date.now()

const accepted = [
  produce('one record', [batch(['v'])]),
  produce('three records', [good]),
  produce('null and empty values', [batch([null, '', 'v'], { keys: ['k', '', null] })]),
  ...(['gzip', 'snappy', 'lz4', 'zstd'] as const).map((codec) =>
    produce(`codec ${codec}`, [batch(['one', 'two', 'x'.repeat(2000)], { codec })]),
  ),
  produce('acks 1', [good], { acks: 1 }),
  produce('timestamps out of order', [
    batch(['a', 'b', 'c'], { timestamps: [baseTime + 10, baseTime, baseTime + 5] }),
  ]),
  produce('timestamp -1', [batch(['a'], { timestamps: [-1] })]),
  produce('timestamp 0', [batch(['a'], { timestamps: [0] })]),
  produce('timestamp of an hour ago, in a chunked request', [
    good.subarray(0, 30),
    good.subarray(30),
  ]),
  produce('a leader epoch in the batch', [
    damaged(good, (b) => b.writeInt32BE(5, place.leaderEpoch)),
  ]),
  produce(
    'a wrong maxTimestamp',
    [changed(good, (b) => b.writeBigInt64BE(BigInt(baseTime + 1), place.maxTimestamp))],
    {
      accepted: [
        accept('ottla keeps the maxTimestamp of a batch that it does not parse', /^\.records/),
      ],
    },
  ),
]

const refused = [
  ...[5, 2, -2].map((acks) => produce(`acks ${acks}`, [good], { acks })),
  produce('null for records', null, {
    only: 9,
    accepted: [accept('Kafka does not answer at all when records are null', /./)],
  }),
  produce('no records', []),
  produce('garbage of 5 bytes', [Buffer.from('hello')]),
  produce('garbage of 80 bytes', [Buffer.alloc(80, 7)]),
  produce('zeros', [Buffer.alloc(80)]),
  produce('wrong crc', [damaged(good, (b) => b.writeUInt32BE(1, place.crc))]),
  produce('wrong crc by a changed record', [
    damaged(good, (b) => b.writeUInt8(0x55, good.length - 2)),
  ]),
  produce('wrong crc, compressed', [
    damaged(batch(['a'], { codec: 'gzip' }), (b) => b.writeUInt32BE(1, place.crc)),
  ]),
  produce('base offset 5', [damaged(good, (b) => b.writeInt32BE(5, 4))]),
  produce('base offset -1', [damaged(good, (b) => b.writeBigInt64BE(-1n, 0))]),
  produce('count too high', [changed(good, (b) => b.writeInt32BE(4, place.count))]),
  produce('count too low', [changed(good, (b) => b.writeInt32BE(2, place.count))]),
  produce('count 0', [changed(good, (b) => b.writeInt32BE(0, place.count))]),
  produce('count -1', [changed(good, (b) => b.writeInt32BE(-1, place.count))]),
  produce('lastOffsetDelta too high', [
    changed(good, (b) => b.writeInt32BE(3, place.lastOffsetDelta)),
  ]),
  produce('lastOffsetDelta too low', [
    changed(good, (b) => b.writeInt32BE(1, place.lastOffsetDelta)),
  ]),
  produce('lastOffsetDelta -1', [changed(good, (b) => b.writeInt32BE(-1, place.lastOffsetDelta))]),
  produce(
    'count and lastOffsetDelta too high',
    [
      changed(good, (b) => {
        b.writeInt32BE(3, place.lastOffsetDelta)
        b.writeInt32BE(4, place.count)
      }),
    ],
    { accepted: [unparsed] },
  ),
  produce('a batch without records', [
    changed(good.subarray(0, place.records), (b) => {
      b.writeInt32BE(place.records - 12, place.batchLength)
      b.writeInt32BE(0, place.count)
      b.writeInt32BE(-1, place.lastOffsetDelta)
    }),
  ]),
  ...[0, 1, 3, 127].map((magic) =>
    produce(`magic ${magic} in a batch`, [changed(good, (b) => b.writeUInt8(magic, place.magic))]),
  ),
  produce('a message of magic 0', [oldMessage(0)]),
  produce('a message of magic 1', [oldMessage(1)]),
  produce('two batches', [good, good]),
  produce('a batch and garbage', [good, Buffer.alloc(5)], {
    accepted: [accept('ottla refuses bytes after the batch, Kafka passes over them', /./)],
  }),
  produce('a batch cut short', [good.subarray(0, good.length - 1)]),
  produce('a batch cut in its header', [good.subarray(0, 40)]),
  ...[-1, 0, 13, 48, 49, 1_000_000].map((size) =>
    produce(`batchLength ${size}`, [damaged(good, (b) => b.writeInt32BE(size, place.batchLength))]),
  ),
  produce('control batch', [
    batch(['x'], {
      isControl: true,
      isTransactional: true,
      producerId: 5,
      producerEpoch: 0,
      baseSequence: 0,
    }),
  ]),
  produce('control batch without a producer', [batch(['x'], { isControl: true })]),
  produce('transactional without a transactional id', [
    batch(['x'], { isTransactional: true, producerId: 5, producerEpoch: 0, baseSequence: 0 }),
  ]),
  produce(
    'transactional, producer not known',
    [batch(['x'], { isTransactional: true, producerId: 5, producerEpoch: 0, baseSequence: 0 })],
    {
      transactionalId: 'tx',
      accepted: [accept('there are no transactions in ottla yet: INVALID_TXN_STATE', /./)],
    },
  ),
  produce('plain, with a transactional id', [good], { transactionalId: 'tx' }),
  produce('sequence without a producer', [
    changed(good, (b) => b.writeInt32BE(0, place.baseSequence)),
  ]),
  produce('producer without a sequence', [
    batch(['x'], { producerId: 777, producerEpoch: 0, baseSequence: -1 }),
  ]),
  produce(
    'producer with epoch -1',
    [batch(['x'], { producerId: 777, producerEpoch: -1, baseSequence: 0 })],
    { accepted: [accept('ottla refuses a producer without an epoch', /./)] },
  ),
  ...[5, 6, 7].map((codec) =>
    produce(`codec ${codec}`, [changed(good, (b) => b.writeInt16BE(codec, place.attributes))], {
      accepted: [accept('an unknown codec: Kafka says UNKNOWN_SERVER_ERROR', /\.errorCode$/)],
    }),
  ),
  produce('LogAppendTime set by the client', [
    changed(good, (b) => b.writeInt16BE(8, place.attributes)),
  ]),
  produce('delete horizon set by the client', [
    changed(good, (b) => b.writeInt16BE(0x40, place.attributes)),
  ]),
  produce('unknown attributes', [changed(good, (b) => b.writeInt16BE(0x4000, place.attributes))]),
  produce('gzip that is none', [changed(good, (b) => b.writeInt16BE(1, place.attributes))], {
    accepted: [unparsed],
  }),
  produce('record of a wrong length', [changed(good, (b) => b.writeUInt8(4, place.records))], {
    accepted: [unparsed],
  }),
  produce(
    'record with a wrong offset delta',
    [changed(good, (b) => b.writeUInt8(6, place.records + 3))],
    {
      accepted: [unparsed],
    },
  ),
]

const limits = [
  produce('batch above max.message.bytes', [batch(['x'.repeat(1000)])], {
    config: { 'max.message.bytes': '1000' },
  }),
  produce('batch at max.message.bytes', [batch(['x'.repeat(931)])], {
    config: { 'max.message.bytes': String(batch(['x'.repeat(931)]).length) },
  }),
  produce('batch one byte above max.message.bytes', [batch(['x'.repeat(931)])], {
    config: { 'max.message.bytes': String(batch(['x'.repeat(931)]).length - 1) },
  }),
  produce('compressed below max.message.bytes', [batch(['x'.repeat(5000)], { codec: 'gzip' })], {
    config: { 'max.message.bytes': '1000' },
  }),
  produce('batch above segment.bytes', [batch(['x'.repeat(1_200_000)])], {
    config: { 'max.message.bytes': '2000000', 'segment.bytes': '1048576' },
  }),
  produce('timestamp too far ahead', [batch(['a'], { timestamps: [now() + 2 * hour] })]),
  produce('one timestamp of three too far ahead', [
    batch(['a', 'b', 'c'], { timestamps: [baseTime, now() + 2 * hour, baseTime] }),
  ]),
  produce('timestamp too far ahead, compressed', [
    batch(['a', 'b', 'c'], { timestamps: [baseTime, now() + 2 * hour, baseTime], codec: 'gzip' }),
  ]),
  produce(
    'timestamp too old',
    [batch(['a', 'b'], { timestamps: [baseTime, baseTime - 30 * hour] })],
    {
      config: { 'message.timestamp.before.max.ms': String(24 * hour) },
      accepted: [unparsed],
    },
  ),
  produce('all timestamps too old', [batch(['a', 'b'], { timestamps: [baseTime - 30 * hour] })], {
    config: { 'message.timestamp.before.max.ms': String(24 * hour) },
  }),
  produce('no timestamp, with a limit', [batch(['a'], { timestamps: [-1] })], {
    config: { 'message.timestamp.before.max.ms': String(24 * hour) },
  }),
  produce('two replicas wanted in sync', [good], { config: { 'min.insync.replicas': '2' } }),
  produce('two replicas wanted in sync, acks 1', [good], {
    config: { 'min.insync.replicas': '2' },
    acks: 1,
  }),
]

const conversions = [
  ...(['none', 'gzip', 'zstd'] as const).flatMap((codec) => [
    produce(`LogAppendTime, ${codec}`, [batch(['a', 'b'], { codec })], {
      config: { 'message.timestamp.type': 'LogAppendTime' },
    }),
  ]),
  produce(
    'LogAppendTime, timestamp far ahead',
    [batch(['a'], { timestamps: [now() + 9 * hour] })],
    {
      config: { 'message.timestamp.type': 'LogAppendTime' },
    },
  ),
  produce(
    'LogAppendTime, set by the client',
    [changed(good, (b) => b.writeInt16BE(8, place.attributes))],
    {
      config: { 'message.timestamp.type': 'LogAppendTime' },
    },
  ),
  ...(['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'] as const).flatMap((type) =>
    (['none', 'gzip', 'lz4'] as const).map((codec) =>
      produce(
        `compression.type=${type}, sent ${codec}`,
        [batch(['a', 'b', 'x'.repeat(500)], { codec })],
        {
          config: { 'compression.type': type },
        },
      ),
    ),
  ),
  produce('compression.type=gzip and LogAppendTime', [good], {
    config: { 'compression.type': 'gzip', 'message.timestamp.type': 'LogAppendTime' },
  }),
  produce(
    'compression.type=uncompressed grows above max.message.bytes',
    [batch(['x'.repeat(5000)], { codec: 'gzip' })],
    { config: { 'compression.type': 'uncompressed', 'max.message.bytes': '1000' } },
  ),
  ...(['none', 'gzip'] as const).flatMap((codec) => [
    produce(`compacted, no key, ${codec}`, [batch(['a'], { codec })], {
      config: { 'cleanup.policy': 'compact' },
    }),
    produce(
      `compacted, second of three without a key, ${codec}`,
      [batch(['a', 'b', 'c'], { keys: ['k', null, 'l'], codec })],
      { config: { 'cleanup.policy': 'compact' } },
    ),
    produce(`compacted, keys, ${codec}`, [batch(['a', null], { keys: ['k', 'l'], codec })], {
      config: { 'cleanup.policy': 'compact,delete' },
    }),
  ]),
]

const targets = [
  produce('unknown topic', [good], { topic: 'zz-unknown', topicId: unknownId }),
  produce('bad topic name', [good], { topic: 'a b', topicId: unknownId }),
  produce('no topic name', [good], { topic: '', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }),
  produce('unknown partition', [good], { partition: 1 }),
  produce('negative partition', [good], { partition: -1 }),
  produce('unknown topic, acks 5', [good], { topic: 'zz-unknown', topicId: unknownId, acks: 5 }),
  produce('unknown topic, bad records', [Buffer.alloc(5)], {
    topic: 'zz-unknown',
    topicId: unknownId,
  }),
  produce('internal topic', [good], { topic: '__share_group_state' }),
  production.steps(
    'several partitions, some bad',
    async (at, ask) => {
      await at.peer.ensure(at.rowTopic, { partitions: 3 })
      const bad = damaged(good, (b) => b.writeUInt32BE(1, place.crc))
      const parts = [good, bad, good, good]
      const partitionData = parts.map((records, index) => ({ index, records: [records] }))
      const topicId = await at.peer.idOf(at.rowTopic)
      const topicData = [{ name: at.rowTopic, topicId, partitionData }]
      const answer = await ask({ acks: -1, timeoutMs: 5000, topicData })
      return partitionsSorted(answer)
    },
    { versions },
  ),
  production.steps(
    'a partition twice',
    async (at, ask) => {
      await at.peer.ensure(at.rowTopic)
      const one = { index: 0, records: [batch(['a'])] }
      const topicId = await at.peer.idOf(at.rowTopic)
      const topicData = [{ name: at.rowTopic, topicId, partitionData: [one, one] }]
      const answer = await ask({ acks: -1, timeoutMs: 5000, topicData })
      return partitionsSorted(answer)
    },
    {
      versions: [3, 3],
      accepted: [accept('a partition that comes twice: Kafka takes the last one alone', /./)],
    },
  ),
  production.ask('no topics', () => ({ acks: -1, timeoutMs: 1000, topicData: [] }), { versions }),
  production.ask('no topics, acks 7', () => ({ acks: 7, timeoutMs: 1000, topicData: [] }), {
    versions,
  }),
  production.steps(
    'acks 0',
    async (at) => {
      await at.peer.ensure(at.rowTopic)
      return withoutAnswer(at, [good])
    },
    { versions },
  ),
  production.steps(
    'acks 0, refused',
    async (at) => {
      await at.peer.ensure(at.rowTopic)
      return withoutAnswer(at, [damaged(good, (b) => b.writeUInt32BE(1, place.crc))])
    },
    { versions },
  ),
]

/** Partitions of the answer in the order of their numbers. */
function partitionsSorted(answer: ProduceResponse | NoAnswer) {
  if (typeof answer === 'string') return answer
  const parts = answer.responses.flatMap(({ partitionResponses }) => partitionResponses)
  return parts.sort((a, b) => a.index - b.index)
}

/** Whether a request after the one without an answer is answered. */
async function withoutAnswer(at: At, records: readonly Uint8Array[]) {
  const { peer, version } = at
  const header = { correlationId: 7, clientId: 'diff' }
  const frames = [
    ...encodeRequest(Produce, version, header, await request(at, records, { acks: 0 })),
    ...encodeRequest(ApiVersions, 0, header, {}),
  ]
  const answer = await peer.exchange(joinChunks(frames))
  return typeof answer === 'string' ? answer : 'the next is answered'
}

/** [sequence, records, epoch step]: one producer's batches, one after the other. */
type Sequence = readonly [sequence: number, count: number, epoch?: number, value?: string]

function sequences(name: string, batches: readonly Sequence[], options: { codec?: 'gzip' } = {}) {
  return production.steps(
    `sequences: ${name}`,
    async (at, ask) => {
      await at.peer.create(at.topic)
      const { producerId } = await at.peer.call(InitProducerId, 4, { transactionalId: null })
      const answers = []
      for (const [baseSequence, count, producerEpoch = 0, value = 'v'] of batches) {
        const fields: BatchOptions = { ...options, producerId, producerEpoch, baseSequence }
        const values = Array.from({ length: count }, () => value)
        const records = [batch(values, fields)]
        answers.push(await ask(await request(at, records, { topic: at.topic })))
      }
      return answers.map((answer) =>
        typeof answer === 'string' ? answer : partitionsSorted(answer),
      )
    },
    {
      versions: [9, 10],
      accepted: [
        accept(
          'Kafka gives the time of a batch that comes again as log append time, ottla -1 as at first',
          /\.logAppendTimeMs$/,
        ),
        logStart,
      ],
    },
  )
}

const max = 2 ** 31 - 1

const idempotence = [
  sequences('in order', [
    [0, 1],
    [1, 2],
    [3, 1],
  ]),
  sequences(
    'in order, compressed',
    [
      [0, 1],
      [1, 2],
      [3, 1],
    ],
    { codec: 'gzip' },
  ),
  sequences('the last again', [
    [0, 2],
    [2, 3],
    [2, 3],
  ]),
  sequences('the first of five again', [
    [0, 1],
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 1],
    [0, 1],
    [5, 1],
  ]),
  sequences('the first of six again', [
    [0, 1],
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 1],
    [5, 1],
    [0, 1],
    [6, 1],
  ]),
  sequences('again with other contents', [
    [0, 2],
    [0, 2, 0, 'other'],
  ]),
  sequences('part of a batch again', [
    [0, 3],
    [1, 1],
    [0, 2],
    [2, 1],
    [0, 4],
    [1, 3],
  ]),
  sequences('two batches again as one', [
    [0, 2],
    [2, 2],
    [0, 4],
  ]),
  sequences('a gap', [
    [0, 1],
    [2, 1],
    [1, 1],
  ]),
  sequences('first not 0', [
    [5, 1],
    [6, 1],
    [5, 1],
  ]),
  sequences('first at the end', [
    [max, 1],
    [0, 1],
    [1, 1],
  ]),
  sequences('wrap inside a batch', [
    [max - 1, 4],
    [2, 1],
    [max - 1, 4],
  ]),
  sequences('wrap, then a gap', [
    [max, 1],
    [1, 1],
  ]),
  sequences('next epoch at 0', [
    [0, 2],
    [0, 1, 1],
    [1, 1, 1],
  ]),
  sequences('next epoch not at 0', [
    [0, 2],
    [2, 1, 1],
    [0, 1, 1],
  ]),
  sequences('next epoch, old batch again', [
    [0, 2, 1],
    [0, 2, 2],
    [0, 2, 1],
  ]),
  sequences('epoch goes back', [
    [0, 1, 3],
    [1, 1, 2],
    [1, 1, 3],
  ]),
  sequences('epoch starts high', [
    [7, 1, 9],
    [8, 1, 9],
  ]),
  sequences('epoch skips', [
    [0, 1, 0],
    [0, 1, 5],
  ]),
  sequences('same sequence, next epoch', [
    [0, 1],
    [0, 1, 1],
    [0, 1, 1],
  ]),
]

const ids = [
  producerIds.ask('no transactional id', () => ({
    transactionalId: null,
    transactionTimeoutMs: 60_000,
  })),
  producerIds.ask('no transactional id, timeout 0', () => ({
    transactionalId: null,
    transactionTimeoutMs: 0,
  })),
  producerIds.ask('no transactional id, timeout -1', () => ({
    transactionalId: null,
    transactionTimeoutMs: -1,
  })),
  producerIds.ask('empty transactional id', () => ({
    transactionalId: '',
    transactionTimeoutMs: 60_000,
  })),
  producerIds.ask(
    'no transactional id, with an id and epoch',
    () => ({ transactionalId: null, transactionTimeoutMs: 1, producerId: 5, producerEpoch: 3 }),
    { versions: [3, 99] },
  ),
  producerIds.ask(
    'an id without an epoch',
    () => ({ transactionalId: null, transactionTimeoutMs: 1, producerId: 5 }),
    { versions: [3, 99] },
  ),
  producerIds.ask(
    'an epoch without an id',
    () => ({ transactionalId: null, transactionTimeoutMs: 1, producerEpoch: 5 }),
    { versions: [3, 99] },
  ),
  producerIds.steps('ids differ', async (_, ask) => {
    const body = { transactionalId: null, transactionTimeoutMs: 1 }
    const [a, b] = [await ask(body), await ask(body)]
    return typeof a === 'string' || typeof b === 'string' || a.producerId !== b.producerId
  }),
]

export const produceSection: Section = {
  name: 'produce',
  prepare: (peer: Peer) => peer.ensure('__share_group_state'),
  rows: [
    ...accepted,
    ...refused,
    ...limits,
    ...conversions,
    ...targets,
    ...idempotence,
    ...ids,
    production.steps(
      'internal topic, by the admin client',
      async (at, ask) =>
        ask(await request(at, [good], { topic: '__share_group_state' }), '__admin_client'),
      { versions },
    ),
  ],
}
