import { elect } from '../../lib/controller/elections.ts'
import type { BrokerImage, PartitionImage } from '../../lib/metadata/image.ts'
import type { BrokerState, BrokerValue, PartitionValue } from '../../lib/metadata/keys.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('elections')

function broker(
  id: number,
  options: { epoch?: number; cleanSince?: number | null; state?: BrokerState } = {},
): BrokerImage {
  const { epoch = 100 + id, cleanSince = null, state = 'active' } = options
  const value: BrokerValue = {
    v: 1,
    incarnation: `i${id}`,
    listeners: [],
    rack: null,
    dirs: [],
    state,
    cleanSince,
  }
  return {
    id,
    epoch,
    incarnation: value.incarnation,
    listeners: [],
    rack: null,
    state,
    modRevision: epoch,
    value,
  }
}

function brokers(...all: BrokerImage[]): Map<number, BrokerImage> {
  return new Map(all.map((one) => [one.id, one]))
}

function partition(fields: Partial<PartitionValue>): PartitionImage {
  const value: PartitionValue = {
    v: 1,
    leader: 1,
    leaderEpoch: 5,
    leaderBrokerEpoch: 101,
    isr: [1, 2, 3],
    replicas: [1, 2, 3],
    adding: [],
    removing: [],
    elr: [],
    minIsr: 2,
    writer: { broker: 1, epoch: 1, nonce: '' },
    ...fields,
  }
  const { leader, leaderEpoch, replicas, isr, elr, minIsr } = value
  return { partition: 0, leader, leaderEpoch, replicas, isr, elr, minIsr, partitionEpoch: 1, value }
}

type Case = readonly [
  what: string,
  before: Partial<PartitionValue>,
  live: readonly number[],
  after: Partial<PartitionValue> | null,
]

const cases: readonly Case[] = [
  ['all live: nothing to do', {}, [1, 2, 3], null],
  [
    'the leader is gone: the next in the order of replicas',
    {},
    [2, 3],
    { leader: 2, leaderEpoch: 6, leaderBrokerEpoch: 102, isr: [2, 3], elr: [] },
  ],
  [
    'only the ISR counts',
    { isr: [1, 3] },
    [2, 3],
    { leader: 3, leaderEpoch: 6, isr: [3], elr: [1] },
  ],
  [
    'a follower is gone: it leaves the ISR, the leader epoch stays',
    {},
    [1, 2],
    { leader: 1, leaderEpoch: 5, leaderBrokerEpoch: 101, isr: [1, 2], elr: [] },
  ],
  [
    'below min ISR those who leave are remembered',
    {},
    [1],
    { leader: 1, leaderEpoch: 5, isr: [1], elr: [2, 3] },
  ],
  [
    'all gone: no leader, and the last ISR is kept',
    { isr: [1], elr: [2] },
    [],
    { leader: -1, leaderEpoch: 6, leaderBrokerEpoch: -1, isr: [1], elr: [2] },
  ],
  ['still all gone: nothing to do', { leader: -1, isr: [1], elr: [2] }, [], null],
  [
    'a replica of the ELR leads when no other can',
    { leader: -1, isr: [1], elr: [2] },
    [2, 3],
    { leader: 2, leaderEpoch: 6, isr: [2], elr: [1] },
  ],
  ['a replica in neither never leads', { leader: -1, isr: [1], elr: [2] }, [3], null],
  [
    'the last of the ISR comes back',
    { leader: -1, isr: [1], elr: [2] },
    [1, 3],
    { leader: 1, leaderEpoch: 6, leaderBrokerEpoch: 101, isr: [1] },
  ],
]

for (const [what, before, live, after] of cases) {
  test(what, () => {
    const result = elect(partition(before), brokers(...live.map((id) => broker(id))))
    if (after === null) assert.is(result, null)
    else
      for (const [name, value] of Object.entries(after))
        assert.equal(Reflect.get(result ?? {}, name), value, name)
  })
}

test('a draining leader hands over', () => {
  const all = brokers(broker(1, { state: 'draining' }), broker(2), broker(3))
  assert.is(elect(partition({}), all)?.leader, 2)
})

test('the same leader after a crash leads under a new epoch, after a clean stop under the old one', () => {
  const lone = { isr: [1], replicas: [1], minIsr: 1 }
  const crashed = elect(partition(lone), brokers(broker(1, { epoch: 300 })))
  assert.is(crashed?.leader, 1)
  assert.is(crashed?.leaderEpoch, 6)
  assert.is(crashed?.leaderBrokerEpoch, 300)
  assert.is(elect(partition(lone), brokers(broker(1, { epoch: 300, cleanSince: 101 }))), null)
  const twice = brokers(broker(1, { epoch: 400, cleanSince: 300 }))
  assert.is(elect(partition(lone), twice)?.leaderEpoch, 6, 'clean since a crash that came later')
})

/** All subsets of `items`. */
function subsets(items: readonly number[]): number[][] {
  return Array.from({ length: 2 ** items.length }, (_, bits) =>
    items.filter((_item, index) => bits & (1 << index)),
  )
}

test('over all states of up to four replicas the rules of safety hold', () => {
  let count = 0
  for (let size = 1; size <= 4; size++) {
    const replicas = Array.from({ length: size }, (_, index) => index + 1)
    for (const isr of subsets(replicas).filter((one) => one.length > 0)) {
      for (const elr of subsets(replicas.filter((id) => !isr.includes(id)))) {
        for (const live of subsets(replicas)) {
          for (const leader of [-1, ...isr]) {
            for (let minIsr = 1; minIsr <= size; minIsr++) {
              count++
              checkRules(
                partition({ replicas, isr, elr, leader, minIsr, leaderBrokerEpoch: 100 + leader }),
                live,
              )
            }
          }
        }
      }
    }
  }
  assert.ok(count > 5000, `${count} states`)
})

function checkRules(before: PartitionImage, live: readonly number[]): void {
  const all = brokers(...live.map((id) => broker(id)))
  const result = elect(before, all)
  const after = result ?? before.value
  const state = JSON.stringify({ before: before.value, live, after })
  const canLead = live.some((id) => before.isr.includes(id) || before.elr.includes(id))
  assert.is(after.leader !== -1, canLead, state)
  if (after.leader !== -1) {
    assert.ok(live.includes(after.leader), state)
    assert.ok(before.isr.includes(after.leader) || before.elr.includes(after.leader), state)
    assert.ok(after.isr.includes(after.leader), state)
    const isrLives = live.some((id) => before.isr.includes(id))
    if (isrLives) assert.ok(before.isr.includes(after.leader), `ELR before ISR: ${state}`)
  }
  assert.ok(after.isr.length > 0, state)
  assert.ok(
    after.isr.every((id) => before.replicas.includes(id)),
    state,
  )
  assert.ok(
    after.elr.every((id) => !after.isr.includes(id)),
    state,
  )
  const isNewLeader = after.leader !== before.leader
  assert.is(after.leaderEpoch, before.leaderEpoch + (isNewLeader ? 1 : 0), state)
  const again = { ...before, ...after, value: { ...before.value, ...after } }
  assert.is(elect(again, all), null, `not settled: ${state}`)
}
