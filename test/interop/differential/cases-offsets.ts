/** ListOffsets, OffsetForLeaderEpoch, DeleteRecords. */

import { DeleteRecords } from '../../../lib/protocol/apis/delete-records.ts'
import { ListOffsets } from '../../../lib/protocol/apis/list-offsets.ts'
import { OffsetForLeaderEpoch } from '../../../lib/protocol/apis/offset-for-leader-epoch.ts'
import { pause } from '../support/checks.ts'
import { batch } from './batches.ts'
import { baseTime } from './compare.ts'
import type { Peer } from './peer.ts'
import { type Accepted, accept, rowsOf, type Section } from './row.ts'

const listing = rowsOf(ListOffsets)
const epochs = rowsOf(OffsetForLeaderEpoch)
const deletion = rowsOf(DeleteRecords)

async function prepare(peer: Peer): Promise<void> {
  const configs = { 'retention.ms': '-1' }
  const times = (...deltas: number[]) => deltas.map((delta) => baseTime + delta)
  await peer.create('offsets-main', { partitions: 2, configs })
  // Times fall inside a batch, within a compressed one, and across batches.
  await peer.produce('offsets-main', [
    batch(['a', 'b', 'c'], { timestamps: times(0, 10, 20) }),
    batch(['d', 'e', 'f', 'g'], { timestamps: times(100, 130, 120, 110), codec: 'gzip' }),
    batch(['h', 'i'], { timestamps: times(90, 95), codec: 'zstd' }),
    batch(['j', 'k', 'l'], { timestamps: times(130, 130, 50) }),
  ])
  await peer.create('offsets-cut', { configs })
  await peer.produce('offsets-cut', [
    batch(['a', 'b', 'c'], { timestamps: times(0, 10, 20) }),
    batch(['d', 'e'], { timestamps: times(30, 40) }),
  ])
  await peer.call(DeleteRecords, 1, {
    topics: [{ name: 'offsets-cut', partitions: [{ partitionIndex: 0, offset: 2 }] }],
    timeoutMs: 5000,
  })
  await peer.create('offsets-untimed', { configs })
  await peer.produce('offsets-untimed', [batch(['a', 'b'], { timestamps: [-1] })])
  await peer.create('offsets-stamped', {
    configs: { ...configs, 'message.timestamp.type': 'LogAppendTime' },
  })
  await peer.produce('offsets-stamped', [batch(['a', 'b'])])
  // In one millisecond the first of the two would be the latest.
  await pause(5)
  await peer.produce('offsets-stamped', [batch(['c'])])
}

/** One partition at one time. */
function list(
  name: string,
  topic: string,
  timestamp: number,
  { accepted = [] }: { accepted?: readonly Accepted[] } = {},
) {
  return listing.ask(
    `${name}, ${topic}`,
    () => ({
      replicaId: -1,
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }],
    }),
    { versions: [1, 99], accepted },
  )
}

const known = ['offsets-main', 'offsets-cut', 'offsets-untimed', 'offsets-stamped']

const untimed = accept(
  'records without a time: Kafka gives the first as the one of the largest',
  /./,
)

const specials = [-1, -2, -3, -4, -5, -6, -7, -100].flatMap((timestamp) =>
  known.map((topic) =>
    list(`time ${timestamp}`, topic, timestamp, {
      accepted: timestamp === -3 && topic === 'offsets-untimed' ? [untimed] : [],
    }),
  ),
)

const byTime = [
  ...[-1, 0, 1, 10, 11, 20, 21, 90, 95, 96, 100, 101, 110, 111, 121, 130, 131].map((delta) =>
    list(`base time + ${delta}`, 'offsets-main', baseTime + delta),
  ),
  ...[0, 10, 15, 20, 25, 40, 41].map((delta) =>
    list(`base time + ${delta}`, 'offsets-cut', baseTime + delta),
  ),
  ...['offsets-untimed', 'offsets-stamped'].flatMap((topic) => [
    list('time 0', topic, 0),
    list('far future', topic, baseTime * 2),
  ]),
]

const listings = [
  ...specials,
  ...byTime,
  list('unknown topic', 'zz-unknown', -1),
  list('unknown topic, unknown time', 'zz-unknown', -77),
  listing.ask(
    'read_committed',
    () => ({
      replicaId: -1,
      isolationLevel: 1,
      topics: [
        {
          name: 'offsets-main',
          partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp: -1 })),
        },
      ],
    }),
    { versions: [2, 99] },
  ),
  listing.ask(
    'empty, unknown and negative partitions',
    () => ({
      replicaId: -1,
      topics: [
        {
          name: 'offsets-main',
          partitions: [1, 2, -1].map((partitionIndex) => ({ partitionIndex, timestamp: -1 })),
        },
      ],
    }),
    { versions: [1, 99] },
  ),
  ...[-1, -2, -3, -4, -5, 5].map((timestamp) =>
    listing.ask(
      `an empty partition, ${timestamp}`,
      () => ({
        replicaId: -1,
        topics: [{ name: 'offsets-main', partitions: [{ partitionIndex: 1, timestamp }] }],
      }),
      { versions: [timestamp === -3 ? 7 : timestamp === -4 ? 8 : timestamp === -5 ? 9 : 1, 99] },
    ),
  ),
  listing.ask(
    'a partition twice',
    () => ({
      replicaId: -1,
      topics: [
        {
          name: 'offsets-main',
          partitions: [0, 1, 0].map((partitionIndex) => ({ partitionIndex, timestamp: -1 })),
        },
      ],
    }),
    { versions: [1, 99] },
  ),
  ...[-1, 0, 1, 5].map((currentLeaderEpoch) =>
    listing.ask(
      `current epoch ${currentLeaderEpoch}`,
      () => ({
        replicaId: -1,
        topics: [
          {
            name: 'offsets-main',
            partitions: [{ partitionIndex: 0, timestamp: -1, currentLeaderEpoch }],
          },
        ],
      }),
      { versions: [4, 99] },
    ),
  ),
  listing.ask('no topics', () => ({ replicaId: -1 }), { versions: [1, 99] }),
]

const leaderEpochs = [
  ...[0, 1, -1, 9].flatMap((leaderEpoch) =>
    ['offsets-main', 'offsets-cut'].map((topic) =>
      epochs.ask(`epoch ${leaderEpoch}, ${topic}`, () => ({
        topics: [{ topic, partitions: [{ partition: 0, leaderEpoch }] }],
      })),
    ),
  ),
  ...[0, 1, 5].map((currentLeaderEpoch) =>
    epochs.ask(
      `current epoch ${currentLeaderEpoch}`,
      () => ({
        topics: [
          {
            topic: 'offsets-main',
            partitions: [{ partition: 0, leaderEpoch: 0, currentLeaderEpoch }],
          },
        ],
      }),
      { versions: [2, 99] },
    ),
  ),
  epochs.ask('empty, unknown and negative partitions', () => ({
    topics: [
      {
        topic: 'offsets-main',
        partitions: [1, 2, -1].map((partition) => ({ partition, leaderEpoch: 0 })),
      },
    ],
  })),
  epochs.ask('unknown topic', () => ({
    topics: [{ topic: 'zz-unknown', partitions: [{ partition: 0, leaderEpoch: 0 }] }],
  })),
  epochs.ask('no topics', () => ({ topics: [] })),
  epochs.ask('as a replica', () => ({
    replicaId: 1,
    topics: [{ topic: 'offsets-main', partitions: [{ partition: 0, leaderEpoch: 0 }] }],
  })),
]

/** Deletes up to each offset in turn, and asks where the log then starts. */
function deleting(name: string, offsets: readonly number[], configs: Record<string, string> = {}) {
  return deletion.steps(name, async ({ peer, topic }, ask) => {
    await peer.create(topic, { configs: { 'retention.ms': '-1', ...configs } })
    const isCompacted = configs['cleanup.policy']?.includes('compact') === true
    await peer.produce(topic, [
      batch(['a', 'b', 'c'], { keys: isCompacted ? ['a', 'b', 'c'] : [] }),
      batch(['d', 'e'], { keys: isCompacted ? ['d', 'e'] : [] }),
    ])
    const answers = []
    for (const offset of offsets) {
      const topics = [{ name: topic, partitions: [{ partitionIndex: 0, offset }] }]
      answers.push(await ask({ topics, timeoutMs: 5000 }))
    }
    const topics = [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -2 }] }]
    return [answers, await peer.call(ListOffsets, 4, { replicaId: -1, topics })]
  })
}

const deletions = [
  deleting('up to 2', [2]),
  deleting('up to the end by -1', [-1]),
  deleting('up to the end, and again', [5, 5, 3, 0]),
  deleting('beyond the end', [6]),
  deleting('below -1', [-2]),
  deleting('0', [0]),
  deleting('compacted', [2], { 'cleanup.policy': 'compact' }),
  deleting('compacted and deleted', [2], { 'cleanup.policy': 'compact,delete' }),
  deletion.ask('unknown topic and partitions', () => ({
    topics: [
      { name: 'zz-unknown', partitions: [{ partitionIndex: 0, offset: 0 }] },
      {
        name: 'offsets-cut',
        partitions: [1, -1].map((partitionIndex) => ({ partitionIndex, offset: 0 })),
      },
    ],
    timeoutMs: 5000,
  })),
  deletion.ask('internal topic', () => ({
    topics: [{ name: '__share_group_state', partitions: [{ partitionIndex: 0, offset: 0 }] }],
    timeoutMs: 5000,
  })),
  deletion.ask('no topics', () => ({ topics: [], timeoutMs: 5000 })),
]

export const offsetsSection: Section = {
  name: 'offsets',
  prepare: async (peer) => {
    await peer.ensure('__share_group_state')
    await prepare(peer)
  },
  rows: [...listings, ...leaderEpochs, ...deletions],
}
