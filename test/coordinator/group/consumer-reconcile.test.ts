/** One member's step towards its target, as a table. */

import { KafkaError } from '../../../lib/base/errors.ts'
import {
  assignmentOf,
  listed,
  type TopicPartitions,
} from '../../../lib/coordinator/group/assignment.ts'
import { type MemberState, newMember } from '../../../lib/coordinator/group/consumer-member.ts'
import { reconcile } from '../../../lib/coordinator/group/consumer-reconcile.ts'
import { ownedOf } from '../../../lib/coordinator/group/consumer-records.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('coordinator/group/consumer-reconcile')

/** `a0 a1 b2`. */
function parsed(text: string): TopicPartitions[] {
  return text
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => ({ topicId: one.slice(0, 1), partitions: [Number(one.slice(1))] }))
}

const owned = (text: string, epoch: number) =>
  ownedOf(
    parsed(text).map((one) => ({ ...one, assignmentEpochs: null })),
    epoch,
  )

interface Row {
  readonly what: string
  /** State, epoch, assigned, pending. */
  readonly from: readonly [MemberState, number, string, string]
  readonly target: readonly [epoch: number, partitions: string]
  /** What others have. */
  readonly others?: string
  /** null: it does not say. */
  readonly reported?: string | null
  readonly reads?: string
  readonly isChanged?: boolean
  readonly to: readonly [MemberState, number, string, string]
}

const rows: readonly Row[] = [
  {
    what: 'nothing to do',
    from: ['STABLE', 2, 'a0', ''],
    target: [2, 'a0'],
    to: ['STABLE', 2, 'a0', ''],
  },
  {
    what: 'only the epoch',
    from: ['STABLE', 2, 'a0', ''],
    target: [3, 'a0'],
    to: ['STABLE', 3, 'a0', ''],
  },
  {
    what: 'takes what is free',
    from: ['STABLE', 2, 'a0', ''],
    target: [3, 'a0 a1'],
    to: ['STABLE', 3, 'a0 a1', ''],
  },
  {
    what: 'waits for what is not',
    from: ['STABLE', 2, 'a0', ''],
    target: [3, 'a0 a1 a2'],
    others: 'a1',
    to: ['UNRELEASED_PARTITIONS', 3, 'a0 a2', ''],
  },
  {
    what: 'still waits',
    from: ['UNRELEASED_PARTITIONS', 3, 'a0', ''],
    target: [3, 'a0 a1'],
    others: 'a1',
    to: ['UNRELEASED_PARTITIONS', 3, 'a0', ''],
  },
  {
    what: 'waited long enough',
    from: ['UNRELEASED_PARTITIONS', 3, 'a0', ''],
    target: [3, 'a0 a1'],
    to: ['STABLE', 3, 'a0 a1', ''],
  },
  {
    what: 'is to give up',
    from: ['STABLE', 2, 'a0 a1', ''],
    target: [3, 'a0'],
    reported: 'a0 a1',
    to: ['UNREVOKED_PARTITIONS', 2, 'a0', 'a1'],
  },
  {
    what: 'is to give up, and does not say',
    from: ['STABLE', 2, 'a0 a1', ''],
    target: [3, 'a0'],
    reported: null,
    to: ['UNREVOKED_PARTITIONS', 2, 'a0', 'a1'],
  },
  {
    what: 'has not got it yet, so there is nothing to give up',
    from: ['STABLE', 2, 'a0 a1', ''],
    target: [3, 'a0'],
    reported: 'a0',
    to: ['STABLE', 3, 'a0', ''],
  },
  {
    what: 'gives up before it takes',
    from: ['STABLE', 2, 'a0', ''],
    target: [3, 'a1'],
    reported: 'a0',
    to: ['UNREVOKED_PARTITIONS', 2, '', 'a0'],
  },
  {
    what: 'still holds',
    from: ['UNREVOKED_PARTITIONS', 2, 'a0', 'a1'],
    target: [3, 'a0'],
    reported: 'a0 a1',
    to: ['UNREVOKED_PARTITIONS', 2, 'a0', 'a1'],
  },
  {
    what: 'let go',
    from: ['UNREVOKED_PARTITIONS', 2, 'a0', 'a1'],
    target: [3, 'a0 a2'],
    reported: 'a0',
    to: ['STABLE', 3, 'a0 a2', ''],
  },
  {
    what: 'let go, and the target has moved',
    from: ['UNREVOKED_PARTITIONS', 2, 'a0', 'a1'],
    target: [4, 'a1'],
    reported: 'a0',
    to: ['UNREVOKED_PARTITIONS', 2, '', 'a0'],
  },
  {
    what: 'let go of what is to be its own again',
    from: ['UNREVOKED_PARTITIONS', 2, 'a0', 'a1'],
    target: [4, 'a0 a1'],
    others: 'a1',
    reported: 'a0',
    to: ['STABLE', 4, 'a0 a1', ''],
  },
  {
    what: 'does not read the topic of its target any more',
    from: ['STABLE', 2, 'a0 b0', ''],
    target: [3, 'a0 b0'],
    reads: 'a',
    reported: 'a0 b0',
    to: ['UNREVOKED_PARTITIONS', 2, 'a0', 'b0'],
  },
  {
    what: 'loses at once what it does not read',
    from: ['STABLE', 3, 'a0 b0', ''],
    target: [3, 'a0 b0'],
    reads: 'a',
    isChanged: true,
    reported: 'a0 b0',
    to: ['UNREVOKED_PARTITIONS', 3, 'a0', 'b0'],
  },
  {
    what: 'reads less while it gives up',
    from: ['UNREVOKED_PARTITIONS', 2, 'a0 b0', 'a1'],
    target: [3, 'a0 b0'],
    reads: 'a',
    isChanged: true,
    reported: 'a0 a1 b0',
    to: ['UNREVOKED_PARTITIONS', 2, 'a0', 'a1 b0'],
  },
  {
    what: 'in a state of another version, with nothing in its hands',
    from: ['UNKNOWN', 2, 'a0', ''],
    target: [3, 'a0'],
    reported: '',
    to: ['STABLE', 3, 'a0', ''],
  },
]

const shown = (owns: Parameters<typeof listed>[0]) =>
  listed(owns)
    .flatMap(({ topicId, partitions }) => partitions.map((partition) => `${topicId}${partition}`))
    .join(' ')

for (const { what, from, target, to, ...row } of rows) {
  test(what, () => {
    const [state, memberEpoch, assigned, pending] = from
    const reported = row.reported === undefined ? assigned : row.reported
    const others = new Set((row.others ?? '').split(' '))
    const after = reconcile(
      {
        ...newMember('m'),
        state,
        memberEpoch,
        assigned: owned(assigned, 1),
        pendingRevocation: owned(pending, 1),
      },
      {
        targetEpoch: target[0],
        target: assignmentOf(parsed(target[1])),
        isSubscriptionChanged: row.isChanged ?? false,
        subscribed: new Set((row.reads ?? 'a b').split(' ')),
        isOwned: (topicId, partition) => others.has(`${topicId}${partition}`),
        reported: reported === null ? null : parsed(reported),
      },
    )
    assert.equal(
      [after.state, after.memberEpoch, shown(after.assigned), shown(after.pendingRevocation)],
      to,
    )
    for (const [topicId, partitions] of after.assigned) {
      for (const [partition, epoch] of partitions) {
        const isKept = assigned.split(' ').includes(`${topicId}${partition}`)
        assert.is(epoch, isKept ? 1 : target[0], 'the epoch in which it got the partition')
      }
    }
  })
}

test('a state of another version with partitions in its hands is fenced', () => {
  const member = { ...newMember('m'), state: 'UNKNOWN' as const }
  const aim = {
    targetEpoch: 3,
    target: assignmentOf([]),
    isSubscriptionChanged: false,
    subscribed: new Set<string>(),
    isOwned: () => false,
    reported: parsed('a0'),
  }
  try {
    reconcile(member, aim)
    assert.unreachable('it was not fenced')
  } catch (error) {
    assert.instance(error, KafkaError)
  }
})
