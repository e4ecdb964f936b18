/** The member of the consumer protocol, against a coordinator that says what the test wants. */

import { type ErrorName, errorCode } from '../../lib/base/errors.ts'
import type { TopicPartition } from '../../lib/base/types.ts'
import { Client } from '../../lib/client/client.ts'
import { GroupConsumer } from '../../lib/client/group-consumer.ts'
import type { GroupConsumerOptions } from '../../lib/client/group-options.ts'
import {
  ConsumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
} from '../../lib/protocol/apis/consumer-group-heartbeat.ts'
import { assert, suite } from '../support/suite.ts'
import { drive, driveToFailure } from './support/drive.ts'
import { FakeCluster } from './support/fake-cluster.ts'
import { FakeCoordinator } from './support/fake-coordinator.ts'

const test = suite('consumer protocol member')

class World {
  readonly cluster: FakeCluster
  /** Only for FindCoordinator and the offsets. */
  readonly coordinator: FakeCoordinator
  readonly group: GroupConsumer
  readonly events: string[] = []
  readonly requests: ConsumerGroupHeartbeatRequest[] = []
  epoch = 1
  /** What the member should have; null = no word of it. */
  target: number[] | null = [0, 1]
  errors: (ErrorName | null)[] = []

  constructor(cluster: FakeCluster, options: Partial<GroupConsumerOptions> = {}) {
    this.cluster = cluster
    this.coordinator = new FakeCoordinator(cluster)
    cluster.topic('t', 4)
    cluster.serve(ConsumerGroupHeartbeat, (_, body) => this.#answer(body as never))
    const client = new Client({ env: cluster.env, brokers: cluster.brokers })
    const note = (what: string) => (partitions: readonly TopicPartition[]) => {
      const numbers = partitions.map(({ partition }) => partition)
      if (numbers.length > 0) this.events.push(`${what} ${numbers.join()}`)
    }
    this.group = new GroupConsumer(client, {
      groupId: 'g',
      protocol: 'consumer',
      autoCommit: false,
      onAssigned: note('assigned'),
      onRevoked: note('revoked'),
      onLost: note('lost'),
      ...options,
    })
    this.group.subscribe(['t'])
  }

  static async start(options: Partial<GroupConsumerOptions> = {}): Promise<World> {
    return new World(await FakeCluster.start(), options)
  }

  #answer(request: ConsumerGroupHeartbeatRequest) {
    this.requests.push(request)
    const error = this.errors.shift() ?? null
    if (error !== null) return { errorCode: errorCode(error) }
    const { target } = this
    this.target = null
    const topicId = this.cluster.topics.get('t')?.id
    const assignment =
      target === null ? null : { topicPartitions: [{ topicId, partitions: target }] }
    const { memberId } = request
    const memberEpoch = request.memberEpoch < 0 ? request.memberEpoch : this.epoch
    return { errorCode: 0, memberId, memberEpoch, heartbeatIntervalMs: 3000, assignment }
  }

  async until(isDone: () => boolean): Promise<void> {
    for (let turn = 0; turn < 400 && !isDone(); turn++) await this.group.next({ timeoutMs: 100 })
    if (!isDone()) throw new Error(`not reached: ${this.events.join('; ')}`)
  }

  has(...numbers: number[]): boolean {
    const mine = this.group.assignment.map(({ partition }) => partition)
    return mine.sort().join() === numbers.join()
  }

  /** What it said to have, of each request that said so. */
  told(): string[] {
    return this.requests.flatMap(({ topicPartitions }) =>
      topicPartitions === null ? [] : [topicPartitions.map((one) => one.partitions.join()).join()],
    )
  }
}

test('it joins with everything, tells what it has taken, and then only that it lives', async () => {
  const at = await World.start({ remoteAssignor: 'range', maxPollIntervalMs: 60_000 })
  await drive(
    at.cluster.env,
    at.until(() => at.has(0, 1)),
  )
  await drive(at.cluster.env, at.group.next({ timeoutMs: 7000 }))
  const [join, taken, alive] = at.requests
  assert.is(join?.memberEpoch, 0)
  assert.equal(join?.subscribedTopicNames, ['t'])
  assert.is(join?.serverAssignor, 'range')
  assert.is(join?.rebalanceTimeoutMs, 60_000)
  assert.equal(join?.topicPartitions, [])
  assert.is(taken?.memberEpoch, 1)
  assert.equal(at.told(), ['', '0,1'])
  assert.is(alive?.subscribedTopicNames, null)
  assert.is(alive?.memberId, join?.memberId)
})

test('it gives up and takes, and tells at once', async () => {
  const at = await World.start()
  const { env } = at.cluster
  await drive(
    env,
    at.until(() => at.has(0, 1)),
  )
  at.target = [1, 2, 3]
  at.epoch = 2
  await drive(
    env,
    at.until(() => at.has(1, 2, 3)),
  )
  await drive(env, at.group.next({ timeoutMs: 500 }))
  assert.equal(at.events, ['assigned 0,1', 'revoked 0', 'assigned 2,3'])
  assert.equal(at.told(), ['', '0,1', '1,2,3'])
  assert.is(at.requests.at(-1)?.memberEpoch, 2)
})

test('what is in work is not given up, while heartbeats go on', async () => {
  const at = await World.start()
  const { env } = at.cluster
  await drive(
    env,
    at.until(() => at.has(0, 1)),
  )
  await drive(env, at.group.next({ timeoutMs: 100 }))
  at.target = [1]
  await env.clock.advance(20_000)
  assert.ok(at.has(0, 1))
  assert.equal(at.told(), ['', '0,1'])
  assert.ok(at.requests.length >= 7)
  await drive(
    env,
    at.until(() => at.has(1)),
  )
})

for (const error of ['FENCED_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID'] as const) {
  test(`${error}: everything is lost, and it joins again under its id`, async () => {
    const at = await World.start()
    await drive(
      at.cluster.env,
      at.until(() => at.has(0, 1)),
    )
    at.errors = [error]
    at.target = [0]
    await drive(
      at.cluster.env,
      at.until(() => at.has(0)),
    )
    assert.equal(at.events, ['assigned 0,1', 'lost 0,1', 'assigned 0'])
    const joins = at.requests.filter(({ memberEpoch }) => memberEpoch === 0)
    assert.is(joins.length, 2)
    assert.is(new Set(at.requests.map(({ memberId }) => memberId)).size, 1)
  })
}

test('after a request that was not answered everything is said again', async () => {
  const at = await World.start()
  const { env } = at.cluster
  await drive(
    env,
    at.until(() => at.has(0, 1)),
  )
  await drive(env, at.group.next({ timeoutMs: 100 }))
  const before = at.requests.length
  at.errors = ['COORDINATOR_LOAD_IN_PROGRESS']
  await drive(env, at.group.next({ timeoutMs: 4000 }))
  const [refused, again] = at.requests.slice(before)
  assert.is(refused?.subscribedTopicNames, null)
  assert.equal(again?.subscribedTopicNames, ['t'])
  assert.equal(again?.topicPartitions?.[0]?.partitions, [0, 1])
})

for (const error of [
  'UNSUPPORTED_ASSIGNOR',
  'UNRELEASED_INSTANCE_ID',
  'GROUP_AUTHORIZATION_FAILED',
] as const) {
  test(`${error} ends the reading`, async () => {
    const at = await World.start()
    at.errors = [error]
    const failure = await driveToFailure(
      at.cluster.env,
      at.until(() => false),
    )
    assert.is(failure.name, error)
  })
}

for (const [instanceId, epoch] of [
  [undefined, -1],
  ['static', -2],
] as const) {
  test(`a member with instance id ${instanceId} leaves with epoch ${epoch}`, async () => {
    const at = await World.start(instanceId === undefined ? {} : { instanceId })
    await drive(
      at.cluster.env,
      at.until(() => at.has(0, 1)),
    )
    await drive(at.cluster.env, at.group.close())
    assert.is(at.requests.at(-1)?.memberEpoch, epoch)
  })
}

test('who does not ask for max.poll.interval.ms leaves, and comes back when it asks', async () => {
  const at = await World.start({ maxPollIntervalMs: 10_000 })
  await drive(
    at.cluster.env,
    at.until(() => at.has(0, 1)),
  )
  await at.cluster.env.clock.advance(11_000)
  assert.is(at.requests.at(-1)?.memberEpoch, -1)
  at.target = [2]
  await drive(
    at.cluster.env,
    at.until(() => at.has(2)),
  )
})

test('what the reader has not got to yet counts as ours: others would be given it too', async () => {
  const at = await World.start()
  const { clock } = at.cluster.env
  await clock.advance(1000)
  assert.is(at.requests.length > 0, true)
  // Everything is told anew.
  at.errors = ['COORDINATOR_LOAD_IN_PROGRESS']
  await clock.advance(8000)
  assert.is(at.told().at(-1), '0,1')
  assert.equal(at.events, [])
})

test('what was lost before the reader got to it is not taken any more', async () => {
  const at = await World.start()
  const { env } = at.cluster
  await env.clock.advance(1000)
  at.errors = ['FENCED_MEMBER_EPOCH']
  at.target = [2]
  await env.clock.advance(8000)
  await drive(
    env,
    at.until(() => at.has(2)),
  )
  assert.equal(at.events, ['assigned 2'])
})
