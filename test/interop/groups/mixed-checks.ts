/** Groups of mixed members through joins, leaves, kills, and a crash of the broker. */

import type { ApacheKafka } from '../apache-kafka.ts'
import { type Checks, expectThat, pause, until } from '../support/checks.ts'
import type { GroupBroker } from './broker.ts'
import { type MemberKind, startMember } from './members.ts'
import { expectNoLoss, expectOnce, MixedGroup } from './mixed.ts'

export interface MixedOptions {
  readonly kafka: ApacheKafka | null
  /** Clients that are at hand. */
  readonly kinds: ReadonlySet<MemberKind>
}

/** @platformatic/kafka 1.35 with the new protocol reads nothing more once its broker was gone, whichever that was. */
const fragile: MemberKind = 'platformatic-next'

/** A group that lives through everything, check after check. */
export async function checkMixedGroup(
  checks: Checks,
  broker: GroupBroker,
  { group: name, first, kafka }: MixedOptions & { group: string; first: readonly MemberKind[] },
): Promise<void> {
  const group = await MixedGroup.create(broker, name, kafka)
  const check = (what: string, run: () => Promise<string | void>) =>
    checks.run(`${broker.name}, ${name}: ${what}`, run)
  const [joiner = 'kcat'] = first
  const settledRound = async () => {
    await group.settled()
    return expectOnce(await group.round())
  }
  try {
    await check(`${first.join(', ')} read each record once`, async () => {
      group.join(...first)
      return settledRound()
    })
    await check(`another ${joiner} joins`, async () => {
      group.join(joiner)
      return settledRound()
    })
    await check('members join while records are read', async () => {
      const round = await group.round(async () => void group.join(joiner))
      await group.settled()
      return expectNoLoss(round)
    })
    await check('the first member leaves', async () => {
      const [member] = group.members
      if (member) await group.leave(member)
      return settledRound()
    })
    for (const kind of new Set(first)) {
      await check(`a ${kind} is killed`, async () => {
        const member = group.members.find((one) => one.kind === kind)
        expectThat(member !== undefined, `no ${kind} is left`)
        await group.leave(member, 'SIGKILL')
        const note = await settledRound()
        group.join(kind)
        return note
      })
    }
    await check('members are killed while records are read', async () => {
      await group.settled()
      const round = await group.round(async () => {
        for (const member of group.members.slice(0, 2)) await group.leave(member, 'SIGKILL')
      })
      group.join(...first)
      await group.settled()
      return expectNoLoss(round)
    })
    for (const member of group.members.filter(({ kind }) => kind === fragile)) {
      await group.leave(member)
    }
    await check('the broker is killed while records are read: no offset lost', async () => {
      let before: number[] = []
      const round = await group.round(async () => {
        await until(async () => group.members.some(({ places }) => places.length > 0), 'reading')
        before = await group.committed()
        await broker.crash()
        const after = await group.committed()
        const lost = after.filter((offset, partition) => offset < (before[partition] ?? 0))
        expectThat(lost.length === 0, `committed ${before}, then ${after}`)
      })
      return expectNoLoss(round)
    })
    await check('after it, members go on', async () => {
      // kcat ends when all brokers that it knows are away.
      const ended = group.members.filter(
        (one) => one.kind === 'kcat' && one.child.exitCode !== null,
      )
      for (const member of ended) await group.leave(member)
      group.join(...ended.map(({ kind }) => kind))
      return settledRound()
    })
  } finally {
    await group.close()
  }
}

/** Members without a protocol in common: the second is refused. */
export async function checkNoCommonProtocol(
  checks: Checks,
  broker: GroupBroker,
  { kafka, kinds }: MixedOptions,
): Promise<void> {
  for (const kind of (['kcat', 'java'] as const).filter((one) => kinds.has(one))) {
    await checks.run(`${broker.name}: a ${kind} with another protocol is refused`, async () => {
      const group = await MixedGroup.create(broker, `no-common-${kind}`, kafka)
      const place = { address: broker.address, group: group.group, topic: group.topic, kafka }
      group.join('kafkajs')
      await group.settled()
      const other = startMember(kind, 'other', { ...place, strategy: 'range' })
      try {
        await until(
          async () => {
            await pause(50)
            // Java's tool ends without a word.
            const isOver = kind === 'java' && other.child.exitCode !== null
            return isOver || /inconsistent group protocol/i.test(other.said())
          },
          'refused',
          20_000,
        ).catch(() => expectThat(false, `it said ${other.said().slice(-500)}`))
        return expectOnce(await group.round())
      } finally {
        await other.stop('SIGKILL')
        await group.close()
      }
    })
  }
}
