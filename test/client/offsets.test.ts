import { Client } from '../../lib/client/client.ts'
import { UnavailableError } from '../../lib/client/errors.ts'
import { listOffsets, type OffsetAnswer } from '../../lib/client/offsets.ts'
import { assert, suite } from '../support/suite.ts'
import { drive } from './support/drive.ts'
import { FakeCluster, type FakePartition } from './support/fake-cluster.ts'

const test = suite('offsets')

async function world(nodes = 2) {
  const cluster = await FakeCluster.start({ nodes })
  const partitions = cluster.topic('t', 4)
  for (const [index, partition] of partitions.entries()) {
    partition.leader = 1 + (index % nodes)
    partition.logStartOffset = index
    partition.highWatermark = 10 + index
  }
  const client = new Client({ env: cluster.env, brokers: ['127.0.0.1:9091'] })
  return { cluster, partitions, client }
}

const queries = [0, 1, 2, 3].map((partition) => ({ topic: 't', partition, at: 'latest' as const }))

function summary(answers: readonly OffsetAnswer[]): unknown[] {
  return answers.map(({ offset, error }) => error?.name ?? offset)
}

test('one request to each leader, answers in the order of the questions', async () => {
  const { cluster, client } = await world()
  const asked = [...queries, { topic: 't', partition: 2, at: 'earliest' as const }]
  const answers = await drive(cluster.env, listOffsets(client, asked))
  assert.equal(summary(answers), [10, 11, 12, 13, 2])
  // The partition that is asked about twice takes a second request.
  assert.is(cluster.callsOf('ListOffsets').length, 3)
})

test('a leader that moves meanwhile is followed; the others are not asked again', async () => {
  const { cluster, partitions, client } = await world()
  await drive(cluster.env, client.topic('t'))
  const moved: FakePartition | undefined = partitions[1]
  if (moved === undefined) throw new Error('no partition')
  moved.leader = 1
  moved.leaderEpoch++
  assert.equal(summary(await drive(cluster.env, listOffsets(client, queries))), [10, 11, 12, 13])
  const asked = cluster.callsOf('ListOffsets').map(({ node }) => node)
  assert.equal(asked.sort(), [1, 1, 2])
})

test('what fails for one partition leaves the others alone', async () => {
  const { cluster, partitions, client } = await world()
  for (const [index, partition] of partitions.entries()) if (index === 3) partition.leader = -1
  const asked = [
    ...queries,
    { topic: 't', partition: 7, at: 'latest' as const },
    { topic: 'nope', partition: 0, at: 'latest' as const },
  ]
  const answers = await drive(cluster.env, listOffsets(client, asked, { timeoutMs: 2000 }))
  assert.equal(summary(answers), [
    10,
    11,
    12,
    'LEADER_NOT_AVAILABLE',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_TOPIC_OR_PARTITION',
  ])
  assert.is(answers[4]?.error?.message, 'topic "t" has partitions 0-3, not 7')
})

test('a leader that cannot be reached fails its partitions with address and reason', async () => {
  const { cluster, client } = await world()
  await cluster.hideNode(2)
  const answers = await drive(cluster.env, listOffsets(client, queries, { timeoutMs: 2000 }))
  assert.equal(summary(answers), [10, 'UnavailableError', 12, 'UnavailableError'])
  const error = answers[1]?.error
  assert.instance(error, UnavailableError)
  assert.ok(error?.message.startsWith('cannot reach 127.0.0.1:9092: connection refused'))
})

test('a silent leader fails its partitions after the time-out', async () => {
  const { cluster, client } = await world()
  cluster.react = ({ api, node }) => (api === 'ListOffsets' && node === 2 ? 'silence' : undefined)
  const beganMs = cluster.env.clock.monotonicMs()
  const answers = await drive(cluster.env, listOffsets(client, queries, { timeoutMs: 2000 }))
  assert.equal(summary(answers), [10, 'UnavailableError', 12, 'UnavailableError'])
  assert.ok(cluster.env.clock.monotonicMs() - beganMs < 2500)
})

test('the largest timestamp is not asked of a broker that does not know the question', async () => {
  const { cluster, client } = await world(1)
  cluster.highest.set('ListOffsets', 5)
  const asked = [{ topic: 't', partition: 0, at: 'max-timestamp' as const }]
  const [answer] = await drive(cluster.env, listOffsets(client, asked))
  assert.is(answer?.error?.name, 'UNSUPPORTED_VERSION')
  const plain = await drive(cluster.env, listOffsets(client, queries))
  assert.equal(summary(plain), [10, 11, 12, 13])
})
