import { KafkaError } from '../../lib/base/errors.ts'
import { noLayers, resolveBrokerConfig } from '../../lib/config/config.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { Partition, type PartitionState } from '../../lib/replication/partition.ts'
import { logConfigWith } from '../../lib/storage/log-config.ts'
import { LogDir } from '../../lib/storage/log-dir.ts'
import { batchOf } from '../storage/support/scenario.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('partition')

const topicPartition = { topic: 'events', partition: 0 }
const topicId = 'QUJDREVGR0hJSktMTU5PUA'

async function world(durability: 'fsync' | 'replicated' = 'fsync') {
  const env = memoryEnv()
  const logDir = await LogDir.open({
    env,
    path: '/data',
    nodeId: 1,
    config: resolveBrokerConfig(noLayers),
  })
  const config = logConfigWith({ 'ottla.durability': durability })
  const log = await logDir.create(topicPartition, topicId, config)
  const changes: number[] = []
  const partition = new Partition({
    log,
    topicId,
    brokerId: 1,
    config,
    highWatermark: 0,
    onChange: ({ highWatermark }) => void changes.push(highWatermark),
  })
  return { env, logDir, log, partition, changes }
}

function state(changed: Partial<PartitionState> = {}): PartitionState {
  return { leader: 1, leaderEpoch: 3, isr: [1], replicas: [1], minIsr: 1, ...changed }
}

function codeOf(fn: () => unknown): string {
  try {
    fn()
    return 'NONE'
  } catch (error) {
    return error instanceof KafkaError ? error.name : String(error)
  }
}

test('only the leader appends, and clients are fenced by their epoch', async () => {
  const { partition, env } = await world()
  assert.is(
    codeOf(() => partition.checkLeader()),
    'NOT_LEADER_OR_FOLLOWER',
  )
  partition.apply(state())
  for (const [epoch, name] of [
    [-1, 'NONE'],
    [3, 'NONE'],
    [2, 'FENCED_LEADER_EPOCH'],
    [4, 'UNKNOWN_LEADER_EPOCH'],
  ] as const) {
    assert.is(
      codeOf(() => partition.checkLeader(epoch)),
      name,
    )
  }
  partition.apply(state({ leader: 2, leaderEpoch: 4 }))
  assert.is(
    codeOf(() => partition.appendAsLeader(batchOf(), { acks: 1 })),
    'NOT_LEADER_OR_FOLLOWER',
  )
  assert.is(
    codeOf(() => partition.checkLeader(3)),
    'FENCED_LEADER_EPOCH',
  )
  partition.apply(state())
  assert.is(partition.leaderEpoch, 4, 'an older state is ignored')
  await env.clock.settle()
})

test('too few replicas in sync: acks=all is refused before the append, acks=1 is not', async () => {
  const { partition, log, env } = await world()
  partition.apply(state({ replicas: [1, 2], minIsr: 2 }))
  assert.is(
    codeOf(() => partition.appendAsLeader(batchOf(), { acks: -1 })),
    'NOT_ENOUGH_REPLICAS',
  )
  assert.is(log.logEndOffset, 0)
  assert.is(partition.appendAsLeader(batchOf(), { acks: 1 }).baseOffset, 0)
  await env.clock.settle()
})

for (const durability of ['fsync', 'replicated'] as const) {
  test(`durability=${durability}: the high watermark follows what it says`, async () => {
    const { partition, log, env, changes } = await world(durability)
    partition.apply(state())
    changes.length = 0
    let sync = () => {}
    env.disk.beforeEach = (operation) =>
      operation === 'sync' ? new Promise<void>((resolve) => (sync = resolve)) : undefined
    const info = partition.appendAsLeader(batchOf({ values: ['a', 'b'] }), { acks: 1 })
    assert.is(log.logEndOffset, 2)
    assert.is(partition.highWatermark, 0)
    await info.written
    await env.clock.settle()
    assert.is(partition.highWatermark, durability === 'fsync' ? 0 : 2)
    env.disk.beforeEach = () => {}
    sync()
    await env.clock.settle()
    assert.is(partition.highWatermark, 2)
    assert.equal(changes, [2])
  })
}

test('with another replica in sync our own end alone moves nothing', async () => {
  const { partition, env } = await world()
  partition.apply(state({ isr: [1, 2], replicas: [1, 2] }))
  await partition.appendAsLeader(batchOf(), { acks: 1 }).written
  await env.clock.settle()
  assert.is(partition.highWatermark, 0)
  assert.is(
    codeOf(() => partition.latestOffset(false)),
    'NONE',
  )
  partition.apply(state({ isr: [1], replicas: [1, 2], leaderEpoch: 3 }))
  assert.is(partition.highWatermark, 1)
})

test('a new leader that is not caught up does not say what is latest', async () => {
  const { partition, env } = await world()
  partition.apply(state({ isr: [1, 2], replicas: [1, 2] }))
  await partition.appendAsLeader(batchOf(), { acks: 1 }).written
  await env.clock.settle()
  partition.apply(state({ isr: [1, 2], replicas: [1, 2], leaderEpoch: 5 }))
  assert.is(
    codeOf(() => partition.latestOffset(false)),
    'OFFSET_NOT_AVAILABLE',
  )
})

test('each epoch begins where the log ended, also one without records', async () => {
  const { partition, log, env } = await world()
  partition.apply(state({ leaderEpoch: 1 }))
  await partition.appendAsLeader(batchOf({ values: ['a', 'b'] }), { acks: 1 }).written
  partition.apply(state({ leaderEpoch: 2 }))
  partition.apply(state({ leaderEpoch: 4 }))
  assert.equal(log.leaderEpochs.entries, [
    { epoch: 1, startOffset: 0 },
    { epoch: 2, startOffset: 2 },
    { epoch: 4, startOffset: 2 },
  ])
  assert.equal(partition.endOfEpoch(1), { leaderEpoch: 1, endOffset: 2 })
  assert.equal(partition.endOfEpoch(3), { leaderEpoch: 2, endOffset: 2 })
  assert.equal(partition.endOfEpoch(4), { leaderEpoch: 4, endOffset: 2 })
  assert.is(partition.endOfEpoch(9), null)
  await env.clock.settle()
})

test('deleting records stops at the high watermark', async () => {
  const { partition, log, env } = await world()
  partition.apply(state())
  await partition.appendAsLeader(batchOf({ values: ['a', 'b'] }), { acks: 1 }).written
  await env.clock.settle()
  for (const offset of [3, -2]) {
    const error = await rejection(partition.deleteRecords(offset))
    assert.is(error.name, 'OFFSET_OUT_OF_RANGE')
  }
  assert.is(await partition.deleteRecords(1), 1)
  assert.is(await partition.deleteRecords(-1), 2)
  assert.is(log.logStartOffset, 2)
})

test('a partition that is gone or failed refuses everybody', async () => {
  const { partition, changes } = await world()
  partition.apply(state())
  changes.length = 0
  partition.markFailed(new Error('EIO'))
  assert.is(
    codeOf(() => partition.checkLeader()),
    'KAFKA_STORAGE_ERROR',
  )
  assert.not.ok(partition.isServing)
  partition.markRemoved()
  assert.not.ok(partition.isLeader)
  assert.is(changes.length, 2)
})
