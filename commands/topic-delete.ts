/** `topic delete`: topics with all their records, after asking. */

import { Admin } from '../lib/client/admin.ts'
import { type CommandContext, command, exitCodes } from './command.ts'
import { flag } from './options.ts'
import { confirmNames, notExecuted } from './topics/confirm.ts'
import { findTopics, noSuchTopic } from './topics/find.ts'
import { failed, type ItemOutcome, reportItems, succeeded } from './topics/items.ts'

const columns = [
  { title: 'TOPIC', key: 'topic', about: 'name' },
  {
    title: 'STATUS',
    key: 'status',
    about: 'deleted, absent, planned (without --yes), or the name of the error',
  },
]

export const topicDelete = command({
  name: 'topic delete',
  about: 'delete topics and their records',
  positionals: 'TOPIC...',
  options: {
    ifExists: flag('a topic that does not exist is no failure'),
    yes: flag('do it without asking'),
    regex: flag('TOPIC is a regular expression, also without slashes', { letter: 'r' }),
  },
  examples: [
    ['topic delete orders', 'asks for the name to be typed'],
    ['topic delete orders --yes', 'in a script'],
    ['topic delete /test-.*/ --yes', 'those whose whole name matches'],
  ],
  description: [
    'Without --yes it asks on a terminal for each name to be typed; elsewhere it prints what it would delete and ends with 2.',
  ],
  columns,
  exits: { 2: 'usage, or not confirmed', 3: 'no such topic', 7: 'some failed' },
  run: async (context, { ifExists, yes, regex, positionals }) => {
    const client = await context.client()
    const { brokers } = context.globals
    const { topics, missing, known } = await findTopics(client, positionals, { isRegex: regex })
    const names = topics.map(({ name }) => name)
    const absent = missing.map((name): ItemOutcome => {
      if (ifExists) return succeeded(name, 'absent')
      return failed(name, noSuchTopic(name, brokers, known))
    })
    if (!yes && names.length > 0 && !(await confirmNames(context, 'delete', names))) {
      await print(context, [...names.map((name) => succeeded(name, 'planned')), ...absent])
      throw notExecuted('--yes')
    }
    const results = names.length === 0 ? [] : await new Admin(client).deleteTopics(names)
    const outcomes = [
      ...results.map(({ name, error }) =>
        error === null ? succeeded(name, 'deleted') : failed(name, error),
      ),
      ...absent,
    ]
    await print(context, outcomes)
    return outcomes.length === 0 ? exitCodes.done : reportItems(context, 'topic', outcomes)
  },
})

function print(context: CommandContext, outcomes: readonly ItemOutcome[]): Promise<void> {
  return context.out.snapshot({
    kind: 'topic-delete',
    plural: 'topics',
    columns,
    rows: outcomes.map(({ name, status }) => ({ topic: name, status })),
  })
}
