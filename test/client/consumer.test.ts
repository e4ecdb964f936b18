import { KafkaError } from '../../lib/base/errors.ts'
import { Client } from '../../lib/client/client.ts'
import { Consumer, type ConsumerOptions } from '../../lib/client/consumer.ts'
import { UnavailableError } from '../../lib/client/errors.ts'
import type { FetchedBatch } from '../../lib/client/fetched-batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { buildControlBatch } from '../../lib/record/control.ts'
import { assert, suite } from '../support/suite.ts'
import { drive, driveToFailure } from './support/drive.ts'
import { FakeCluster, type FakePartition, type Reaction } from './support/fake-cluster.ts'

const test = suite('consumer')

interface World {
  cluster: FakeCluster
  client: Client
  consumer: Consumer
  partition: FakePartition
}

async function world(options: ConsumerOptions = {}, nodes = 1): Promise<World> {
  const cluster = await FakeCluster.start({ nodes })
  const partition = cluster.single('t')
  const client = new Client({ env: cluster.env, brokers: cluster.brokers })
  const consumer = new Consumer(client, options)
  return { cluster, client, consumer, partition }
}

function fill(
  partition: FakePartition,
  count: number,
  { perBatch = 3, producerId = -1, isTransactional = false } = {},
): void {
  for (let index = 0; index < count; index += perBatch) {
    const builder = new BatchBuilder()
    for (let at = index; at < Math.min(index + perBatch, count); at++) {
      const text = `${partition.highWatermark + at - index}`
      builder.append(at, null, Buffer.from(text))
    }
    partition.append(
      builder.build({ producerId, producerEpoch: 0, baseSequence: 0, isTransactional }),
    )
  }
}

function valuesOf(batches: readonly FetchedBatch[]): string[] {
  return batches.flatMap((batch) => batch.records().map(({ value }) => String(value)))
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `${from + index}`)
}

/** Reads until all is finished. */
async function readAll({ cluster, consumer }: World, limitMs?: number): Promise<string[]> {
  const read = async () => {
    const values: string[] = []
    for await (const batch of consumer) values.push(...valuesOf([batch]))
    return values
  }
  return await drive(cluster.env, read(), limitMs)
}

test('a range is read exactly, its ends inside batches', async () => {
  for (const [from, to] of [
    [0, 20],
    [4, 5],
    [1, 19],
    [7, 8],
    [0, 0],
    [20, 20],
  ] as const) {
    const all = await world()
    fill(all.partition, 20)
    all.consumer.assign([{ topic: 't', partition: 0, from, to }])
    assert.equal(await readAll(all), numbers(from, to), `${from} to ${to}`)
    assert.is(all.consumer.position({ topic: 't', partition: 0 }), to)
    assert.is(all.consumer.isFinished, true)
    assert.equal(await all.consumer.next(), [])
  }
})

test('several partitions of several leaders are read side by side', async () => {
  const all = await world({ maxBytes: 200 }, 3)
  const partitions = all.cluster.topic('many', 9)
  for (const [index, partition] of partitions.entries()) {
    partition.leader = 1 + (index % 3)
    fill(partition, 30)
  }
  all.consumer.assign(
    partitions.map((_, partition) => ({ topic: 'many', partition, from: 0, to: 30 })),
  )
  const values = await readAll(all)
  assert.is(values.length, 270)
  assert.equal(new Set(values).size, 30)
})

test('following: it waits for records, and hands them out as they come', async () => {
  const all = await world()
  fill(all.partition, 3)
  all.consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  assert.equal(valuesOf(await drive(all.cluster.env, all.consumer.next())), numbers(0, 3))
  const next = all.consumer.next()
  await all.cluster.env.clock.advance(5000)
  fill(all.partition, 3)
  assert.equal(valuesOf(await drive(all.cluster.env, next)), numbers(3, 6))
  assert.is(all.consumer.isFinished, false)
})

test('next ends with nothing after its time, and with the reason of its signal', async () => {
  const all = await world()
  all.consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  assert.equal(await drive(all.cluster.env, all.consumer.next({ timeoutMs: 1000 })), [])
  assert.is(all.cluster.env.clock.monotonicMs(), 1000)
  const controller = new AbortController()
  const next = all.consumer.next({ signal: controller.signal })
  all.cluster.env.clock.timer(100, () => controller.abort(new Error('enough')))
  assert.is((await driveToFailure(all.cluster.env, next)).message, 'enough')
  const waiting = all.consumer.next()
  all.consumer.close()
  assert.equal(await waiting, [])
})

test('no more is fetched ahead than asked', async () => {
  const all = await world({ prefetchBytes: 1000, maxBytes: 500 })
  fill(all.partition, 300)
  all.consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  await all.cluster.env.clock.settle()
  const ahead = all.cluster.callsOf('Fetch').length
  assert.ok(ahead >= 2 && ahead <= 4, `${ahead} fetches`)
  await all.cluster.env.clock.advance(10_000)
  assert.is(all.cluster.callsOf('Fetch').length, ahead)
  const batches = await all.consumer.next()
  assert.is(valuesOf(batches)[0], '0')
  await all.cluster.env.clock.settle()
  assert.ok(all.cluster.callsOf('Fetch').length > ahead)
})

for (const [what, reaction] of [
  ['silence', 'silence'],
  ['a closed connection', 'close'],
  ['a reply cut off', { cutAt: 60 }],
  ['a garbled reply', { bytes: Buffer.from('HTTP/1.1 200 OK\r\n\r\n') }],
  ['a reply to another request', { correlationShift: 1 }],
  ['throttling', { throttleTimeMs: 500 }],
  ...(
    [
      'NOT_LEADER_OR_FOLLOWER',
      'LEADER_NOT_AVAILABLE',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'FENCED_LEADER_EPOCH',
      'UNKNOWN_LEADER_EPOCH',
      'OFFSET_NOT_AVAILABLE',
      'KAFKA_STORAGE_ERROR',
      'UNKNOWN_TOPIC_ID',
      'OFFSET_OUT_OF_RANGE',
    ] as const
  ).map((error) => [error, { error }] as const),
] as const satisfies readonly (readonly [string, Reaction])[]) {
  test(`nothing is lost or repeated after ${what}`, async () => {
    const all = await world({ maxBytes: 300 })
    fill(all.partition, 60)
    all.cluster.react = ({ api, count }) => (api === 'Fetch' && count === 2 ? reaction : undefined)
    all.consumer.assign([{ topic: 't', partition: 0, from: 0, to: 60 }])
    assert.equal(await readAll(all), numbers(0, 60))
  })
}

test('a leader that moves is followed by its hint', async () => {
  const all = await world({ maxBytes: 300 }, 2)
  fill(all.partition, 60)
  all.cluster.react = ({ api, count, node }) => {
    if (api !== 'Fetch' || node !== 1 || count < 2) return undefined
    all.partition.leader = 2
    all.partition.leaderEpoch = 7
    return { error: 'NOT_LEADER_OR_FOLLOWER', hint: { leader: 2, epoch: 7 } }
  }
  all.consumer.assign([{ topic: 't', partition: 0, from: 0, to: 60 }])
  assert.equal(await readAll(all), numbers(0, 60))
  assert.is(all.cluster.callsOf('Metadata').length, 1)
  assert.is(all.cluster.callsOf('OffsetForLeaderEpoch').length, 1)
})

test('a log cut back by a change of leader is noticed', async () => {
  for (const onOutOfRange of ['fail', 'earliest'] as const) {
    const all = await world({ onOutOfRange }, 2)
    fill(all.partition, 12)
    all.consumer.assign([{ topic: 't', partition: 0, from: 0, to: 15 }])
    assert.equal(valuesOf(await drive(all.cluster.env, all.consumer.next())), numbers(0, 12))
    all.partition.batches.length = 2
    all.partition.highWatermark = 6
    all.partition.epochEnds.set(0, 6)
    all.partition.leader = 2
    all.partition.leaderEpoch = 1
    fill(all.partition, 9)
    if (onOutOfRange === 'fail') {
      const error = await driveToFailure(all.cluster.env, all.consumer.next())
      assert.is(
        error.message,
        't-0: the log was cut to offset 6 by a change of leader, after 12 had been read',
      )
    } else {
      assert.equal(await readAll(all), numbers(6, 15))
    }
  }
})

test('an offset out of range: fails with the range, or goes where it is told', async () => {
  for (const [onOutOfRange, expected] of [
    ['fail', 't-0: offset 2 is out of range: the log has 6 to 12'],
    ['earliest', numbers(6, 14)],
    ['latest', numbers(12, 14)],
    [({ logEndOffset }: { logEndOffset: number }) => logEndOffset - 3, numbers(9, 14)],
  ] as const) {
    const all = await world({ onOutOfRange })
    fill(all.partition, 12)
    all.partition.batches.splice(0, 2)
    all.partition.logStartOffset = 6
    all.consumer.assign([{ topic: 't', partition: 0, from: 2, to: 14 }])
    all.cluster.env.clock.timer(3000, () => fill(all.partition, 2))
    if (typeof expected === 'string') {
      const error = await driveToFailure(all.cluster.env, all.consumer.next())
      assert.is(error.name, 'OFFSET_OUT_OF_RANGE')
      assert.is(error.message, expected)
    } else {
      assert.equal(await readAll(all), [...expected])
    }
  }
})

test('what was fetched before a failure is handed out first', async () => {
  const all = await world({ maxBytes: 100 })
  fill(all.partition, 12)
  all.cluster.react = ({ api, count }) =>
    api === 'Fetch' && count === 2 ? { error: 'TOPIC_AUTHORIZATION_FAILED' } : undefined
  all.consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  await all.cluster.env.clock.settle()
  assert.is(valuesOf(await all.consumer.next()).length, 6)
  const error = await driveToFailure(all.cluster.env, all.consumer.next())
  assert.instance(error, KafkaError)
  assert.is(error.name, 'TOPIC_AUTHORIZATION_FAILED')
})

test('a batch with a wrong checksum is asked for again, then refused with its offset', async () => {
  const all = await world()
  fill(all.partition, 3)
  for (const bytes of all.partition.batches) bytes.fill(7, 70, 71)
  all.consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  const error = await driveToFailure(all.cluster.env, all.consumer.next())
  assert.is(error.name, 'CORRUPT_MESSAGE')
  assert.is(error.message, 't-0, fetched at offset 0: the batch at offset 0 fails its checksum')
  assert.is(all.cluster.callsOf('Fetch').length, 3)
})

test('a batch that a broker cut at its size limit is fetched again whole', async () => {
  const all = await world({ maxBytes: 300 })
  fill(all.partition, 12)
  const [first, second] = all.partition.batches
  if (first === undefined || second === undefined) throw new Error('batches')
  // A node that serves the bytes of the first batch and half of the second.
  const whole = all.partition.batches
  all.partition.batches = [Buffer.concat([first, second.subarray(0, 40)])]
  all.cluster.env.clock.timer(10, () => (all.partition.batches = whole))
  all.consumer.assign([{ topic: 't', partition: 0, from: 0, to: 12 }])
  assert.equal(await readAll(all), numbers(0, 12))
})

test('markers are hidden, and count as progress', async () => {
  const all = await world()
  fill(all.partition, 3, { producerId: 5, isTransactional: true })
  all.partition.append(marker('commit', 5))
  all.consumer.assign([{ topic: 't', partition: 0, from: 0, to: 4 }])
  assert.equal(await readAll(all), numbers(0, 3))
  assert.is(all.consumer.position({ topic: 't', partition: 0 }), 4)
})

test('aborted transactions are hidden from those who ask for committed records only', async () => {
  for (const [isolation, expected] of [
    ['committed', ['0', '1', '6', '7', '10']],
    ['uncommitted', ['0', '1', '2', '3', '4', '6', '7', '10']],
  ] as const) {
    const all = await world({ isolation })
    const { partition } = all
    fill(partition, 2)
    fill(partition, 3, { producerId: 5, isTransactional: true })
    partition.append(marker('abort', 5))
    fill(partition, 2, { producerId: 5, isTransactional: true })
    partition.append(marker('commit', 5))
    partition.append(marker('abort', 9))
    fill(partition, 1)
    partition.aborted = [{ producerId: 5, firstOffset: 2 }]
    all.consumer.assign([{ topic: 't', partition: 0, from: 0, to: 11 }])
    assert.equal(await readAll(all), [...expected])
  }
})

test('an outage is told once, and its end once; nothing is lost over it', async () => {
  const events: string[] = []
  const all = await world({
    maxBytes: 300,
    prefetchBytes: 200,
    onOffline: ({ message }) => events.push(message),
    onOnline: () => events.push('online'),
  })
  fill(all.partition, 60)
  all.consumer.assign([{ topic: 't', partition: 0, from: 0, to: 60 }])
  await all.cluster.env.clock.settle()
  await all.cluster.stopNode(1)
  all.cluster.env.clock.timer(20_000, () => void all.cluster.startNode(1))
  assert.equal(await readAll(all), numbers(0, 60))
  assert.is(events.length, 2)
  assert.ok(events[0]?.includes('127.0.0.1:9091'), events[0])
  assert.is(events[1], 'online')
})

test('an outage longer than allowed ends the reading', async () => {
  const all = await world({ maxOfflineMs: 3000 })
  all.consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  await all.cluster.env.clock.settle()
  await all.cluster.stopNode(1)
  const error = await driveToFailure(all.cluster.env, all.consumer.next())
  assert.instance(error, UnavailableError)
  assert.ok(error.message.startsWith('offline for 3 s: '), error.message)
})

test('a topic that is deleted while it is read ends it; one made anew is not taken for it', async () => {
  for (const [change, name, text] of [
    [
      (cluster: FakeCluster) => cluster.topics.delete('t'),
      'UNKNOWN_TOPIC_OR_PARTITION',
      'topic "t"',
    ],
    [
      (cluster: FakeCluster) => {
        cluster.topic('t')
        const topic = cluster.topics.get('t')
        if (topic !== undefined) topic.id = 'AAAAAAAAAAAAAAAAAAAAAB'.replace('B', 'Q')
      },
      'UNKNOWN_TOPIC_ID',
      'was deleted and created anew',
    ],
  ] as const) {
    const all = await world()
    fill(all.partition, 3)
    all.consumer.assign([{ topic: 't', partition: 0, from: 0 }])
    await drive(all.cluster.env, all.consumer.next())
    change(all.cluster)
    const error = await driveToFailure(all.cluster.env, all.consumer.next())
    assert.is(error.name, name)
    assert.ok(error.message.includes(text), error.message)
  }
})

test('a partition that the topic lacks ends it at once', async () => {
  const all = await world()
  all.consumer.assign([{ topic: 't', partition: 4, from: 0 }])
  const error = await driveToFailure(all.cluster.env, all.consumer.next())
  assert.is(error.message, 't-4: the topic has 1 partitions')
})

test('topic names are used with brokers that know no topic ids', async () => {
  const all = await world()
  all.cluster.highest.set('Fetch', 4).set('Metadata', 1)
  fill(all.partition, 6)
  all.consumer.assign([{ topic: 't', partition: 0, from: 0, to: 6 }])
  assert.equal(await readAll(all), numbers(0, 6))
})

test('what is assigned anew replaces what was', async () => {
  const all = await world()
  fill(all.partition, 9)
  all.consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  await all.cluster.env.clock.settle()
  all.consumer.assign([{ topic: 't', partition: 0, from: 7, to: 9 }])
  assert.equal(await readAll(all), numbers(7, 9))
})

test('a cursor steps through a batch without objects', async () => {
  const all = await world()
  fill(all.partition, 9, { perBatch: 9 })
  all.consumer.assign([{ topic: 't', partition: 0, from: 2, to: 5 }])
  const [batch] = await drive(all.cluster.env, all.consumer.next())
  const seen: string[] = []
  batch?.forEachRecord(({ offset, timestamp, bytes, valuePosition, valueSize }) => {
    const text = bytes.toString('utf8', valuePosition, valuePosition + valueSize)
    seen.push(`${offset}@${timestamp}=${text}`)
  })
  assert.equal(seen, ['2@2=2', '3@3=3', '4@4=4'])
  assert.equal([batch?.firstOffset, batch?.nextOffset], [2, 5])
  assert.is(batch?.timestampType, 'CreateTime')
})

function marker(type: 'abort' | 'commit', producerId: number): Uint8Array {
  return buildControlBatch({
    type,
    producerId,
    producerEpoch: 0,
    coordinatorEpoch: 0,
    timestamp: 0,
  })
}
