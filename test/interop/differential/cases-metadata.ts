/** Metadata, DescribeCluster, DescribeTopicPartitions. */

import { DescribeCluster } from '../../../lib/protocol/apis/describe-cluster.ts'
import { DescribeTopicPartitions } from '../../../lib/protocol/apis/describe-topic-partitions.ts'
import { Metadata, type MetadataResponse } from '../../../lib/protocol/apis/metadata.ts'
import type { NoAnswer, Peer } from './peer.ts'
import { type At, accept, rowsOf, type Section } from './row.ts'

const metadata = rowsOf(Metadata)
const cluster = rowsOf(DescribeCluster)
const partitions = rowsOf(DescribeTopicPartitions)

const noCreate = (version: number) => ({ allowAutoTopicCreation: version < 4 })
const wholeError = [
  accept(
    'a topic asked for in no legal way: Kafka refuses the whole request, ottla that topic',
    /^\.(brokers|clusterId|controllerId|errorCode|topics\[0\]\.errorCode)/,
  ),
]
const unknownId = 'AAAAAAAAAAAAAAAAAAAAEw'

/** Without topics of other rows, in the order of their names. */
function ownTopics(answer: MetadataResponse | NoAnswer, own: RegExp) {
  if (typeof answer === 'string') return answer
  const topics = answer.topics.filter(({ name }) => own.test(name ?? ''))
  return { ...answer, topics: topics.sort((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1)) }
}

/** Asks until Kafka has made the topic, which it does after its first answer. */
async function autoCreated({ peer, version }: At, names: readonly string[]) {
  for (let attempt = 0; ; attempt++) {
    const answer = await peer.call(Metadata, version, { topics: names.map((name) => ({ name })) })
    const codes = answer.topics.map(({ errorCode }) => errorCode)
    // UNKNOWN_TOPIC_OR_PARTITION and LEADER_NOT_AVAILABLE go away.
    if (!codes.some((code) => code === 3 || code === 5) || attempt > 2000) return answer
  }
}

async function prepare(peer: Peer): Promise<void> {
  await peer.create('meta-one')
  await peer.create('meta.dot_one')
  await peer.create('meta-three', { partitions: 3 })
  await peer.create('meta-five', { partitions: 5, configs: { 'cleanup.policy': 'compact' } })
}

export const metadataSection: Section = {
  name: 'metadata',
  prepare,
  rows: [
    metadata.steps(
      'all topics by null',
      async (_, ask) => ownTopics(await ask({ topics: null }), /^meta-/),
      { versions: [1, 99] },
    ),
    metadata.steps('empty list', async ({ version }, ask) =>
      ownTopics(await ask({ topics: [], ...noCreate(version) }), /^meta-/),
    ),
    metadata.ask('one topic', ({ version }) => ({
      topics: [{ name: 'meta-three' }],
      ...noCreate(version),
    })),
    metadata.ask('several topics, one twice', ({ version }) => ({
      topics: [{ name: 'meta-three' }, { name: 'meta-one' }, { name: 'meta-three' }],
      ...noCreate(version),
    })),
    metadata.ask(
      'unknown, no creation',
      ({ version, topic }) => ({
        topics: [{ name: topic }, { name: 'meta-one' }],
        ...noCreate(version),
      }),
      { versions: [4, 99] },
    ),
    metadata.ask(
      'unknown and known, in order',
      () => ({
        topics: [{ name: 'zz-unknown' }, { name: 'meta-one' }, { name: 'aa-unknown' }],
        allowAutoTopicCreation: false,
      }),
      { versions: [4, 99] },
    ),
    metadata.steps('auto-created', async (at) => autoCreated(at, [at.topic, `${at.topic}-2`])),
    ...['', '.', '..', 'a b', 'a/b', 'ä', 'x'.repeat(249), 'x'.repeat(250)].map((name) =>
      metadata.ask(
        `name ${JSON.stringify(name.slice(0, 6))} (${name.length})`,
        () => ({
          topics: [{ name }],
          allowAutoTopicCreation: false,
        }),
        { versions: [4, 99] },
      ),
    ),
    ...['', '.', 'a b', 'x'.repeat(250)].map((name) =>
      metadata.ask(`creating ${JSON.stringify(name.slice(0, 6))} (${name.length})`, () => ({
        topics: [{ name }],
      })),
    ),
    metadata.ask('creating a name that collides', () => ({ topics: [{ name: 'meta_dot.one' }] }), {
      versions: [4, 99],
      accepted: [
        accept('Kafka never tells why it did not create a topic on the way', /\.errorCode$/),
      ],
    }),
    metadata.ask(
      'by id',
      async ({ peer }) => ({
        topics: [{ name: null, topicId: await peer.idOf('meta-three') }],
      }),
      { versions: [12, 99] },
    ),
    metadata.ask('by unknown id', () => ({ topics: [{ name: null, topicId: unknownId }] }), {
      versions: [12, 99],
    }),
    metadata.ask(
      'by id and name',
      async ({ peer }) => ({
        topics: [{ name: 'meta-three', topicId: await peer.idOf('meta-three') }],
      }),
      { versions: [12, 99] },
    ),
    metadata.ask(
      'by id and another name',
      async ({ peer }) => ({
        topics: [{ name: 'meta-one', topicId: await peer.idOf('meta-three') }],
      }),
      { versions: [12, 99] },
    ),
    metadata.ask(
      'some by id, some by name',
      async ({ peer }) => ({
        topics: [{ name: null, topicId: await peer.idOf('meta-three') }, { name: 'meta-one' }],
      }),
      {
        versions: [12, 99],
        accepted: [accept('Kafka leaves names out when a topic is asked for by id', /^\.topics/)],
      },
    ),
    metadata.ask('neither id nor name', () => ({ topics: [{ name: null }] }), {
      versions: [10, 99],
      accepted: wholeError,
    }),
    metadata.ask(
      'by id before v12',
      async ({ peer }) => ({
        topics: [{ name: null, topicId: await peer.idOf('meta-three') }],
      }),
      { versions: [10, 11], accepted: wholeError },
    ),
    metadata.ask(
      'id with name before v12',
      async ({ peer }) => ({
        topics: [{ name: 'meta-three', topicId: await peer.idOf('meta-three') }],
      }),
      { versions: [10, 11], accepted: wholeError },
    ),
    metadata.ask(
      'operations',
      ({ version }) => ({
        topics: [{ name: 'meta-one' }, { name: 'zz-unknown' }],
        allowAutoTopicCreation: false,
        includeTopicAuthorizedOperations: true,
        includeClusterAuthorizedOperations: version <= 10,
      }),
      { versions: [8, 99] },
    ),
    metadata.ask(
      'internal topic that is not there',
      () => ({
        topics: [{ name: '__transaction_state' }],
        allowAutoTopicCreation: false,
      }),
      { versions: [4, 99] },
    ),

    cluster.ask('plain', () => ({})),
    cluster.ask('operations', () => ({ includeClusterAuthorizedOperations: true })),
    cluster.ask('with fenced', () => ({ includeFencedBrokers: true }), { versions: [2, 99] }),
    ...[0, 2, 3].map((endpointType) =>
      cluster.ask(`endpoint type ${endpointType}`, () => ({ endpointType }), { versions: [1, 99] }),
    ),

    partitions.ask('two topics', () => ({
      topics: [{ name: 'meta-three' }, { name: 'meta-one' }],
    })),
    partitions.ask('a topic twice', () => ({
      topics: [{ name: 'meta-one' }, { name: 'meta-one' }],
    })),
    partitions.ask('unknown and bad names', () => ({
      topics: [{ name: 'zz-unknown' }, { name: 'meta-one' }, { name: 'mm-unknown' }],
    })),
    ...['a b', '', '.', 'x'.repeat(250)].map((name) =>
      partitions.ask(
        `name ${JSON.stringify(name.slice(0, 6))} (${name.length})`,
        () => ({
          topics: [{ name: 'meta-one' }, { name }],
        }),
        {
          accepted: [
            accept('Kafka fails at a bad name: UNKNOWN_SERVER_ERROR for all topics', /^\.topics/),
          ],
        },
      ),
    ),
    ...[0, -1, 1, 2, 3, 4, 8, 9].map((responsePartitionLimit) =>
      partitions.ask(`limit ${responsePartitionLimit}`, () => ({
        topics: [{ name: 'meta-five' }, { name: 'meta-one' }, { name: 'meta-three' }],
        responsePartitionLimit,
      })),
    ),
    ...(
      [
        ['meta-five', 2],
        ['meta-five', 4],
        ['meta-five', 5],
        ['meta-five', 6],
        ['meta-one', 0],
        ['meta-three', 1],
        ['meta-five', -1],
        ['meta-four', 0],
        ['meta-zzz', 0],
        ['', 0],
      ] as const
    ).map(([topicName, partitionIndex]) =>
      partitions.ask(`cursor ${topicName} ${partitionIndex}`, () => ({
        topics: [{ name: 'meta-five' }, { name: 'meta-one' }, { name: 'meta-three' }],
        responsePartitionLimit: 4,
        cursor: { topicName, partitionIndex },
      })),
    ),
    partitions.ask('cursor, all topics', () => ({
      topics: [],
      responsePartitionLimit: 4,
      cursor: { topicName: 'meta-five', partitionIndex: 3 },
    })),
    partitions.ask('cursor at an unknown topic, all topics', () => ({
      topics: [],
      responsePartitionLimit: 4,
      cursor: { topicName: 'meta-fives', partitionIndex: 3 },
    })),
    partitions.ask('cursor at an unknown topic that is asked for', () => ({
      topics: [{ name: 'meta-five' }, { name: 'meta-four' }, { name: 'meta-one' }],
      cursor: { topicName: 'meta-four', partitionIndex: 0 },
    })),
  ],
}
