/** `group delete`: groups without members, with what they have committed, after asking. */

import { Admin } from '../lib/client/admin.ts'
import { type CommandContext, CommandError, command, exitCodes } from './command.ts'
import { findGroups, isNoSuchGroup, noSuchGroup } from './groups/find.ts'
import { flag } from './options.ts'
import { confirmNames, notExecuted } from './topics/confirm.ts'
import { failed, type ItemOutcome, reportItems, succeeded } from './topics/items.ts'

const columns = [
  { title: 'GROUP', key: 'group', about: 'name' },
  {
    title: 'STATUS',
    key: 'status',
    about: 'deleted, planned (without --yes), or the name of the error',
  },
]

export const groupDelete = command({
  name: 'group delete',
  about: 'delete groups and their offsets',
  positionals: 'GROUP...',
  options: { yes: flag('do it without asking') },
  examples: [
    ['group delete billing', 'asks for the name to be typed'],
    ['group delete billing --yes', 'in a script'],
    ['group delete /test-.*/ --yes', 'those whose whole name matches'],
  ],
  description: [
    'Only a group without members can be deleted. Without --yes it asks on a terminal for each name to be typed; elsewhere it prints what it would delete and ends with 2.',
  ],
  columns,
  exits: {
    2: 'usage, or not confirmed',
    3: 'no such group',
    6: 'it has members, or not allowed',
    7: 'some failed',
  },
  run: async (context, { yes, positionals }) => {
    const admin = new Admin(await context.client())
    const { names, required, exit } = await findGroups(context, admin, positionals)
    const described = await admin.describeGroups([...required])
    const outcomes = new Map<string, ItemOutcome>()
    for (const { groupId, error } of described) {
      if (error === null) continue
      // Nobody answers: nothing can be planned, let alone done.
      if (!isNoSuchGroup(error)) throw error
      outcomes.set(groupId, failed(groupId, await noSuchGroup(admin, groupId)))
    }
    const wanted = names.filter((name) => !outcomes.has(name))
    if (!yes && wanted.length > 0 && !(await confirmNames(context, 'delete', wanted))) {
      const planned = names.map((name) => outcomes.get(name) ?? succeeded(name, 'planned'))
      await print(context, planned)
      throw notExecuted('--yes')
    }
    const results = wanted.length === 0 ? [] : await admin.deleteGroups(wanted)
    for (const { groupId, error } of results) {
      const outcome = error === null ? succeeded(groupId, 'deleted') : failed(groupId, said(error))
      outcomes.set(groupId, outcome)
    }
    const all = names.flatMap((name) => outcomes.get(name) ?? [])
    await print(context, all)
    const worst = all.length === 0 ? exitCodes.done : reportItems(context, 'group', all)
    return worst === exitCodes.done ? exit : worst
  },
})

function said(error: Error): Error {
  if (error.name !== 'NON_EMPTY_GROUP') return error
  const details = { name: error.name }
  return new CommandError(exitCodes.refused, 'it has members; stop them first', '', { details })
}

function print(context: CommandContext, outcomes: readonly ItemOutcome[]): Promise<void> {
  return context.out.snapshot({
    kind: 'group-delete',
    plural: 'groups',
    columns,
    rows: outcomes.map(({ name, status }) => ({ group: name, status })),
  })
}
