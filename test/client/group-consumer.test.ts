import { KafkaError } from '../../lib/base/errors.ts'
import type { TopicPartition } from '../../lib/base/types.ts'
import { Client } from '../../lib/client/client.ts'
import { UnavailableError } from '../../lib/client/errors.ts'
import { GroupConsumer } from '../../lib/client/group-consumer.ts'
import type { GroupConsumerOptions } from '../../lib/client/group-options.ts'
import {
  FindCoordinator,
  type FindCoordinatorRequest,
} from '../../lib/protocol/apis/find-coordinator.ts'
import { SyncGroup } from '../../lib/protocol/apis/sync-group.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { assert, suite } from '../support/suite.ts'
import { drive, driveToFailure } from './support/drive.ts'
import { FakeCluster, type FakePartition } from './support/fake-cluster.ts'
import { FakeCoordinator } from './support/fake-coordinator.ts'

const test = suite('group consumer')

interface World {
  cluster: FakeCluster
  coordinator: FakeCoordinator
  partitions: FakePartition[]
}

async function world({ partitions = 2, nodes = 1 } = {}): Promise<World> {
  const cluster = await FakeCluster.start({ nodes })
  const coordinator = new FakeCoordinator(cluster)
  return { cluster, coordinator, partitions: cluster.topic('t', partitions) }
}

/** A member that notes what it is told. */
class Reader {
  readonly group: GroupConsumer
  readonly events: string[] = []
  readonly values: string[] = []
  readonly client: Client

  constructor({ cluster }: World, options: Partial<GroupConsumerOptions> = {}) {
    this.client = new Client({ env: cluster.env, brokers: cluster.brokers })
    const note = (what: string) => (partitions: readonly TopicPartition[]) => {
      const numbers = partitions.map(({ partition }) => partition).sort()
      if (numbers.length > 0) this.events.push(`${what} ${numbers.join()}`)
    }
    this.group = new GroupConsumer(this.client, {
      groupId: 'g',
      onAssigned: note('assigned'),
      onRevoked: note('revoked'),
      onLost: note('lost'),
      ...options,
    })
    this.group.subscribe(['t'])
  }

  async next(timeoutMs = 1000): Promise<number> {
    const batches = await this.group.next({ timeoutMs })
    const records = batches.flatMap((batch) => batch.records())
    this.values.push(...records.map(({ value }) => String(value)))
    return records.length
  }

  /** Asks again and again until `isDone`. */
  async until(isDone: () => boolean): Promise<void> {
    for (let turn = 0; turn < 400 && !isDone(); turn++) await this.next(100)
    if (!isDone()) throw new Error(`not reached: ${this.events.join('; ')}`)
  }

  has(...numbers: number[]): boolean {
    const mine = this.group.assignment.map(({ partition }) => partition).sort()
    return mine.join() === numbers.join()
  }
}

function fill(partition: FakePartition, name: string, count = 3): void {
  for (let index = 0; index < count; index++) {
    const builder = new BatchBuilder()
    builder.append(1, null, Buffer.from(`${name}${partition.highWatermark}`))
    partition.append(builder.build({ producerId: -1, producerEpoch: -1, baseSequence: -1 }))
  }
}

function fillAll(partitions: readonly FakePartition[], count = 3): void {
  for (const [index, partition] of partitions.entries()) fill(partition, `p${index}:`, count)
}

const both =
  (...readers: Reader[]) =>
  async (isDone: () => boolean) => {
    await Promise.all(readers.map((reader) => reader.until(isDone)))
  }

test('a member reads everything, commits what it was through with, and leaves', async () => {
  const at = await world()
  fillAll(at.partitions)
  const reader = new Reader(at)
  const { env } = at.cluster
  await drive(
    env,
    reader.until(() => reader.values.length === 6),
  )
  await drive(env, reader.group.close())
  assert.equal([...at.coordinator.committed].sort(), [
    ['t-0', 3],
    ['t-1', 3],
  ])
  assert.is(at.coordinator.members.size, 0)
  assert.equal(reader.events, ['assigned 0,1', 'revoked 0,1'])
  const again = new Reader(at)
  fill(at.partitions[0] as FakePartition, 'p0:', 1)
  await drive(
    env,
    again.until(() => again.values.length > 0),
  )
  assert.equal(again.values, ['p0:3'])
})

test('offsets are committed while reading goes on, and only of what next was called after', async () => {
  const at = await world({ partitions: 1 })
  fillAll(at.partitions)
  const reader = new Reader(at, { autoCommitIntervalMs: 1000 })
  const { env } = at.cluster
  await drive(
    env,
    reader.until(() => reader.values.length === 3),
  )
  await env.clock.advance(5000)
  assert.equal([...at.coordinator.committed], [])
  await drive(env, reader.next(10))
  await env.clock.advance(100)
  assert.equal([...at.coordinator.committed], [['t-0', 3]])
})

test('two members share the partitions, and one takes over where the other stopped', async () => {
  const at = await world()
  const { env } = at.cluster
  const first = new Reader(at)
  await drive(
    env,
    first.until(() => first.has(0, 1)),
  )
  const second = new Reader(at)
  await drive(
    env,
    both(first, second)(() => first.has(0) && second.has(1)),
  )
  fillAll(at.partitions)
  await drive(
    env,
    both(first, second)(() => first.values.length + second.values.length === 6),
  )
  assert.equal(first.values, ['p0:0', 'p0:1', 'p0:2'])
  await drive(env, second.group.close())
  await drive(
    env,
    first.until(() => first.has(0, 1)),
  )
  fillAll(at.partitions, 1)
  await drive(
    env,
    first.until(() => first.values.length === 5),
  )
  assert.equal(first.values.slice(3).sort(), ['p0:3', 'p1:3'])
})

test('nothing is given away while it is in work, and the member stays alive meanwhile', async () => {
  const at = await world()
  const { env } = at.cluster
  fillAll(at.partitions)
  const first = new Reader(at, { maxPollIntervalMs: 60_000 })
  await drive(
    env,
    first.until(() => first.values.length === 6),
  )
  const joins = at.cluster.callsOf('JoinGroup').length
  const beats = at.cluster.callsOf('Heartbeat').length
  const second = new Reader(at)
  const waiting = second.until(() => second.has(1))
  await env.clock.advance(20_000)
  assert.is(at.coordinator.phase, 'preparing')
  assert.ok(at.cluster.callsOf('Heartbeat').length >= beats + 6)
  assert.is(at.cluster.callsOf('JoinGroup').length, joins + 2, 'the second member alone')
  assert.equal([...at.coordinator.committed], [])
  await drive(env, Promise.all([waiting, first.until(() => first.has(0))]))
  assert.equal([...at.coordinator.committed].sort(), [
    ['t-0', 3],
    ['t-1', 3],
  ])
  assert.equal(second.values, [])
})

test('a cooperative member keeps what stays its own, and reads on', async () => {
  const at = await world({ partitions: 3 })
  const { env } = at.cluster
  const options = { assignors: ['cooperative-sticky'] as const }
  const first = new Reader(at, options)
  await drive(
    env,
    first.until(() => first.has(0, 1, 2)),
  )
  const second = new Reader(at, options)
  await drive(
    env,
    both(first, second)(() => second.group.assignment.length === 1),
  )
  assert.equal(first.events, ['assigned 0,1,2', 'revoked 2'])
  assert.equal(second.events, ['assigned 2'])
  fillAll(at.partitions, 1)
  await drive(
    env,
    both(first, second)(() => first.values.length + second.values.length === 3),
  )
})

for (const error of ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'] as const) {
  test(`a member that hears ${error} has lost everything, and joins again`, async () => {
    const at = await world()
    const { env } = at.cluster
    fillAll(at.partitions)
    const reader = new Reader(at)
    await drive(
      env,
      reader.until(() => reader.values.length === 6),
    )
    let isHit = false
    at.cluster.react = ({ api }) => {
      if (api !== 'Heartbeat' || isHit) return undefined
      isHit = true
      return { error }
    }
    await env.clock.advance(3100)
    assert.is(reader.group.assignment.length, 0)
    await drive(
      env,
      reader.until(() => reader.values.length === 12),
    )
    assert.equal(reader.events, ['assigned 0,1', 'lost 0,1', 'assigned 0,1'])
    assert.is(at.coordinator.committed.size, 0, 'nothing was committed of what was lost')
  })
}

test('a coordinator that moves is followed without a rebalance', async () => {
  const at = await world({ nodes: 2 })
  const { env } = at.cluster
  const reader = new Reader(at)
  await drive(
    env,
    reader.until(() => reader.has(0, 1)),
  )
  at.coordinator.node = 2
  fillAll(at.partitions)
  await drive(
    env,
    reader.until(() => reader.values.length === 6),
  )
  await drive(env, reader.group.commit())
  assert.is(at.coordinator.committed.get('t-0'), 3)
  await env.clock.advance(10_000)
  assert.is(at.coordinator.generation, 1)
  assert.ok(at.cluster.callsOf('Heartbeat').some(({ node }) => node === 2))
})

test('a lost connection to the coordinator is told once, and the member goes on', async () => {
  const at = await world({ nodes: 2 })
  const { env } = at.cluster
  const told: string[] = []
  const reader = new Reader(at, {
    onOffline: () => told.push('offline'),
    onOnline: () => told.push('online'),
  })
  await drive(
    env,
    reader.until(() => reader.has(0, 1)),
  )
  await at.cluster.stopNode(1)
  await drive(env, reader.next(8000))
  await at.cluster.startNode(1)
  await drive(env, reader.next(10_000))
  assert.equal(told, ['offline', 'online'])
  fillAll(at.partitions)
  await drive(
    env,
    reader.until(() => reader.values.length === 6),
  )
  assert.is(at.coordinator.generation, 1)
})

test('a session that no heartbeat kept is over: the partitions are lost', async () => {
  const at = await world()
  const { env } = at.cluster
  const reader = new Reader(at, { sessionTimeoutMs: 10_000 })
  await drive(
    env,
    reader.until(() => reader.has(0, 1)),
  )
  at.cluster.react = ({ api }) => (api === 'Heartbeat' ? 'silence' : undefined)
  await drive(
    env,
    reader.until(() => reader.events.includes('lost 0,1')),
    60_000,
  )
})

test('who does not ask for max.poll.interval.ms leaves the group, and comes back when it asks', async () => {
  const at = await world()
  const { env } = at.cluster
  const reader = new Reader(at, { maxPollIntervalMs: 20_000 })
  await drive(
    env,
    reader.until(() => reader.has(0, 1)),
  )
  await env.clock.advance(19_000)
  assert.is(at.coordinator.members.size, 1)
  await env.clock.advance(1200)
  assert.is(at.coordinator.members.size, 0)
  assert.is(reader.group.assignment.length, 0)
  await drive(
    env,
    reader.until(() => reader.has(0, 1)),
  )
  assert.equal(reader.events, ['assigned 0,1', 'lost 0,1', 'assigned 0,1'])
})

test('a static member does not leave, and is told when another one has taken its name', async () => {
  const at = await world()
  const { env } = at.cluster
  const reader = new Reader(at, { instanceId: 'static' })
  await drive(
    env,
    reader.until(() => reader.has(0, 1)),
  )
  at.cluster.react = ({ api }) =>
    api === 'Heartbeat' ? { error: 'FENCED_INSTANCE_ID' } : undefined
  const error = await driveToFailure(
    env,
    reader.until(() => false),
  )
  assert.is(error.name, 'FENCED_INSTANCE_ID')
  await drive(env, reader.group.close({ commit: false }))
  assert.is(at.cluster.callsOf('LeaveGroup').length, 0)
})

/** Refusals of JoinGroup that nothing mends. */
for (const error of [
  'INCONSISTENT_GROUP_PROTOCOL',
  'GROUP_AUTHORIZATION_FAILED',
  'INVALID_SESSION_TIMEOUT',
  'GROUP_MAX_SIZE_REACHED',
] as const) {
  test(`${error} ends the reading`, async () => {
    const at = await world()
    at.cluster.react = ({ api }) => (api === 'JoinGroup' ? { error } : undefined)
    const failure = await driveToFailure(at.cluster.env, new Reader(at).next())
    assert.ok(failure instanceof KafkaError && failure.name === error)
  })
}

test('a coordinator that is loading, or is none, is asked again', async () => {
  const at = await world()
  const errors = [
    'COORDINATOR_LOAD_IN_PROGRESS',
    'COORDINATOR_NOT_AVAILABLE',
    'NOT_COORDINATOR',
    'REBALANCE_IN_PROGRESS',
    'UNKNOWN_MEMBER_ID',
  ] as const
  at.cluster.react = ({ api, count }) => {
    const error = api === 'JoinGroup' || api === 'SyncGroup' ? errors[count] : undefined
    return error === undefined ? undefined : { error }
  }
  const reader = new Reader(at)
  await drive(
    at.cluster.env,
    reader.until(() => reader.has(0, 1)),
  )
})

test('a group that gets no coordinator is told of, and ends after maxOfflineMs', async () => {
  const at = await world()
  at.cluster.serve(FindCoordinator, (_, body) => ({
    coordinators: (body as FindCoordinatorRequest).coordinatorKeys.map((key) => ({
      key,
      nodeId: -1,
      errorCode: 15,
    })),
  }))
  const told: string[] = []
  const reader = new Reader(at, {
    maxOfflineMs: 10_000,
    onOffline: ({ message }) => told.push(message),
  })
  const failure = await driveToFailure(at.cluster.env, reader.next(60_000))
  assert.equal(told, ['no coordinator for group "g": coordinator not available'])
  assert.match(failure.message, /^offline for 1\d(\.\d)? s: no coordinator for group "g"/)
})

test('an assignment that cannot be read names the leader', async () => {
  const at = await world()
  at.cluster.serve(SyncGroup, () => ({
    errorCode: 0,
    assignment: Buffer.from('00010000ff', 'hex'),
  }))
  const failure = await driveToFailure(at.cluster.env, new Reader(at).next())
  assert.match(failure.message, /leader member-1 sent an assignment that cannot be read/)
})

test('a commit is tried again while the group rebalances, and refused to who is out', async () => {
  const at = await world({ partitions: 1 })
  const { env } = at.cluster
  fillAll(at.partitions)
  const reader = new Reader(at, { autoCommit: false })
  await drive(
    env,
    reader.until(() => reader.values.length === 3),
  )
  at.cluster.react = ({ api, count }) =>
    api === 'OffsetCommit' && count < 2 ? { error: 'REBALANCE_IN_PROGRESS' } : undefined
  await drive(env, reader.group.commit())
  assert.is(at.coordinator.committed.get('t-0'), 3)
  at.coordinator.remove(reader.group.identity.memberId)
  const offsets = [{ topic: 't', partition: 0, offset: 1 }]
  const failure = await driveToFailure(env, reader.group.commit(offsets))
  assert.is(failure.name, 'UNKNOWN_MEMBER_ID')
})

test('what was not reached of an answer is not committed', async () => {
  const at = await world()
  const { env } = at.cluster
  fillAll(at.partitions)
  const reader = new Reader(at)
  const readTwo = async () => {
    let count = 0
    for await (const _ of reader.group) if (++count === 2) break
    await reader.group.close()
  }
  await drive(env, readTwo())
  const [offset = -1] = [...at.coordinator.committed.values()].filter((one) => one > 0)
  assert.is(offset, 2)
})

test('with untilEnd it is finished where the logs ended when it was given them', async () => {
  const at = await world()
  const { env } = at.cluster
  fillAll(at.partitions)
  const reader = new Reader(at, { untilEnd: true })
  const readAll = async () => {
    for await (const batch of reader.group) {
      reader.values.push(...batch.records().map(({ value }) => String(value)))
      if (reader.values.length === 1) fillAll(at.partitions)
    }
  }
  await drive(env, readAll())
  assert.is(reader.values.length, 6)
})

for (const [startAt, expected] of [
  ['earliest', 6],
  ['latest', 0],
  [async (partitions: readonly unknown[]) => partitions.map(() => 2), 2],
] as const) {
  test(`where nothing is committed it begins at ${startAt}`, async () => {
    const at = await world()
    fillAll(at.partitions)
    const reader = new Reader(at, { startAt, untilEnd: true })
    const readAll = async () => {
      while (!reader.group.isFinished) await reader.next()
    }
    await drive(at.cluster.env, readAll())
    assert.is(reader.values.length, expected)
    await drive(at.cluster.env, reader.group.close())
    assert.is(at.coordinator.committed.get('t-0'), 3)
  })
}

test('a topic that grows is shared out anew', async () => {
  const at = await world({ partitions: 1 })
  const { env } = at.cluster
  const reader = new Reader(at, { metadataMaxAgeMs: 5000 })
  await drive(
    env,
    reader.until(() => reader.has(0)),
  )
  at.cluster.topic('t', 3)
  await drive(
    env,
    reader.until(() => reader.has(0, 1, 2)),
  )
})

test('when nobody answers for maxOfflineMs the reader is told', async () => {
  const at = await world()
  const { env } = at.cluster
  const reader = new Reader(at, { maxOfflineMs: 3000 })
  await drive(
    env,
    reader.until(() => reader.has(0, 1)),
  )
  await at.cluster.stopNode(1)
  const failure = await driveToFailure(env, reader.next(60_000))
  assert.ok(failure instanceof UnavailableError)
  await drive(env, reader.group.close({ commit: false }))
})
