/**
 * What `lag` and `group describe` show: rows for tables, by partition, topic, group or member, and
 * the same as JSON, group by group. Lag is Kafka's own number; beside it JSON has the effective one.
 */

import { type GroupLag, type PartitionLag, totals } from '../../lib/client/lag.ts'
import type { Column, Row } from '../command.ts'
import { failureOf } from '../failures.ts'
import { wholeSeconds } from './limits.ts'

export const groupings = ['partition', 'topic', 'group', 'member'] as const
export type Grouping = (typeof groupings)[number]
export const orders = ['name', 'lag', 'seconds'] as const
export type Order = (typeof orders)[number]

const groupColumn: Column = { title: 'GROUP', key: 'group', about: 'name' }
const stateColumn: Column = {
  title: 'STATE',
  key: 'state',
  about: 'of the group: Stable, Empty (no members), ...',
}
const topicColumn: Column = { title: 'TOPIC', key: 'topic', about: 'name' }
const countColumn: Column = {
  title: 'PARTITIONS',
  key: 'partitions',
  about: 'how many it sums up',
  isNumber: true,
}
const lagColumns: readonly Column[] = [
  { title: 'LAG', key: 'lag', about: 'records that are not read; - unknown', isNumber: true },
  {
    title: 'SECONDS',
    key: 'seconds',
    about: 'since the first of them was written; ~ that of its whole batch; - unknown',
    isNumber: true,
  },
  { title: 'EXPIRED', key: 'expired', about: 'records deleted unread', isNumber: true },
]
const memberColumn: Column = {
  title: 'MEMBER',
  key: 'memberId',
  about: 'who reads it now; - when nobody does',
}

export const lagColumnsOf: Readonly<Record<Grouping, readonly Column[]>> = {
  partition: [
    groupColumn,
    stateColumn,
    topicColumn,
    { title: 'PARTITION', key: 'partition', about: 'number', isNumber: true },
    {
      title: 'COMMITTED',
      key: 'committed',
      about: 'offset of the next record to read; - when there is no commit',
      isNumber: true,
    },
    { title: 'START', key: 'logStart', about: 'offset of the first record', isNumber: true },
    { title: 'END', key: 'logEnd', about: 'offset of the next record to come', isNumber: true },
    ...lagColumns,
    memberColumn,
  ],
  topic: [groupColumn, stateColumn, topicColumn, countColumn, ...lagColumns],
  group: [
    groupColumn,
    stateColumn,
    { title: 'MEMBERS', key: 'members', about: 'how many', isNumber: true },
    countColumn,
    ...lagColumns,
  ],
  member: [
    groupColumn,
    stateColumn,
    memberColumn,
    { title: 'CLIENT', key: 'clientId', about: 'what it calls itself' },
    { title: 'HOST', key: 'host', about: 'its address' },
    countColumn,
    ...lagColumns,
  ],
}

/** A row with what `--sort` compares. */
interface Sortable {
  readonly row: Row
  readonly lag: number | null
  readonly seconds: number | null
}

/** Rows of a table. */
export function lagRows(groups: readonly GroupLag[], by: Grouping, order: Order): Row[] {
  const rows = groups.flatMap((group) => sortables(group, by))
  return inOrder(rows, order).map(({ row }) => row)
}

/** Groups as JSON, their parts in the same order. */
export function lagJson(
  groups: readonly GroupLag[],
  {
    by,
    order,
    isOver = () => false,
  }: { by: Grouping; order: Order; isOver?: (group: string) => boolean },
): Row[] {
  const objects = groups.map((group): Sortable => {
    const parts = inOrder(sortables(group, by), order).map(({ row }) => withoutGroup(row))
    const row = {
      ...groupRow(group),
      effectiveLag: group.effectiveLag,
      over: isOver(group.groupId),
      error: errorOf(group.error),
      ...(by === 'group' ? {} : { [jsonMembers[by]]: parts }),
    }
    return { row, lag: group.lag, seconds: group.seconds }
  })
  return inOrder(objects, order).map(({ row }) => row)
}

const jsonMembers = { partition: 'partitions', topic: 'topics', member: 'memberLags' } as const

function withoutGroup({ group: _group, state: _state, ...rest }: Row): Row {
  return rest
}

function inOrder(rows: readonly Sortable[], order: Order): readonly Sortable[] {
  if (order === 'name') return rows
  return [...rows].sort((left, right) => (right[order] ?? -1) - (left[order] ?? -1))
}

function sortables(group: GroupLag, by: Grouping): Sortable[] {
  const name = { group: group.groupId, state: stateOf(group) }
  if (by === 'group') {
    const { partitions } = group
    const row = { ...groupRow(group), partitions: partitions.length }
    return [{ row, lag: group.lag, seconds: group.seconds }]
  }
  if (by === 'partition') {
    return group.partitions.map((one) => ({
      row: { ...name, ...partitionRow(one) },
      lag: one.lag,
      seconds: one.seconds,
    }))
  }
  const keyOf = (one: PartitionLag) => (by === 'topic' ? one.topic : (one.member?.memberId ?? null))
  const parts = new Map<string | null, PartitionLag[]>()
  for (const one of group.partitions) {
    const key = keyOf(one)
    parts.set(key, [...(parts.get(key) ?? []), one])
  }
  return [...parts].map(([key, partitions]) => {
    const sums = totals(partitions)
    const member = partitions[0]?.member ?? null
    const who =
      by === 'topic'
        ? { topic: key }
        : {
            memberId: key,
            clientId: member?.clientId ?? null,
            host: member?.clientHost ?? null,
          }
    const row = {
      ...name,
      ...who,
      partitions: partitions.length,
      ...shownSums(partitions, sums),
      effectiveLag: sums.effectiveLag,
    }
    return { row, lag: sums.lag, seconds: sums.seconds }
  })
}

function groupRow(group: GroupLag): Row {
  return {
    group: group.groupId,
    state: stateOf(group),
    members: group.error === null ? group.group.members.length : null,
    ...shownSums(group.partitions, group),
    ...(group.error === null ? {} : { lag: null, seconds: null, expired: null }),
  }
}

function stateOf({ group }: GroupLag): string | null {
  return group.state === '' ? null : group.state
}

/** A sum over something unknown is not known. */
function shownSums(
  partitions: readonly PartitionLag[],
  { lag, seconds, expired }: Pick<GroupLag, 'lag' | 'seconds' | 'expired'>,
): Row {
  const isKnown = partitions.every((one) => one.error === null)
  return {
    lag: isKnown ? lag : null,
    seconds: seconds === null ? null : wholeSeconds(seconds),
    expired: isKnown ? expired : null,
  }
}

export function partitionRow(one: PartitionLag): Row {
  return {
    topic: one.topic,
    partition: one.partition,
    committed: one.committed,
    logStart: one.logStart,
    logEnd: one.logEnd,
    lag: one.lag,
    effectiveLag: one.effectiveLag,
    seconds: one.seconds === null ? null : wholeSeconds(one.seconds),
    approximate: one.isApproximate,
    expired: one.expired,
    flag: one.flag,
    memberId: one.member?.memberId ?? null,
    clientId: one.member?.clientId ?? null,
    host: one.member?.clientHost ?? null,
    error: errorOf(one.error),
  }
}

/** As the error object on standard error, shorter. */
function errorOf(error: Error | null): Row | null {
  if (error === null) return null
  const { name, message } = failureOf(error)
  return { name, message }
}

/** Cells for a table: a time that is not exact gets its mark. */
export function marked(row: Row): Row {
  return row['approximate'] === true ? { ...row, seconds: `~${String(row['seconds'])}` } : row
}
