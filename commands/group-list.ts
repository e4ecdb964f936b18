/** `group list`: the groups of all brokers. */

import { Admin } from '../lib/client/admin.ts'
import type { GroupDescription, GroupListing } from '../lib/client/groups.ts'
import { type CommandContext, command, type ExitCode, exitCodes } from './command.ts'
import { failureOf } from './failures.ts'
import { isNoSuchGroup, reportUnlisted, unreadableExit, worseExit } from './groups/find.ts'
import { choice, parseText, repeated } from './options.ts'

const columns = [
  { title: 'GROUP', key: 'group', about: 'name' },
  { title: 'STATE', key: 'state', about: 'Stable, Empty (no members), PreparingRebalance, ...' },
  { title: 'TYPE', key: 'type', about: 'its protocol: classic, consumer, share, streams' },
  { title: 'MEMBERS', key: 'members', about: 'how many; - when nobody tells', isNumber: true },
  { title: 'COORDINATOR', key: 'coordinator', about: 'broker', isNumber: true },
]

export const groupList = command({
  name: 'group list',
  about: 'list groups',
  options: {
    state: repeated('only groups in this state, such as Empty or Stable', parseText, {
      word: 'STATE',
    }),
    type: choice(['classic', 'consumer', 'share', 'streams'])('only groups of this type'),
  },
  examples: [
    ['group list', 'every group'],
    ['group list --state Empty', 'those without members'],
    ['group list --json | jq -r .groups[].group', 'names for a script'],
  ],
  columns,
  exits: { 7: 'some brokers or groups did not answer' },
  run: async (context, { state, type }) => {
    const admin = new Admin(await context.client())
    const list = await admin.listGroups()
    let exit = reportUnlisted(context, list)
    const described = await describe(admin, list.groups)
    for (const { groupId, error } of described.values()) {
      if (error === null || isNoSuchGroup(error)) continue
      context.warn(`group "${groupId}": ${failureOf(error).message}`)
      exit = worseExit(exit, unreadableExit(error))
    }
    const states = state.map((one) => one.toLowerCase())
    const rows = list.groups
      .filter((group) => !isNoSuchGroup(described.get(group.groupId)?.error ?? null))
      .map((group) => rowOf(group, described.get(group.groupId)))
      .filter((row) => states.length === 0 || states.includes((row.state ?? '').toLowerCase()))
      .filter((row) => type === undefined || row.type === type)
    return print(context, rows, exit)
  },
})

interface GroupRow {
  readonly group: string
  readonly state: string | null
  readonly type: string | null
  readonly members: number | null
  readonly coordinator: number
}

/** Members are not listed, and old brokers list neither state nor type. */
async function describe(
  admin: Admin,
  groups: readonly GroupListing[],
): Promise<Map<string, GroupDescription>> {
  const names = groups
    .filter(({ type }) => type === '' || type === 'classic' || type === 'consumer')
    .map(({ groupId }) => groupId)
  const described = await admin.describeGroups(names)
  return new Map(described.map((group) => [group.groupId, group]))
}

function rowOf(listing: GroupListing, described: GroupDescription | undefined): GroupRow {
  const isKnown = described !== undefined && described.error === null
  const state = isKnown ? described.state : listing.state
  const type = listing.type !== '' ? listing.type : isKnown ? described.type : ''
  return {
    group: listing.groupId,
    state: state === '' ? null : state,
    type: type === '' ? null : type,
    members: isKnown ? described.members.length : null,
    coordinator: listing.coordinator,
  }
}

async function print(
  context: CommandContext,
  groups: readonly GroupRow[],
  exit: ExitCode,
): Promise<ExitCode> {
  const rows = groups.map((group) => ({ ...group }))
  await context.out.snapshot({ kind: 'group-list', plural: 'groups', columns, rows })
  return exit === exitCodes.done || groups.length === 0 ? exit : exitCodes.someFailed
}
