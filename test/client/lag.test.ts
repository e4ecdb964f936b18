/** Lag read from a cluster that does what the test says: numbers, order of questions, what fails. */

import { Admin } from '../../lib/client/admin.ts'
import { Client } from '../../lib/client/client.ts'
import { type GroupLag, type LagOptions, readLag } from '../../lib/client/lag.ts'
import { encodeAssignment } from '../../lib/protocol/consumer-protocol.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { buildControlBatch } from '../../lib/record/control.ts'
import { assert, suite } from '../support/suite.ts'
import { drive } from './support/drive.ts'
import { FakeCluster, type FakePartition } from './support/fake-cluster.ts'
import { FakeGroups } from './support/fake-groups.ts'

const test = suite('lag')

async function world(nodes = 1) {
  const cluster = await FakeCluster.start({ nodes })
  const groups = new FakeGroups(cluster)
  const client = new Client({ env: cluster.env, brokers: ['127.0.0.1:9091'] })
  const peer = { client, admin: new Admin(client) }
  const read = (names: readonly string[], options?: LagOptions) =>
    drive(cluster.env, readLag(peer, names, options))
  const one = async (name: string, options?: LagOptions): Promise<GroupLag> => {
    const [group] = await read([name], options)
    if (group === undefined) throw new Error('no answer')
    return group
  }
  /** Appends records written so many seconds ago. */
  const write = (partition: FakePartition, secondsAgo: readonly number[]) => {
    const builder = new BatchBuilder()
    const nowMs = cluster.env.clock.nowMs()
    for (const ago of secondsAgo) builder.append(nowMs - ago * 1000, null, Buffer.from('x'))
    partition.append(builder.build())
  }
  return { cluster, groups, client, read, one, write }
}

function marker(): Uint8Array {
  return buildControlBatch({
    type: 'commit',
    coordinatorEpoch: 0,
    timestamp: 0,
    producerId: 1,
    producerEpoch: 0,
  })
}

/** What a test compares: topic-partition, committed, lag, effective lag, whole seconds, flag. */
function rows({ partitions }: GroupLag): unknown[] {
  return partitions.map((one) => [
    `${one.topic}-${one.partition}`,
    one.committed,
    one.error?.name ?? one.lag,
    one.effectiveLag,
    one.seconds === null ? null : Math.floor(one.seconds),
    one.flag,
  ])
}

test('commits are read before ends', async () => {
  const { cluster, groups, one, write } = await world()
  const partition = cluster.single('t')
  write(partition, [9, 8, 7])
  groups.add('g', { committed: { t: { 0: 1 } } })
  const group = await one('g')
  assert.equal(rows(group), [['t-0', 1, 2, 2, 8, null]])
  assert.equal([group.lag, group.effectiveLag, Math.floor(group.seconds ?? -1)], [2, 2, 8])
  const order = cluster.calls.map(({ api }) => api)
  assert.ok(order.lastIndexOf('OffsetFetch') < order.indexOf('ListOffsets'))
})

test('seconds count from the first unread record, inside its batch and past compacted ones', async () => {
  const { cluster, groups, one, write } = await world()
  const partition = cluster.single('t')
  write(partition, [50, 40])
  write(partition, [30, 20, 10])
  for (const [committed, seconds] of [
    [0, 50],
    [1, 40],
    [2, 30],
    [4, 10],
    [5, 0],
  ] as const) {
    groups.add('g', { committed: { t: { 0: committed } } })
    assert.is(Math.floor((await one('g')).seconds ?? -1), seconds, `committed ${committed}`)
  }
  // Compaction took the batch with offsets 0 and 1: the next record that is there counts.
  partition.batches.shift()
  groups.add('g', { committed: { t: { 0: 0 } } })
  assert.is(Math.floor((await one('g')).seconds ?? -1), 30)
})

test('markers alone leave nothing to read; markers before a record do', async () => {
  const { cluster, groups, one, write } = await world()
  const partition = cluster.single('t')
  write(partition, [9])
  partition.append(marker())
  partition.append(marker())
  groups.add('g', { committed: { t: { 0: 1 } } })
  assert.equal(rows(await one('g')), [['t-0', 1, 2, 0, 0, null]])
  write(partition, [3])
  assert.equal(rows(await one('g')), [['t-0', 1, 3, 3, 3, null]])
  groups.add('none', { committed: {} })
  const whole = await one('none', { wholeTopics: ['t'] })
  assert.equal(rows(whole), [['t-0', null, 4, 4, 9, 'nocommit']])
})

test('far behind, one small fetch is enough', async () => {
  const { cluster, groups, one, write } = await world()
  const partition = cluster.single('t')
  for (let count = 0; count < 40; count++) write(partition, [100 - count])
  groups.add('g', { committed: { t: { 0: 2 } } })
  assert.equal(rows(await one('g')), [['t-0', 2, 38, 38, 98, null]])
  assert.is(cluster.callsOf('Fetch').length, 1)
})

test('records without a time, and from the future', async () => {
  const { cluster, groups, one } = await world()
  const [future, timeless] = cluster.topic('t', 2)
  const soon = new BatchBuilder()
  soon.append(cluster.env.clock.nowMs() + 60_000, null, Buffer.from('x'))
  future?.append(soon.build())
  const never = new BatchBuilder()
  never.append(-1, null, Buffer.from('x'))
  timeless?.append(never.build())
  groups.add('g', { committed: { t: { 0: 0, 1: 0 } } })
  assert.equal(
    (await one('g')).partitions.map(({ seconds }) => seconds),
    [0, null],
  )
})

test('a batch that cannot be read gives its own time, marked', async () => {
  const { cluster, groups, one, write } = await world()
  const partition = cluster.single('t')
  write(partition, [9, 8])
  const [bytes] = partition.batches
  if (bytes === undefined) throw new Error('no batch')
  // Codec 7 does not exist.
  bytes[22] = 7
  groups.add('g', { committed: { t: { 0: 1 } } })
  const [found] = (await one('g')).partitions
  assert.equal([Math.floor(found?.seconds ?? -1), found?.isApproximate], [9, true])
})

test('a log that cannot be fetched: seconds unknown, lag known', async () => {
  const { cluster, groups, one, write } = await world()
  write(cluster.single('t'), [9, 8])
  groups.add('g', { committed: { t: { 0: 1 } } })
  cluster.react = ({ api }) => {
    return api === 'Fetch' ? { error: 'TOPIC_AUTHORIZATION_FAILED' } : undefined
  }
  const group = await one('g')
  assert.equal(rows(group), [['t-0', 1, 1, 1, null, null]])
  assert.is(group.seconds, null)
})

test('blocked at the last stable offset', async () => {
  const { cluster, groups, one, write } = await world()
  const partition = cluster.single('t')
  write(partition, [9, 8])
  partition.lastStableOffset = 1
  groups.add('g', { committed: { t: { 0: 1 } } })
  assert.equal(rows(await one('g')), [['t-0', 1, 1, 1, 8, 'blocked']])
})

test("a member's partitions count though it never committed them", async () => {
  const { cluster, groups, one, write } = await world()
  const partitions = cluster.topic('t', 3)
  for (const partition of partitions) write(partition, [9])
  const assignedPartitions = [{ topic: 't', partitions: [0, 1] }]
  const assignment = encodeAssignment({ assignedPartitions })
  groups.add('g', { committed: { t: { 0: 1 } }, members: [{ memberId: 'm', assignment }] })
  const group = await one('g')
  assert.equal(rows(group), [
    ['t-0', 1, 0, 0, 0, null],
    ['t-1', null, 1, 1, 9, 'nocommit'],
  ])
  assert.equal(
    group.partitions.map(({ member }) => member?.memberId),
    ['m', 'm'],
  )
  const whole = await one('g', { wholeTopics: ['t'] })
  assert.is(whole.partitions.length, 3)
})

test('only the topics that were asked for', async () => {
  const { cluster, groups, one } = await world()
  cluster.topic('a')
  cluster.topic('b')
  groups.add('g', { committed: { a: { 0: 0 }, b: { 0: 0 } } })
  const group = await one('g', { hasTopic: (topic) => topic === 'b' })
  assert.equal(
    group.partitions.map(({ topic }) => topic),
    ['b'],
  )
})

test('a topic that is gone leaves no row; one that cannot be read keeps its own', async () => {
  const { cluster, groups, one } = await world(2)
  const [first, second] = cluster.topic('t', 2)
  if (first === undefined || second === undefined) throw new Error('no partitions')
  first.highWatermark = 10
  second.leader = 2
  groups.add('g', { committed: { t: { 0: 10, 1: 4 }, gone: { 0: 3 } } })
  await cluster.hideNode(2)
  const group = await one('g', { timeoutMs: 2000 })
  assert.equal(rows(group), [
    ['t-0', 10, 0, 0, 0, null],
    ['t-1', 4, 'UnavailableError', null, null, null],
  ])
})

test('an error of one group leaves the others', async () => {
  const { cluster, groups, read, write } = await world()
  write(cluster.single('t'), [9])
  groups.add('a', { committed: { t: { 0: 0 } } })
  groups.add('b', { committed: { t: { 0: 0 } } }).errors = ['GROUP_AUTHORIZATION_FAILED']
  const [a, b, nope] = await read(['a', 'b', 'nope'])
  assert.equal([a?.error, a?.lag], [null, 1])
  assert.equal([b?.error?.name, b?.partitions], ['GROUP_AUTHORIZATION_FAILED', []])
  assert.is(nope?.error?.name, 'GROUP_ID_NOT_FOUND')
})

test('at most so many records are looked at: few unread ones first, then the furthest behind', async () => {
  const { cluster, groups, one, write } = await world()
  const partitions = cluster.topic('t', 4)
  for (const [index, partition] of partitions.entries()) {
    const records = [20, 40, 3, 30][index] ?? 0
    for (let count = 0; count < records; count++) write(partition, [60])
  }
  groups.add('g', { committed: { t: { 0: 0, 1: 0, 2: 0, 3: 0 } } })
  const group = await one('g', { peeksMax: 2 })
  assert.equal(
    group.partitions.map(({ seconds }) => (seconds === null ? null : Math.floor(seconds))),
    [null, 60, 60, null],
  )
  assert.is(cluster.callsOf('Fetch').length, 2)
  assert.is(Math.floor(group.seconds ?? -1), 60)
})

test('two groups at different places of one partition', async () => {
  const { cluster, groups, read, write } = await world()
  write(cluster.single('t'), [9, 8, 7])
  groups.add('a', { committed: { t: { 0: 0 } } })
  groups.add('b', { committed: { t: { 0: 2 } } })
  groups.add('c', { committed: { t: { 0: 2 } } })
  const answers = await read(['a', 'b', 'c'])
  assert.equal(
    answers.map(({ seconds }) => Math.floor(seconds ?? -1)),
    [9, 7, 7],
  )
  assert.is(cluster.callsOf('ListOffsets').length, 2)
  assert.is(cluster.callsOf('Fetch').length, 2)
})
