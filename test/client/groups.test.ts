/** Groups asked of coordinators that move, load, die, or know only old versions. */

import type { ErrorName } from '../../lib/base/errors.ts'
import { Admin } from '../../lib/client/admin.ts'
import { Client } from '../../lib/client/client.ts'
import { Coordinators } from '../../lib/client/coordinators.ts'
import { encodeAssignment } from '../../lib/protocol/consumer-protocol.ts'
import { assert, suite } from '../support/suite.ts'
import { drive } from './support/drive.ts'
import { FakeCluster } from './support/fake-cluster.ts'
import { FakeGroups } from './support/fake-groups.ts'

const test = suite('groups')

async function world(nodes = 2) {
  const cluster = await FakeCluster.start({ nodes })
  const groups = new FakeGroups(cluster)
  const client = new Client({ env: cluster.env, brokers: ['127.0.0.1:9091'] })
  const admin = new Admin(client)
  return { cluster, groups, client, admin, run: <T>(work: Promise<T>) => drive(cluster.env, work) }
}

test('coordinators of many groups are found in one request, and kept', async () => {
  const { cluster, groups, client, run } = await world()
  for (const name of ['a', 'b', 'c']) groups.add(name)
  groups.of('b').node = 2
  const coordinators = new Coordinators(client)
  const found = await run(coordinators.nodesOf(['a', 'b', 'c']))
  assert.equal(
    found.map(({ answer }) => answer),
    [1, 2, 1],
  )
  await run(coordinators.nodesOf(['a', 'b', 'c']))
  assert.is(cluster.callsOf('FindCoordinator').length, 1)
  coordinators.forget('b')
  assert.is(await run(coordinators.nodeOf('b')), 2)
  assert.is(cluster.callsOf('FindCoordinator').length, 2)
})

test('an old broker is asked for one coordinator at a time', async () => {
  const { cluster, groups, client, run } = await world()
  cluster.highest.set('FindCoordinator', 3)
  for (const name of ['a', 'b', 'c']) groups.add(name)
  groups.of('c').node = 2
  const found = await run(new Coordinators(client).nodesOf(['a', 'b', 'c']))
  assert.equal(
    found.map(({ answer }) => answer),
    [1, 1, 2],
  )
  assert.is(cluster.callsOf('FindCoordinator').length, 3)
})

test('a group of which nobody coordinates yet is asked for again, the others are not', async () => {
  const { cluster, groups, client, run } = await world()
  groups.add('a')
  groups.add('b').findErrors = ['COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_NOT_AVAILABLE']
  const found = await run(new Coordinators(client).nodesOf(['a', 'b']))
  assert.equal(
    found.map(({ answer }) => answer),
    [1, 1],
  )
  const asked = cluster
    .callsOf('FindCoordinator')
    .map(({ body }) => (body as { coordinatorKeys: string[] }).coordinatorKeys)
  assert.equal(asked, [['a', 'b'], ['b'], ['b']])
})

test('what is not retriable is said at once, and of that group only', async () => {
  const { cluster, groups, client, run } = await world()
  groups.add('a')
  groups.add('b').findErrors = ['GROUP_AUTHORIZATION_FAILED']
  const found = await run(new Coordinators(client).nodesOf(['a', 'b']))
  assert.equal(
    found.map(({ answer, error }) => answer ?? error?.name),
    [1, 'GROUP_AUTHORIZATION_FAILED'],
  )
  assert.is(cluster.callsOf('FindCoordinator').length, 1)
})

test('when no coordinator appears the time-out ends it', async () => {
  const { cluster, groups, client, run } = await world()
  groups.add('a').findErrors = Array.from(
    { length: 1000 },
    () => 'COORDINATOR_NOT_AVAILABLE' as const,
  )
  const beganMs = cluster.env.clock.monotonicMs()
  const [found] = await run(new Coordinators(client).nodesOf(['a'], 2000))
  assert.is(found?.error?.name, 'COORDINATOR_NOT_AVAILABLE')
  assert.ok(cluster.env.clock.monotonicMs() - beganMs <= 2500)
})

const moves: [ErrorName, finds: number][] = [
  ['NOT_COORDINATOR', 2],
  ['COORDINATOR_NOT_AVAILABLE', 2],
  ['COORDINATOR_LOAD_IN_PROGRESS', 1],
]
for (const [name, finds] of moves) {
  test(`${name} is asked again: coordinators found ${finds} times`, async () => {
    const { cluster, groups, admin, run } = await world()
    groups.add('a', { committed: { t: { 0: 5 } } }).errors = [name]
    const [answer] = await run(admin.groupOffsets(['a']))
    assert.equal([answer?.error, answer?.offsets.map(({ offset }) => offset)], [null, [5]])
    assert.is(cluster.callsOf('FindCoordinator').length, finds)
  })
}

test('a coordinator that dies is replaced by whoever coordinates then', async () => {
  const { cluster, groups, client, admin, run } = await world()
  groups.add('a', { committed: { t: { 0: 5 } } }).node = 2
  await run(client.metadata())
  cluster.react = ({ api, node }) => {
    if (api !== 'OffsetFetch' || node !== 2) return undefined
    groups.of('a').node = 1
    return 'close'
  }
  const [answer] = await run(admin.groupOffsets(['a']))
  assert.equal([answer?.error, answer?.offsets.length], [null, 1])
  assert.equal(
    cluster.callsOf('OffsetFetch').map(({ node }) => node),
    [2, 1],
  )
})

test('a coordinator that cannot be reached fails its groups with address and reason', async () => {
  const { cluster, groups, client, admin, run } = await world()
  groups.add('a', { committed: { t: { 0: 5 } } })
  groups.add('b', { committed: { t: { 0: 5 } } }).node = 2
  await run(client.metadata())
  await cluster.hideNode(2)
  const [a, b] = await run(admin.groupOffsets(['a', 'b'], { timeoutMs: 2000 }))
  assert.is(a?.error, null)
  assert.is(b?.error?.name, 'UnavailableError')
  assert.match(b?.error?.message ?? '', /^cannot reach 127\.0\.0\.1:9092: connection refused/)
})

test('offsets: many groups in one request, or one by one from old brokers', async () => {
  for (const highest of [9, 8, 7, 2]) {
    const { cluster, groups, admin, run } = await world()
    cluster.highest.set('OffsetFetch', highest)
    groups.add('a', { committed: { z: { 1: 7, 0: 5 }, b: { 3: 1 } } })
    groups.add('b', { committed: {} })
    const answers = await run(admin.groupOffsets(['a', 'b', 'nope']))
    assert.equal(
      answers.map(({ offsets }) =>
        offsets.map((one) => `${one.topic}-${one.partition}@${one.offset}`),
      ),
      [['b-3@1', 'z-0@5', 'z-1@7'], [], []],
      `version ${highest}`,
    )
    assert.is(cluster.callsOf('OffsetFetch').length, highest >= 8 ? 1 : 3)
  }
})

test('150 groups take two requests', async () => {
  const { cluster, groups, admin, run } = await world(1)
  const names = Array.from({ length: 150 }, (_, index) => `g${index}`)
  for (const name of names) groups.add(name, { committed: { t: { 0: 1 } } })
  const answers = await run(admin.groupOffsets(names))
  assert.ok(answers.every(({ offsets }) => offsets.length === 1))
  assert.is(cluster.callsOf('OffsetFetch').length, 2)
})

test('groups of both kinds are described, and an unknown one is named', async () => {
  for (const highest of [6, 5]) {
    const { cluster, groups, admin, run } = await world()
    cluster.highest.set('DescribeGroups', highest)
    const assignment = encodeAssignment({
      assignedPartitions: [
        { topic: 'z', partitions: [2, 0] },
        { topic: 'a', partitions: [1] },
      ],
    })
    groups.add('old', { members: [{ memberId: 'm', assignment }] })
    groups.add('broken', { members: [{ memberId: 'm', assignment: Uint8Array.of(0, 0, 9) }] })
    groups.add('connect', { protocolType: 'connect', members: [{ memberId: 'm', assignment }] })
    groups.add('new', { type: 'consumer', members: [{ memberId: 'n', topics: { t: [1, 0] } }] })
    const [old, broken, connect, fresh, nope] = await run(
      admin.describeGroups(['old', 'broken', 'connect', 'new', 'nope']),
    )
    assert.equal([old?.type, old?.state, old?.assignor], ['classic', 'Stable', 'range'])
    const [member] = old?.members ?? []
    assert.equal([member?.memberId, member?.clientHost], ['m', '10.0.0.4'])
    assert.equal(member?.assignment, [
      { topic: 'a', partitions: [1] },
      { topic: 'z', partitions: [0, 2] },
    ])
    assert.is(broken?.members[0]?.assignment, null)
    assert.is(connect?.members[0]?.assignment, null)
    assert.equal([fresh?.type, fresh?.epoch, fresh?.coordinator], ['consumer', 4, 1])
    assert.equal(fresh?.members[0]?.assignment, [{ topic: 't', partitions: [0, 1] }])
    assert.is(nope?.error?.name, 'GROUP_ID_NOT_FOUND')
  }
})

test('a broker without the new protocol describes with the old request only', async () => {
  const { cluster, groups, admin, run } = await world(1)
  groups.isNewProtocolOff = true
  groups.add('a')
  const [a] = await run(admin.describeGroups(['a']))
  assert.equal([a?.error, a?.state], [null, 'Empty'])
  assert.is(cluster.callsOf('DescribeGroups').length, 1)
})

test('groups are listed by every broker; one that does not answer is named', async () => {
  const { cluster, groups, admin, run } = await world(3)
  groups.add('b').node = 2
  groups.add('a').node = 3
  groups.add('c')
  const all = await run(admin.listGroups())
  assert.equal(
    all.groups.map(({ groupId, coordinator }) => `${groupId}@${coordinator}`),
    ['a@3', 'b@2', 'c@1'],
  )
  assert.equal(all.failures, [])
  await cluster.stopNode(3)
  cluster.react = ({ api, node }) => (api === 'ListGroups' && node === 2 ? 'silence' : undefined)
  const some = await run(admin.listGroups({ timeoutMs: 1000 }))
  assert.equal(
    some.groups.map(({ groupId }) => groupId),
    ['c'],
  )
  assert.equal(
    some.failures.map(({ broker }) => broker),
    [2],
  )
})

test('groups that still load are listed when they are there', async () => {
  const { groups, admin, run } = await world(1)
  groups.add('a')
  groups.listErrors = ['COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE']
  const { groups: listed, failures } = await run(admin.listGroups())
  assert.equal([listed.length, failures.length], [1, 0])
})

test('offsets are set; what fails for one partition leaves the others', async () => {
  for (const highest of [9, 2]) {
    const { cluster, groups, admin, run } = await world()
    cluster.highest.set('OffsetCommit', highest)
    groups.add('g').partitionErrors.set('t-1', 'OFFSET_METADATA_TOO_LARGE')
    const results = await run(
      admin.alterGroupOffsets('g', [
        { topic: 't', partition: 0, offset: 4 },
        { topic: 't', partition: 1, offset: 5 },
        { topic: 'u', partition: 0, offset: 6, metadata: 'x' },
      ]),
    )
    assert.equal(
      results.map(({ error }) => error?.name ?? null),
      [null, 'OFFSET_METADATA_TOO_LARGE', null],
    )
    assert.equal(
      [...groups.of('g').committed.entries()],
      [
        ['t-0', 4],
        ['u-0', 6],
      ],
    )
  }
})

test('a commit that meets a coordinator on its way is sent again', async () => {
  const { cluster, groups, admin, run } = await world()
  groups.add('g').commitErrors = ['NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS']
  const [result] = await run(
    admin.alterGroupOffsets('g', [{ topic: 't', partition: 0, offset: 4 }]),
  )
  assert.equal([result?.error, cluster.callsOf('OffsetCommit').length], [null, 3])
})

test('deleting: once only, when nobody knows whether it took effect', async () => {
  const { cluster, groups, admin, run } = await world()
  groups.add('a')
  groups.add('b', { members: [{ memberId: 'm' }] })
  const results = await run(admin.deleteGroups(['a', 'b', 'nope']))
  assert.equal(
    results.map(({ error }) => error?.name ?? null),
    [null, 'NON_EMPTY_GROUP', 'GROUP_ID_NOT_FOUND'],
  )
  groups.add('c')
  cluster.react = ({ api }) => (api === 'DeleteGroups' ? 'apply-and-close' : undefined)
  const before = cluster.callsOf('DeleteGroups').length
  const [lost] = await run(admin.deleteGroups(['c']))
  assert.match(lost?.error?.message ?? '', /^lost 127.*whether it took effect is not known$/)
  assert.is(cluster.callsOf('DeleteGroups').length, before + 1)
})

test('offsets are forgotten, of topics that nobody reads', async () => {
  const { groups, admin, run } = await world()
  groups.add('g', { committed: { t: { 0: 1, 1: 2 }, u: { 0: 3 } } })
  groups.of('g').partitionErrors.set('t-1', 'GROUP_SUBSCRIBED_TO_TOPIC')
  const results = await run(
    admin.deleteGroupOffsets('g', [
      { topic: 't', partition: 0 },
      { topic: 't', partition: 1 },
    ]),
  )
  assert.equal(
    results.map(({ error }) => error?.name ?? null),
    [null, 'GROUP_SUBSCRIBED_TO_TOPIC'],
  )
  assert.equal([...groups.of('g').committed.keys()], ['t-1', 'u-0'])
  const [unknown] = await run(admin.deleteGroupOffsets('nope', [{ topic: 't', partition: 0 }]))
  assert.is(unknown?.error?.name, 'GROUP_ID_NOT_FOUND')
})

test('nothing asked, nothing sent', async () => {
  const { cluster, admin, run } = await world()
  assert.equal(await run(admin.describeGroups([])), [])
  assert.equal(await run(admin.groupOffsets([])), [])
  assert.equal(await run(admin.alterGroupOffsets('g', [])), [])
  assert.equal(cluster.calls, [])
})
