/**
 * One group of members from different clients, on one topic whose records are all the same but for
 * their place. A round writes records and waits until the group has read all of them; the round says
 * how often each was read and by whom, for a script to judge.
 *
 * Before a round ends its offsets are committed, so what is read twice in the next one is the group's
 * fault, not that of a member which was killed between reading and committing.
 */

import { ConsumerGroupDescribe } from '../../../lib/protocol/apis/consumer-group-describe.ts'
import { DescribeGroups } from '../../../lib/protocol/apis/describe-groups.ts'
import { batch } from '../differential/batches.ts'
import { expectThat, pause, until } from '../support/checks.ts'
import { committedOffsets, type GroupBroker } from './broker.ts'
import { type Member, type MemberKind, type MemberPlace, startMember } from './members.ts'

const partitions = 12
const perPartition = 50
const stableMs = 60_000
/** Some clients join once more right after they did. */
const calmPolls = 12

export interface Round {
  /** Records that nobody read. */
  readonly lost: readonly string[]
  /** Records that were read more than once, with the members that did. */
  readonly repeated: readonly string[]
  /** Partitions that more than one member read from. */
  readonly shared: readonly number[]
  /** Names of the members that read something. */
  readonly readers: readonly string[]
}

export class MixedGroup {
  readonly broker: GroupBroker
  readonly group: string
  readonly topic: string
  readonly members: Member[] = []
  readonly #place: MemberPlace
  #end = 0
  #count = 0

  private constructor(broker: GroupBroker, place: MemberPlace) {
    this.broker = broker
    this.group = place.group
    this.topic = place.topic
    this.#place = place
  }

  static async create(
    broker: GroupBroker,
    group: string,
    kafka: MemberPlace['kafka'],
  ): Promise<MixedGroup> {
    const topic = `topic-${group}`
    await broker.peer.create(topic, { partitions })
    return new MixedGroup(broker, { address: broker.address, group, topic, kafka })
  }

  join(...kinds: MemberKind[]): Member[] {
    const joined = kinds.map((kind) => startMember(kind, `${kind}-${++this.#count}`, this.#place))
    this.members.push(...joined)
    return joined
  }

  async leave(member: Member, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.members.splice(this.members.indexOf(member), 1)
    await member.stop(signal)
  }

  /** Waits until all members that live are members, and no others, and the group is stable. */
  async settled(): Promise<void> {
    const want = this.members.map(({ name }) => name).sort()
    let seen = ''
    let agreed = 0
    try {
      await until(
        async () => {
          const { state, names } = await this.#describe()
          seen = `${state} with ${names}`
          await pause(100)
          const isSo = state === 'Stable' && JSON.stringify(names) === JSON.stringify(want)
          agreed = isSo ? agreed + 1 : 0
          return agreed === calmPolls
        },
        'stable',
        stableMs,
      )
    } catch {
      const dead = this.members.filter(({ child }) => child.exitCode !== null)
      const said = dead.map((member) => `${member.name}: ${member.said().slice(-300)}`)
      throw new Error(`not stable with ${want} but ${seen}; ended: ${said.join('; ') || 'none'}`)
    }
  }

  async #describe(): Promise<{ state: string; names: string[] }> {
    const { peer } = this.broker
    if (peer.ranges.has(ConsumerGroupDescribe.key)) {
      const { groups } = await peer.call(ConsumerGroupDescribe, 0, { groupIds: [this.group] })
      const [found] = groups
      if (found?.errorCode === 0) return { state: found.groupState, names: namesOf(found.members) }
    }
    const { groups } = await peer.call(DescribeGroups, 4, { groups: [this.group] })
    return { state: groups[0]?.groupState ?? '', names: namesOf(groups[0]?.members ?? []) }
  }

  /** Writes records to every partition; `meanwhile` runs once they are there. */
  async round(meanwhile: () => Promise<void> = async () => {}): Promise<Round> {
    // A member that will be gone by the end has read something too.
    const members = [...this.members]
    const before = members.map(({ places }) => places.length)
    const from = this.#end
    for (let partition = 0; partition < partitions; partition++) {
      const values = Array.from({ length: perPartition }, (_, index) => `${index}`)
      await this.broker.peer.produce(this.topic, [batch(values)], partition)
    }
    this.#end += perPartition
    const all = Array.from({ length: partitions * perPartition }, (_, index) => {
      const partition = index % partitions
      return `${partition} ${from + Math.floor(index / partitions)}`
    })
    await meanwhile()
    const read = () => members.map(({ places }, index) => places.slice(before[index]))
    const isRead = () => {
      const seen = new Set(read().flat())
      return all.every((place) => seen.has(place))
    }
    for (const deadline = performance.now() + 45_000; !isRead() && performance.now() < deadline; ) {
      await pause(50)
    }
    await this.#committed().catch((error: Error) => {
      if (isRead()) throw error
    })
    return roundOf(members, read(), all)
  }

  /** Waits until all that was written is committed. */
  async #committed(): Promise<void> {
    let offsets: number[] = []
    await until(
      async () => {
        await pause(100)
        offsets = await this.committed()
        return offsets.every((offset) => offset === this.#end)
      },
      'committed',
      20_000,
    ).catch(() => {
      throw new Error(`committed are ${offsets}, not ${this.#end} each`)
    })
  }

  committed(): Promise<number[]> {
    return committedOffsets(this.broker.peer, this.group, { topic: this.topic, partitions })
  }

  async close(): Promise<void> {
    await Promise.all(this.members.splice(0).map((member) => member.stop('SIGKILL')))
  }
}

/** Java adds a number to what it was given, and librdkafka nothing. */
function namesOf(members: readonly { clientId: string }[]): string[] {
  return members.map(({ clientId }) => clientId).sort()
}

function roundOf(
  members: readonly Member[],
  read: readonly (readonly string[])[],
  all: readonly string[],
): Round {
  const counts = new Map<string, number>()
  const readersOf = new Map<number, Set<number>>()
  for (const [index, places] of read.entries()) {
    for (const place of places) {
      counts.set(place, (counts.get(place) ?? 0) + 1)
      const partition = Number.parseInt(place, 10)
      readersOf.set(partition, (readersOf.get(partition) ?? new Set()).add(index))
    }
  }
  return {
    lost: all.filter((place) => !counts.has(place)),
    repeated: [...counts]
      .filter(([, count]) => count > 1)
      .map(
        ([place]) =>
          `${place} by ${members.filter((_, at) => read[at]?.includes(place)).map(({ name }) => name)}`,
      ),
    shared: [...readersOf]
      .filter(([, readers]) => readers.size > 1)
      .map(([partition]) => partition),
    readers: members.filter((_, index) => (read[index] ?? []).length > 0).map(({ name }) => name),
  }
}

/** Every record once, and each partition by one member. */
export function expectOnce(round: Round): string {
  expectThat(
    round.lost.length === 0,
    `${round.lost.length} records lost: ${round.lost.slice(0, 5)}`,
  )
  const { repeated, shared } = round
  expectThat(repeated.length === 0, `${repeated.length} read twice: ${repeated.slice(0, 5)}`)
  expectThat(shared.length === 0, `partitions ${shared} were read by several members`)
  return `${partitions * perPartition} records, read by ${round.readers.join(', ')}`
}

/** Every record at least once. */
export function expectNoLoss(round: Round): string {
  expectThat(
    round.lost.length === 0,
    `${round.lost.length} records lost: ${round.lost.slice(0, 5)}`,
  )
  return `${round.repeated.length} read again`
}
