import { errorCode } from '../../lib/base/errors.ts'
import { Fetch } from '../../lib/protocol/apis/fetch.ts'
import { OffsetForLeaderEpoch } from '../../lib/protocol/apis/offset-for-leader-epoch.ts'
import { encodeRequest } from '../../lib/protocol/codec.ts'
import type { Encodable, RequestOf } from '../../lib/protocol/schema.ts'
import { readBatchHeader, splitBatches } from '../../lib/record/batch.ts'
import { assert, suite } from '../support/suite.ts'
import { batch, Scenario } from './support/scenario.ts'

const test = suite('fetch')

/** Three batches: offsets 0-2, 3-4, 5. */
async function filled(configs: Record<string, string> = {}): Promise<Scenario> {
  const world = await Scenario.start({ topics: ['a:2'], configs })
  await world.produce('a', batch(['0', '1', '2']))
  await world.produce('a', batch(['3', '4']))
  await world.produce('a', batch(['5']))
  return world
}

const baseOffsets = (bytes: Uint8Array) =>
  splitBatches([bytes]).map(({ header }) => header.baseOffset)

test('every offset gives the whole batch it lies in, in every version', async () => {
  const world = await filled()
  const topicId = await world.topicId('a')
  const expected = [0, 0, 0, 3, 3, 5]
  for (let version = 4; version <= 18; version++) {
    const client = await world.connect()
    for (const [offset, base] of expected.entries()) {
      const named = version >= 13 ? { topicId } : { topic: 'a' }
      const { responses } = await client.call(Fetch, version, {
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes: 1e6,
        topics: [
          { ...named, partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1e6 }] },
        ],
      })
      const partition = responses[0]?.partitions[0]
      assert.is(partition?.errorCode, 0, `v${version}`)
      assert.is(partition?.highWatermark, 6)
      assert.is(partition?.lastStableOffset, 6)
      assert.is(
        baseOffsets(Buffer.concat(partition?.records ?? []))[0],
        base,
        `v${version} offset ${offset}`,
      )
    }
    client.stream.destroy()
  }
  await world.stop()
})

const outOfRange = errorCode('OFFSET_OUT_OF_RANGE')
for (const [offset, code] of [
  [-1, outOfRange],
  [6, 0],
  [7, outOfRange],
  [2 ** 52, outOfRange],
] as const) {
  test(`a fetch at ${offset} of 0 to 6 answers ${code}`, async () => {
    const world = await filled()
    const { errorCode, records, highWatermark } = await world.fetch('a', offset)
    assert.is(errorCode, code)
    assert.is(records?.length, 0)
    assert.is(highWatermark, code === 0 ? 6 : -1)
    await world.stop()
  })
}

test('the first batch comes whole whatever the limits, and nothing beyond them', async () => {
  const world = await filled()
  const one = await world.fetch('a', 0, { maxBytes: 1 })
  assert.equal(baseOffsets(one.bytes), [0])
  const first = readBatchHeader(one.bytes).sizeBytes
  const limited = await world.fetch('a', 0, { maxBytes: first + 10 })
  assert.equal(baseOffsets(limited.bytes), [0])
  const two = await world.fetch('a', 0, { maxBytes: 2 * first })
  assert.equal(baseOffsets(two.bytes), [0, 3])
  await world.stop()
})

test('one budget serves the partitions in the order of the request', async () => {
  const world = await filled()
  await world.produce('a', batch(['p1']), { partition: 1 })
  const { responses } = await world.call(Fetch, 11, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 10,
    topics: [
      {
        topic: 'a',
        partitions: [
          { partition: 1, fetchOffset: 1, partitionMaxBytes: 1e6 },
          { partition: 0, fetchOffset: 3, partitionMaxBytes: 1e6 },
          { partition: 1, fetchOffset: 0, partitionMaxBytes: 1e6 },
        ],
      },
    ],
  })
  const sizes = responses[0]?.partitions.map(({ records }) => records?.length)
  assert.equal(sizes, [0, 1, 0])
  await world.stop()
})

function parked(fetchOffset: number, fields: { maxWaitMs: number; minBytes: number }) {
  return {
    maxBytes: 1e6,
    ...fields,
    topics: [{ topic: 'a', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1e6 }] }],
  }
}

test('a fetch at the end waits for data', async () => {
  const world = await filled()
  const client = await world.connect()
  client.send(Fetch, 11, parked(6, { maxWaitMs: 5000, minBytes: 1 }))
  await world.env.clock.advance(1000)
  assert.is(client.frames.length, 0)
  await world.produce('a', batch(['6']))
  const { responses } = await client.answer(Fetch, 11)
  assert.equal(baseOffsets(Buffer.concat(responses[0]?.partitions[0]?.records ?? [])), [6])
  await world.stop()
})

test('a fetch at the end gives up after max_wait_ms', async () => {
  const world = await filled()
  const client = await world.connect()
  client.send(Fetch, 11, parked(6, { maxWaitMs: 5000, minBytes: 1 }))
  await world.env.clock.advance(4999)
  assert.is(client.frames.length, 0)
  await world.env.clock.advance(1)
  const { responses } = await client.answer(Fetch, 11)
  assert.is(responses[0]?.partitions[0]?.errorCode, 0)
  await world.stop()
})

test('min_bytes counts what is there and what comes', async () => {
  const world = await filled()
  const { bytes } = await world.fetch('a', 5)
  const client = await world.connect()
  client.send(Fetch, 11, parked(5, { maxWaitMs: 60_000, minBytes: bytes.length * 3 }))
  await world.env.clock.advance(100)
  await world.produce('a', batch(['6']))
  await world.env.clock.advance(100)
  assert.is(client.frames.length, 0)
  await world.produce('a', batch(['7']))
  const { responses } = await client.answer(Fetch, 11)
  assert.equal(baseOffsets(Buffer.concat(responses[0]?.partitions[0]?.records ?? [])), [5, 6, 7])
  await world.stop()
})

test('an error is answered at once, beside the other partitions', async () => {
  const world = await filled()
  const client = await world.connect()
  const request = parked(6, { maxWaitMs: 60_000, minBytes: 1 })
  const topics = [...request.topics, { topic: 'nope', partitions: [{ partition: 0 }] }]
  client.send(Fetch, 11, { ...request, topics })
  const { responses } = await client.answer(Fetch, 11)
  const codes = responses.map(({ partitions }) => partitions[0]?.errorCode)
  assert.equal(codes, [0, errorCode('UNKNOWN_TOPIC_OR_PARTITION')])
  await world.stop()
})

test('a parked fetch holds up the requests behind it, and ends with its connection', async () => {
  const world = await filled()
  const client = await world.connect()
  client.send(Fetch, 11, parked(6, { maxWaitMs: 60_000, minBytes: 1 }))
  client.send(Fetch, 11, parked(0, { maxWaitMs: 0, minBytes: 1 }))
  await world.env.clock.advance(1000)
  assert.is(client.frames.length, 0)
  client.stream.destroy()
  await world.env.clock.settle()
  await world.stop()
})

test('stopping the broker answers parked fetches', async () => {
  const world = await filled()
  const client = await world.connect()
  client.send(Fetch, 11, parked(6, { maxWaitMs: 60_000, minBytes: 1 }))
  await world.env.clock.settle()
  const before = world.env.clock.monotonicMs()
  await world.stop()
  assert.is(client.frames.length, 1)
  assert.ok(world.env.clock.monotonicMs() - before < 2000)
})

test('deleting the topic ends a parked fetch', async () => {
  const world = await filled()
  const client = await world.connect()
  client.send(Fetch, 11, parked(6, { maxWaitMs: 60_000, minBytes: 1 }))
  await world.env.clock.settle()
  const { DeleteTopics } = await import('../../lib/protocol/apis/delete-topics.ts')
  await world.call(DeleteTopics, 5, { topicNames: ['a'], timeoutMs: 1000 })
  const { responses } = await client.answer(Fetch, 11)
  assert.is(responses[0]?.partitions[0]?.errorCode, errorCode('NOT_LEADER_OR_FOLLOWER'))
  await world.stop()
})

test('epochs fence: an old one, a new one, and one whose end is elsewhere', async () => {
  const world = await filled()
  const { bytes } = await world.fetch('a', 0)
  const epoch = readBatchHeader(bytes).partitionLeaderEpoch
  const fetchWith = (
    partitionFields: { currentLeaderEpoch?: number; lastFetchedEpoch?: number },
    at = 3,
  ) => world.fetch('a', at, { version: 12, partitionFields })
  assert.is((await fetchWith({ currentLeaderEpoch: epoch })).errorCode, 0)
  assert.is(
    (await fetchWith({ currentLeaderEpoch: epoch + 1 })).errorCode,
    errorCode('UNKNOWN_LEADER_EPOCH'),
  )
  if (epoch > 0) {
    assert.is(
      (await fetchWith({ currentLeaderEpoch: epoch - 1 })).errorCode,
      errorCode('FENCED_LEADER_EPOCH'),
    )
  }
  const same = await fetchWith({ lastFetchedEpoch: epoch })
  assert.is(same.divergingEpoch.epoch, -1)
  assert.ok(same.bytes.length > 0)
  const unknown = await fetchWith({ lastFetchedEpoch: epoch + 3 })
  assert.is(unknown.errorCode, outOfRange)
  await world.stop()
})

test('read_committed gets an empty list of aborted transactions, read_uncommitted null', async () => {
  const world = await filled()
  const committed = await world.fetch('a', 0, { request: { isolationLevel: 1 } })
  assert.equal(committed.abortedTransactions, [])
  assert.is(committed.lastStableOffset, 6)
  assert.is((await world.fetch('a', 0)).abortedTransactions, null)
  await world.stop()
})

const sessionless = [
  { sessionId: 0, sessionEpoch: -1, code: 0 },
  { sessionId: 5, sessionEpoch: -1, code: 0 },
  { sessionId: 5, sessionEpoch: 3, code: errorCode('FETCH_SESSION_ID_NOT_FOUND') },
]
test('epoch -1 asks for no session, and an unknown one is refused', async () => {
  const world = await filled()
  for (const { code, ...session } of sessionless) {
    const request = { ...parked(0, { maxWaitMs: 0, minBytes: 1 }), ...session }
    const answer = await world.call(Fetch, 11, request)
    assert.is(answer.errorCode, code)
    assert.is(answer.sessionId, 0)
    assert.is(answer.responses.length, code === 0 ? 1 : 0)
  }
  await world.stop()
})

for (const version of [7, 12, 13, 18]) {
  test(`a session, Fetch v${version}: only news is told, over any connection`, async () => {
    const world = await filled()
    const topicId = await world.topicId('a')
    const named = version >= 13 ? { topicId } : { topic: 'a' }
    const request = { maxWaitMs: 0, minBytes: 1, maxBytes: 1e6 }
    const ask = async (fields: Encodable<RequestOf<typeof Fetch>>) => {
      const answer = await world.call(Fetch, version, { ...request, ...fields })
      const partitions = answer.responses.flatMap((topic) => topic.partitions)
      const told = partitions.map(({ partitionIndex, records }) => [
        partitionIndex,
        ...baseOffsets(Buffer.concat(records ?? [])),
      ])
      return { sessionId: answer.sessionId, code: answer.errorCode, told }
    }
    const at = (partition: number, fetchOffset: number) => ({
      ...named,
      partitions: [{ partition, fetchOffset, partitionMaxBytes: 1e6 }],
    })
    const first = await ask({ sessionEpoch: 0, topics: [at(0, 6), at(1, 0)] })
    const { sessionId } = first
    assert.ok(sessionId > 0)
    assert.equal(first.told, [[0], [1]])
    assert.equal(await ask({ sessionId, sessionEpoch: 1 }), { sessionId, code: 0, told: [] })
    await world.produce('a', batch(['6']))
    assert.equal((await ask({ sessionId, sessionEpoch: 2 })).told, [[0, 6]])
    await world.produce('a', batch(['x']), { partition: 1 })
    const moved = await ask({ sessionId, sessionEpoch: 3, topics: [at(0, 7)] })
    assert.equal(moved.told, [[1, 0]])
    const forgottenTopicsData = [{ ...named, partitions: [1] }]
    assert.equal((await ask({ sessionId, sessionEpoch: 4, forgottenTopicsData })).told, [])
    assert.equal(await ask({ sessionId, sessionEpoch: 4 }), {
      sessionId: 0,
      code: errorCode('INVALID_FETCH_SESSION_EPOCH'),
      told: [],
    })
    const other = version >= 13 ? 12 : 13
    const mixed = { ...request, sessionId, sessionEpoch: 5 }
    assert.is(
      (await world.call(Fetch, other, mixed)).errorCode,
      errorCode('FETCH_SESSION_TOPIC_ID_ERROR'),
    )
    assert.equal(await ask({ sessionId, sessionEpoch: -1 }), { sessionId: 0, code: 0, told: [] })
    const gone = await ask({ sessionId, sessionEpoch: 5 })
    assert.is(gone.code, errorCode('FETCH_SESSION_ID_NOT_FOUND'))
    await world.stop()
  })
}

test('a session waits for news of any of its partitions', async () => {
  const world = await filled()
  const client = await world.connect()
  const waiting = { maxWaitMs: 60_000, minBytes: 1 }
  client.send(Fetch, 11, { ...parked(6, { maxWaitMs: 0, minBytes: 1 }), sessionEpoch: 0 })
  const { sessionId } = await client.answer(Fetch, 11)
  client.send(Fetch, 11, { ...waiting, maxBytes: 1e6, sessionId, sessionEpoch: 1 })
  await world.env.clock.advance(1000)
  assert.is(client.frames.length, 0)
  await world.produce('a', batch(['6']))
  const { responses } = await client.answer(Fetch, 11)
  assert.equal(baseOffsets(Buffer.concat(responses[0]?.partitions[0]?.records ?? [])), [6])
  await world.stop()
})

test('a session keeps the name of a topic that was deleted', async () => {
  const world = await filled()
  const topicId = await world.topicId('a')
  const client = await world.connect()
  const topics = [{ topicId, partitions: [{ partition: 0, partitionMaxBytes: 1e6 }] }]
  const request = { maxWaitMs: 0, minBytes: 1, maxBytes: 1e6 }
  const { sessionId } = await client.call(Fetch, 13, { ...request, sessionEpoch: 0, topics })
  const { DeleteTopics } = await import('../../lib/protocol/apis/delete-topics.ts')
  await world.call(DeleteTopics, 5, { topicNames: ['a'], timeoutMs: 1000 })
  const { responses } = await client.call(Fetch, 13, { ...request, sessionId, sessionEpoch: 1 })
  assert.is(responses[0]?.partitions[0]?.errorCode, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  assert.is(responses[0]?.topicId, topicId)
  await world.stop()
})

test('topic ids: unknown, and of another topic of the same name', async () => {
  const world = await filled()
  const { responses } = await world.call(Fetch, 13, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1e6,
    topics: [{ topicId: 'QUJDREVGR0hJSktMTU5PUA', partitions: [{ partition: 0 }] }],
  })
  assert.is(responses[0]?.partitions[0]?.errorCode, errorCode('UNKNOWN_TOPIC_ID'))
  assert.is(responses[0]?.topicId, 'QUJDREVGR0hJSktMTU5PUA')
  await world.stop()
})

test('the current epoch ends at the end of the log; unknown ones are -1', async () => {
  const world = await filled()
  const epoch = readBatchHeader((await world.fetch('a', 0)).bytes).partitionLeaderEpoch
  const ask = async (leaderEpoch: number, currentLeaderEpoch = -1, topic = 'a') => {
    const { topics } = await world.call(OffsetForLeaderEpoch, 4, {
      topics: [{ topic, partitions: [{ partition: 0, leaderEpoch, currentLeaderEpoch }] }],
    })
    const { errorCode, leaderEpoch: answered, endOffset } = topics[0]?.partitions[0] ?? {}
    return [errorCode, answered, endOffset]
  }
  assert.equal(await ask(epoch), [0, epoch, 6])
  assert.equal(await ask(epoch + 7), [0, -1, -1])
  assert.equal(await ask(epoch, epoch + 1), [errorCode('UNKNOWN_LEADER_EPOCH'), -1, -1])
  assert.equal(await ask(epoch, -1, 'nope'), [errorCode('UNKNOWN_TOPIC_OR_PARTITION'), -1, -1])
  await world.stop()
})

test('readers that take no replies share a bounded memory, and give it back', async () => {
  const world = await Scenario.start({
    topics: ['big:1:max.message.bytes=2000000'],
    configs: { 'ottla.durability': 'replicated' },
  })
  const large = 'x'.repeat(1_000_000)
  for (let index = 0; index < 20; index++) await world.produce('big', batch([large]))
  const clients = []
  for (let index = 0; index < 30; index++) {
    const client = await world.connect()
    client.stream.pause()
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 50_000_000 }]
    const topics = [{ topic: 'big', partitions }]
    for (let more = 0; more < 3; more++) {
      client.send(Fetch, 11, { maxWaitMs: 0, minBytes: 1, maxBytes: 50_000_000, topics })
    }
    clients.push(client)
  }
  await world.env.clock.settle()
  assert.ok(world.broker.replyBytes < 140e6, `${world.broker.replyBytes} reply bytes`)
  await world.env.clock.advance(70_000)
  assert.is(world.broker.replyBytes, 0)
  assert.is((await world.fetch('big', 19)).errorCode, 0)
  await world.stop()
})

test('a fetch of 40 MiB that waits for ever keeps nobody from being served', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  const greedy = await world.connect()
  world.env.network.pieceBytes = 1 << 26
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }]
  const topics = [{ topic: 'a', partitions }]
  const body = { maxWaitMs: 0x7fffffff, minBytes: 1 << 30, topics }
  const frame = Buffer.concat(encodeRequest(Fetch, 12, { correlationId: 1, clientId: 'x' }, body))
  // One tagged field that nobody knows, in place of none.
  const padding = Buffer.alloc(40 * 1024 * 1024)
  const tag = Buffer.from([1, 99, 0x80, 0x80, 0x80, 0x14])
  const padded = Buffer.concat([frame.subarray(0, -1), tag, padding])
  padded.writeInt32BE(padded.length - 4)
  greedy.stream.write([padded])
  for (let round = 0; round < 3; round++) {
    await world.env.clock.advance(1000)
    assert.is((await world.produce('a', batch(['x']))).errorCode, 0)
  }
  assert.is(greedy.isClosed, false)
  assert.is(greedy.frames.length, 0)
  await world.stop()
})
