/**
 * Reads how far behind groups are: members and commits first, ends of the logs afterwards (the other
 * way round lag would go negative), then the first unread record of partitions that are behind.
 * What could not be read of one partition or group stands in its `error`, and its numbers are null.
 *
 * A group's partitions are those it has committed and those its members are assigned. Partitions of
 * topics that are gone are left out: commits outlive their topics. The model: lag-model.ts.
 */

import { KafkaError } from '../base/errors.ts'
import type { Offset, TopicPartition } from '../base/types.ts'
import type { Admin } from './admin.ts'
import type { Client } from './client.ts'
import type { UnavailableError } from './errors.ts'
import { byTopicAndPartition, type CommittedOffset } from './group-offsets.ts'
import type { GroupDescription, GroupMember } from './groups.ts'
import { type LagFlag, lagOf, unreadFrom, worstSeconds } from './lag-model.ts'
import { markersMax, type PeekAt, type Peeked, peek } from './lag-peek.ts'
import type { OffsetAnswer } from './offsets.ts'
import { keyOf } from './per-leader.ts'

export interface PartitionLag extends TopicPartition {
  /** null: no commit, or `error`. */
  readonly committed: Offset | null
  readonly logStart: Offset | null
  readonly logEnd: Offset | null
  /** As Kafka counts it; null when it could not be read. */
  readonly lag: number | null
  /** Without markers of transactions at the end. */
  readonly effectiveLag: number | null
  /** Since the first unread record was written; null when it is not known. */
  readonly seconds: number | null
  /** Whether `seconds` is that of a whole batch, which could not be read. */
  readonly isApproximate: boolean
  /** Records that were deleted unread. */
  readonly expired: number | null
  readonly flag: LagFlag | null
  /** Whoever reads it now. */
  readonly member: GroupMember | null
  readonly error: KafkaError | UnavailableError | null
}

export interface GroupLag {
  readonly groupId: string
  readonly group: GroupDescription
  /** By topic and number. */
  readonly partitions: readonly PartitionLag[]
  /** Sums of what is known. */
  readonly lag: number
  readonly effectiveLag: number
  readonly expired: number
  /** The worst; null when a partition is behind and of none the time is known. */
  readonly seconds: number | null
  /** Why nothing is known of the group: then `partitions` is empty. */
  readonly error: KafkaError | UnavailableError | null
}

export interface LagOptions {
  readonly timeoutMs?: number
  /** Only these topics. */
  readonly hasTopic?: (topic: string) => boolean
  /** Topics of which every partition counts, whether the group ever committed it or not. */
  readonly wholeTopics?: readonly string[]
  /** First unread records that are looked at, at most (default 100). */
  readonly peeksMax?: number
}

interface Position extends TopicPartition {
  readonly committed: CommittedOffset | null
  readonly member: GroupMember | null
}

/** In the order of `groupIds`. Rejects only when the client is closed. */
export async function readLag(
  { client, admin }: { client: Client; admin: Admin },
  groupIds: readonly string[],
  options: LagOptions = {},
): Promise<GroupLag[]> {
  const { peeksMax = 100 } = options
  const timeout = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }
  const [groups, commits] = await Promise.all([
    admin.describeGroups(groupIds, timeout),
    admin.groupOffsets(groupIds, timeout),
  ])
  const wholeTopics = await partitionsOf(client, options.wholeTopics ?? [])
  const positions = groups.map((group, index) => {
    if (group.error !== null) return []
    const offsets = commits[index]?.offsets ?? []
    return positionsOf({ group, offsets, wholeTopics, options })
  })
  const logs = await readLogs(admin, positions.flat(), timeout)
  const peeks = await peekAll(client, { positions: positions.flat(), logs, peeksMax, ...timeout })
  const nowMs = client.env.clock.nowMs()
  return groups.map((group, index) => {
    const error = group.error ?? commits[index]?.error ?? null
    const known = error === null ? (positions[index] ?? []) : []
    const partitions = known.flatMap((one) => partitionLag(one, { logs, peeks, nowMs }))
    return { groupId: group.groupId, group, partitions, ...totals(partitions), error }
  })
}

/** Sums over partitions. */
export function totals(
  partitions: readonly PartitionLag[],
): Pick<GroupLag, 'lag' | 'effectiveLag' | 'expired' | 'seconds'> {
  const sum = (of: (one: PartitionLag) => number | null) =>
    partitions.reduce((total, one) => total + (of(one) ?? 0), 0)
  return {
    lag: sum(({ lag }) => lag),
    effectiveLag: sum(({ effectiveLag }) => effectiveLag),
    expired: sum(({ expired }) => expired),
    seconds: worstSeconds(partitions.map(({ seconds }) => seconds)),
  }
}

async function partitionsOf(client: Client, topics: readonly string[]): Promise<TopicPartition[]> {
  const found = await Promise.all(topics.map((topic) => client.topic(topic)))
  return found.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  )
}

/** What the group has committed, what its members have, and what was asked for. */
function positionsOf({
  group,
  offsets,
  wholeTopics,
  options: { hasTopic = () => true },
}: {
  group: GroupDescription
  offsets: readonly CommittedOffset[]
  wholeTopics: readonly TopicPartition[]
  options: LagOptions
}): Position[] {
  const positions = new Map<string, Position>()
  const add = (one: TopicPartition, rest: Partial<Position>) => {
    if (!hasTopic(one.topic)) return
    const key = keyOf(one.topic, one.partition)
    const { topic, partition } = one
    const before = positions.get(key) ?? { topic, partition, committed: null, member: null }
    positions.set(key, { ...before, ...rest })
  }
  for (const one of wholeTopics) add(one, {})
  for (const committed of offsets) add(committed, { committed })
  for (const member of group.members) {
    for (const { topic, partitions } of member.assignment ?? []) {
      for (const partition of partitions) add({ topic, partition }, { member })
    }
  }
  return [...positions.values()].sort(byTopicAndPartition)
}

interface LogEnds {
  readonly start: OffsetAnswer
  readonly end: OffsetAnswer
}

/** First and next offset of each partition, asked once for all groups. */
async function readLogs(
  admin: Admin,
  positions: readonly Position[],
  timeout: { timeoutMs?: number },
): Promise<Map<string, LogEnds>> {
  const wanted = new Map(positions.map((one) => [keyOf(one.topic, one.partition), one]))
  const partitions = [...wanted.values()]
  const ranges = await admin.offsetRanges(partitions, timeout)
  const keys = [...wanted.keys()]
  return new Map(ranges.map((range, index) => [keys[index] ?? '', range]))
}

/** Few unread records first, since they may be markers only, then whoever is furthest behind. */
async function peekAll(
  client: Client,
  asked: {
    positions: readonly Position[]
    logs: ReadonlyMap<string, LogEnds>
    peeksMax: number
    timeoutMs?: number
  },
): Promise<Map<string, Peeked>> {
  const behind = new Map<string, PeekAt>()
  for (const position of asked.positions) {
    const range = asked.logs.get(keyOf(position.topic, position.partition))
    if (range === undefined || range.start.error !== null || range.end.error !== null) continue
    if (position.committed?.error) continue
    const committed = position.committed?.offset ?? null
    const from = unreadFrom({ committed, logStart: range.start.offset })
    const { topic, partition } = position
    const at = { topic, partition, from, end: range.end.offset }
    if (from < at.end) behind.set(peekKey(at), at)
  }
  const rank = ({ from, end }: PeekAt) => (end - from <= markersMax ? -1 : 1 / (end - from))
  const items = [...behind.values()].sort((a, b) => rank(a) - rank(b)).slice(0, asked.peeksMax)
  const peeked = new Map<string, Peeked>()
  // A partition stands once in a question: two groups may have stopped at different places of it.
  for (const wave of waves(items)) {
    const answers = await peek(client, wave, asked.timeoutMs)
    for (const [index, item] of wave.entries()) {
      const answer = answers[index]
      if (answer !== undefined) peeked.set(peekKey(item), answer)
    }
  }
  return peeked
}

function waves(items: readonly PeekAt[]): PeekAt[][] {
  const found: PeekAt[][] = []
  const counts = new Map<string, number>()
  for (const item of items) {
    const key = keyOf(item.topic, item.partition)
    const wave = counts.get(key) ?? 0
    counts.set(key, wave + 1)
    found[wave] ??= []
    found[wave].push(item)
  }
  return found
}

function peekKey({ topic, partition, from }: Omit<PeekAt, 'end'>): string {
  return `${keyOf(topic, partition)}@${from}`
}

/** None when the topic is gone. */
function partitionLag(
  { topic, partition, committed, member }: Position,
  {
    logs,
    peeks,
    nowMs,
  }: {
    logs: ReadonlyMap<string, LogEnds>
    peeks: ReadonlyMap<string, Peeked>
    nowMs: number
  },
): PartitionLag[] {
  const range = logs.get(keyOf(topic, partition))
  const offset = committed === null || committed.error !== null ? null : committed.offset
  const failed = (error: KafkaError | UnavailableError): PartitionLag => ({
    topic,
    partition,
    committed: offset,
    logStart: null,
    logEnd: null,
    lag: null,
    effectiveLag: null,
    seconds: null,
    isApproximate: false,
    expired: null,
    flag: null,
    member,
    error,
  })
  if (range === undefined) return [failed(new KafkaError('UNKNOWN_SERVER_ERROR'))]
  const error = range.start.error ?? range.end.error ?? committed?.error ?? null
  if (error instanceof KafkaError && error.code === 3) return []
  if (error !== null) return [failed(error)]
  const [logStart, logEnd] = [range.start.offset, range.end.offset]
  const from = unreadFrom({ committed: offset, logStart })
  const peeked = peeks.get(peekKey({ topic, partition, from })) ?? null
  const lag = lagOf({
    committed: offset,
    logStart,
    logEnd,
    newestData: peeked?.isMarkersOnly ? from - 1 : null,
    lastStable: peeked?.lastStable ?? null,
    firstUnreadMs: peeked?.firstUnreadMs ?? null,
    nowMs,
  })
  const isApproximate = peeked?.isApproximate ?? false
  return [
    { topic, partition, committed: offset, logStart, logEnd, ...lag, isApproximate, member, error },
  ]
}
