/**
 * `npm run interop:group-load`: what a broker does under many groups, beside Apache Kafka, in turns.
 * Heartbeats at one rate from the members of 10 groups and of 1,000 (10,000 members, 100 connections);
 * the time from nothing to the first record of a new group; the time of a rebalance of 2, 8 and 64
 * members. Prints tables; no time is a failure but ottla's own p99 of heartbeats, which must not grow
 * by more than half and 2 ms. Ends with `N passed, N failed, N skipped`.
 */

import { DescribeGroups } from '../../lib/protocol/apis/describe-groups.ts'
import { Fetch } from '../../lib/protocol/apis/fetch.ts'
import { FindCoordinator } from '../../lib/protocol/apis/find-coordinator.ts'
import { OffsetFetch } from '../../lib/protocol/apis/offset-fetch.ts'
import { apacheKafka } from './apache-kafka.ts'
import { batch } from './differential/batches.ts'
import { loaded } from './differential/group-setup.ts'
import type { Peer } from './differential/peer.ts'
import { type GroupBroker, startKafka, startOttla } from './groups/broker.ts'
import { RawMember } from './groups/raw-member.ts'
import { Checks, expectThat, pause } from './support/checks.ts'

const groupCount = 1000
const membersPerGroup = 10
const connectionCount = 100
const fewGroups = 10
const beatsPerSecond = 1000
const beatSeconds = 5
const topic = 'load'

const checks = new Checks()
const found = await apacheKafka()
const kafka = typeof found === 'string' ? null : found
if (typeof found === 'string') checks.skip('Apache Kafka', found)

/** Runs `measure` against both brokers, one after the other. */
async function withBrokers(
  delayMs: string,
  measure: (brokers: readonly GroupBroker[]) => Promise<void>,
): Promise<void> {
  const settings = { 'group.initial.rebalance.delay.ms': delayMs }
  const brokers = [await startOttla({ settings })]
  try {
    if (kafka) brokers.push(await startKafka(kafka, { settings }))
    for (const { peer } of brokers) {
      await peer.ensure(topic, { partitions: 1 })
      await peer.produce(topic, [batch(['a record'])])
      await loaded(peer)
    }
    await measure(brokers)
  } finally {
    for (const broker of brokers) await broker.close()
  }
}

/** Members that join at once. Who is too late for the others begins a rebalance, which they follow. */
async function assemble(members: readonly RawMember[]): Promise<void> {
  let entered = 0
  const follow = async (member: RawMember) => {
    if ((await member.heartbeat()) !== 0) await member.enter()
  }
  await Promise.all(
    members.map(async (member) => {
      await member.enter()
      entered++
      while (entered < members.length) {
        await pause(10)
        await follow(member)
      }
      await follow(member)
    }),
  )
}

/** Every group's members join at once, each over a connection of its own; ten groups at a time. */
async function fill(peer: Peer): Promise<RawMember[]> {
  const members: RawMember[] = []
  const atOnce = connectionCount / membersPerGroup
  for (let from = 0; from < groupCount; from += atOnce) {
    const joining = Array.from({ length: connectionCount }, (_, index) => {
      const group = `load-${from + Math.floor(index / membersPerGroup)}`
      return new RawMember(peer.other(`connection ${index}`), group)
    })
    const groups = Array.from({ length: atOnce }, (_, group) =>
      joining.slice(group * membersPerGroup, (group + 1) * membersPerGroup),
    )
    await Promise.all(groups.map(assemble))
    members.push(...joining)
  }
  return members
}

interface Latency {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

function latencyOf(times: number[]): Latency {
  const sorted = times.sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)]
  return { p50: at(0.5) ?? 0, p99: at(0.99) ?? 0, max: sorted.at(-1) ?? 0 }
}

/** Heartbeats of these members in turn, at a fixed rate. */
async function beat(members: readonly RawMember[], seconds = beatSeconds): Promise<Latency> {
  const times: number[] = []
  const waiting: Promise<void>[] = []
  const began = performance.now()
  for (let index = 0; index < beatsPerSecond * seconds; ) {
    const due = Math.floor(((performance.now() - began) / 1000) * beatsPerSecond)
    for (; index < due; index++) {
      const member = members[index % members.length]
      if (member !== undefined) waiting.push(timed(member, times))
    }
    await pause(1)
  }
  await Promise.all(waiting)
  return latencyOf(times)
}

async function timed(member: RawMember, times: number[]): Promise<void> {
  const began = performance.now()
  const errorCode = await member.heartbeat()
  times.push(performance.now() - began)
  if (errorCode !== 0) throw new Error(`heartbeat: ${errorCode}`)
}

async function measureHeartbeats(brokers: readonly GroupBroker[]): Promise<void> {
  const all = new Map<GroupBroker, RawMember[]>()
  for (const broker of brokers) {
    await checks.run(
      `${broker.name}: ${groupCount} groups of ${membersPerGroup} join`,
      async () => {
        const began = performance.now()
        all.set(broker, await fill(broker.peer))
        return `${Math.round(performance.now() - began)} ms`
      },
    )
  }
  for (const [broker, members] of all) {
    await beat(members, 2)
    const few = members.slice(0, fewGroups * membersPerGroup)
    const rounds: [few: Latency, many: Latency][] = []
    for (let round = 0; round < 3; round++) rounds.push([await beat(few), await beat(members)])
    for (const [ofFew, ofMany] of rounds) {
      row(`${broker.name}: heartbeat, ms`, {
        [`${fewGroups} groups`]: show(ofFew),
        [`${groupCount} groups`]: show(ofMany),
      })
    }
    if (broker.name !== 'ottla') continue
    await checks.run('ottla: heartbeat p99 is flat', () => {
      const best = (at: 0 | 1) => Math.min(...rounds.map((round) => round[at].p99))
      const [ofFew, ofMany] = [best(0), best(1)]
      const text = `${ofFew.toFixed(2)} ms, then ${ofMany.toFixed(2)} ms`
      expectThat(ofMany <= ofFew * 1.5 + 2, text)
      return text
    })
  }
}

function show({ p50, p99, max }: Latency): string {
  return `p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)} max ${max.toFixed(1)}`
}

function row(what: string, columns: Readonly<Record<string, string>>): void {
  const cells = Object.entries(columns).map(([name, text]) => `${name}: ${text}`.padEnd(46))
  console.log(`     ${what.padEnd(36)} ${cells.join(' ')}`)
}

/** From the question for a coordinator to the first record. */
async function firstRecord(peer: Peer, groupId: string): Promise<number> {
  const began = performance.now()
  await peer.call(FindCoordinator, 4, { keyType: 0, coordinatorKeys: [groupId] })
  const member = new RawMember(peer, groupId)
  await member.enter()
  await peer.call(OffsetFetch, 7, { groupId, topics: [{ name: topic, partitionIndexes: [0] }] })
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }]
  const topics = [{ topic, partitions }]
  const limits = { maxWaitMs: 500, minBytes: 1, maxBytes: 1 << 20 }
  const { responses } = await peer.call(Fetch, 11, { ...limits, topics })
  expectThat((responses[0]?.partitions[0]?.records?.length ?? 0) > 0, 'no record came')
  return performance.now() - began
}

async function measureFirstRecord(
  brokers: readonly GroupBroker[],
  delayMs: string,
  rounds: number,
): Promise<void> {
  const times = new Map<string, number[]>(brokers.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, peer } of brokers) {
      times.get(name)?.push(await firstRecord(peer, `first-${delayMs}-${round}`))
    }
  }
  for (const [name, some] of times) {
    row(`${name}: first record, ms`, {
      [`delay ${delayMs}`]: some.map((time) => time.toFixed(1)).join(' '),
    })
  }
}

/** One member joins a stable group; until all have their assignment. */
async function rebalance(peer: Peer, groupId: string, size: number): Promise<number> {
  const member = (index: number) => new RawMember(peer.other(`rebalance ${index}`), groupId)
  const members = [member(0)]
  await members[0]?.enter()
  for (let index = 1; index < size - 1; index++) {
    const next = member(index)
    await Promise.all([next.enter(), ...members.map((one) => one.follow(1))])
    members.push(next)
  }
  const last = member(size - 1)
  const began = performance.now()
  await Promise.all([last.enter(), ...members.map((one) => one.follow(1))])
  const ms = performance.now() - began
  const { groups } = await peer.call(DescribeGroups, 4, { groups: [groupId] })
  const [group] = groups
  const seen = `${group?.groupState} with ${group?.members.length} members`
  expectThat(seen === `Stable with ${size} members`, `${groupId}: ${seen}`)
  return ms
}

async function measureRebalance(brokers: readonly GroupBroker[]): Promise<void> {
  for (const size of [2, 8, 64]) {
    for (let round = 0; round < 3; round++) {
      const columns: Record<string, string> = {}
      for (const { name, peer } of brokers) {
        const ms = await rebalance(peer, `rebalance-${size}-${round}`, size)
        columns[name] = `${ms.toFixed(1)} ms`
      }
      row(`rebalance, ${size} members`, columns)
    }
  }
}

await withBrokers('0', async (brokers) => {
  await checks.run('time to the first record, no delay', () => measureFirstRecord(brokers, '0', 5))
  await checks.run('rebalance of 2, 8, 64 members', () => measureRebalance(brokers))
})
await withBrokers('3000', async (brokers) => {
  await checks.run('time to the first record, the default delay', () =>
    measureFirstRecord(brokers, '3000', 2),
  )
})
// Long enough for the members of a group to come together.
await withBrokers('100', measureHeartbeats)
checks.end()
