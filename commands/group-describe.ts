/** `group describe`: members of groups, what they read, and how far behind they are. */

import { Admin } from '../lib/client/admin.ts'
import type { GroupMember } from '../lib/client/groups.ts'
import { type GroupLag, readLag } from '../lib/client/lag.ts'
import { type Column, command, exitCodes, type Row } from './command.ts'
import { findGroups, isNoSuchGroup, noSuchGroup, worseExit } from './groups/find.ts'
import { lagColumnsOf, lagJson, lagRows, marked } from './groups/lag-rows.ts'
import { throwIfUnread, verdictOf } from './groups/limits.ts'
import { flag } from './options.ts'

const whoColumns: readonly Column[] = [
  { title: 'CLIENT', key: 'clientId', about: 'what the member calls itself' },
  { title: 'HOST', key: 'host', about: "the member's address" },
]
const offsetColumns: readonly Column[] = [...lagColumnsOf.partition, ...whoColumns]
const assignedColumn: Column = {
  title: 'ASSIGNED',
  key: 'assigned',
  about: 'partitions that the member has, as topic:0,1; in the rows of partitions how many',
}
const memberColumns: readonly Column[] = [
  { title: 'GROUP', key: 'group', about: 'name' },
  { title: 'STATE', key: 'state', about: 'of the group' },
  { title: 'MEMBER', key: 'memberId', about: 'id' },
  { title: 'INSTANCE', key: 'instanceId', about: 'name of a static member' },
  ...whoColumns,
  assignedColumn,
]

const noLimits = {
  max: undefined,
  maxPartition: undefined,
  maxTimeMs: undefined,
  warn: undefined,
  isCommitRequired: false,
}

export const groupDescribe = command({
  name: 'group describe',
  about: 'show members and offsets of groups',
  positionals: 'GROUP...',
  options: {
    members: flag('one line per member'),
    offsets: flag('one line per partition, without members that have none'),
  },
  examples: [
    ['group describe billing', 'partitions, who reads them, and lag'],
    ['group describe billing --members', 'who is in it, and what each one has'],
    ['group describe /bill.*/ --json', 'everything, for a script'],
  ],
  description: [
    'A /pattern/ stands for all groups whose whole name matches. Lag is that of "ottla lag". In JSON a group has both its members and its partitions, unless one of the flags says which.',
  ],
  columns: [...offsetColumns, assignedColumn],
  exits: {
    3: 'no such group',
    5: 'cannot reach a broker, or an offset could not be read',
    7: 'some groups failed',
  },
  run: async (context, { members, offsets, positionals }) => {
    const client = await context.client()
    const admin = new Admin(client)
    const { names, required, exit: unlisted } = await findGroups(context, admin, positionals)
    const found = await readLag({ client, admin }, names)
    const groups = found.filter(({ error }) => !isNoSuchGroup(error))
    const missing = found.filter(({ groupId, error }) => {
      return isNoSuchGroup(error) && required.has(groupId)
    })
    const [onlyMissing] = missing
    if (onlyMissing !== undefined && found.length === 1) {
      throw await noSuchGroup(admin, onlyMissing.groupId)
    }
    throwIfUnread(groups)
    const isJson = context.out.format === 'json' || context.out.format === 'ndjson'
    const isMembers = members && !offsets
    const rows = isJson
      ? groups.map((group) => jsonOf(group, { members, offsets }))
      : groups.flatMap((group) => rowsOf(group, { members, offsets }))
    await context.out.snapshot({
      kind: 'group-describe',
      plural: 'groups',
      columns: isMembers
        ? memberColumns
        : offsets
          ? offsetColumns
          : [...offsetColumns, assignedColumn],
      rows,
      lead: groups.map(summary),
    })
    const verdict = verdictOf(groups, noLimits)
    for (const text of verdict.unreadable) context.warn(text)
    for (const { groupId } of missing) context.warn((await noSuchGroup(admin, groupId)).message)
    const exit = worseExit(verdict.exit, unlisted)
    if (exit !== exitCodes.done || missing.length === 0) return exit
    return groups.length > 0 ? exitCodes.someFailed : exitCodes.notFound
  },
})

interface Parts {
  readonly members: boolean
  readonly offsets: boolean
}

function summary({ groupId, group, error }: GroupLag): string {
  if (error !== null) return groupId
  const count = group.members.length
  const words = [
    groupId,
    group.state,
    group.type,
    ...(group.assignor === '' ? [] : [`assigned by ${group.assignor}`]),
    ...(group.epoch < 0 ? [] : [`epoch ${group.epoch}`]),
    `${count} ${count === 1 ? 'member' : 'members'}`,
    `coordinator ${group.coordinator}`,
  ]
  return words.join(', ')
}

function rowsOf(one: GroupLag, { members, offsets }: Parts): Row[] {
  const name = { group: one.groupId, state: one.group.state }
  if (members && !offsets) {
    return one.group.members.map((member) => ({
      ...name,
      ...memberRow(member),
      assigned: assignedTexts(member),
    }))
  }
  const counts = new Map(one.group.members.map((member) => [member.memberId, countOf(member)]))
  const rows = lagRows([one], 'partition', 'name').map((row) => ({
    ...marked(row),
    assigned: counts.get(String(row['memberId'])) ?? null,
  }))
  if (offsets && !members) return rows
  const idle = one.group.members.filter((member) => countOf(member) === 0)
  return [...rows, ...idle.map((member) => ({ ...name, ...memberRow(member), assigned: 0 }))]
}

function memberRow({ memberId, instanceId, clientId, clientHost }: GroupMember): Row {
  return { memberId, instanceId, clientId, host: clientHost }
}

function countOf({ assignment }: GroupMember): number {
  return (assignment ?? []).reduce((sum, { partitions }) => sum + partitions.length, 0)
}

/** `orders:0,1` of each topic. */
function assignedTexts({ assignment }: GroupMember): string[] | null {
  if (assignment === null) return null
  return assignment.map(({ topic, partitions }) => `${topic}:${partitions.join(',')}`)
}

function jsonOf(one: GroupLag, { members, offsets }: Parts): Row {
  const { group } = one
  const [lag = {}] = lagJson([one], { by: 'partition', order: 'name' })
  const { over: _over, members: _members, partitions, ...rest } = lag
  const hasAll = members === offsets
  return {
    ...rest,
    type: group.type,
    assignor: group.assignor === '' ? null : group.assignor,
    epoch: group.epoch < 0 ? null : group.epoch,
    coordinator: group.coordinator < 0 ? null : group.coordinator,
    ...(hasAll || members ? { members: group.members.map(memberJson) } : {}),
    ...(hasAll || offsets ? { partitions } : {}),
  }
}

function memberJson(member: GroupMember): Row {
  const { rackId, memberEpoch, assignment } = member
  return {
    ...memberRow(member),
    rack: rackId,
    epoch: memberEpoch < 0 ? null : memberEpoch,
    assigned: assignment,
  }
}
