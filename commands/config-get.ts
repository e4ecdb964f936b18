/** `config get`: the settings of a topic or broker. */

import { CommandError, command, exitCodes } from './command.ts'
import { flag } from './options.ts'
import { didYouMean } from './suggest.ts'
import {
  configColumns,
  configRow,
  describeResource,
  isOwn,
  parseResource,
  resourceExtra,
} from './topics/configs.ts'
import { withTopicHint } from './topics/missing.ts'

export const configGet = command({
  name: 'config get',
  about: 'show settings of a topic or broker',
  positionals: 'topic|broker NAME [KEY...]',
  options: { all: flag('also those that have their default') },
  examples: [
    ['config get topic orders', 'what was set for orders'],
    ['config get topic orders retention.ms', 'one setting, wherever it comes from'],
    ['config get broker 1 --all', 'everything, with defaults'],
  ],
  description: [
    'NAME of a broker is its number, or default for what all brokers share. Keys that are named are always shown.',
  ],
  columns: configColumns,
  exits: { 3: 'no such topic, broker or key' },
  run: async (context, { all, positionals }) => {
    const [type = '', name = '', ...keys] = positionals
    const resource = parseResource(type, name)
    const entries = await withTopicHint(context, resource, () =>
      describeResource(context, resource),
    )
    const known = entries.map((entry) => entry.name)
    const unknown = keys.find((key) => !known.includes(key))
    if (unknown !== undefined) {
      throw new CommandError(
        exitCodes.notFound,
        `${type} has no setting "${unknown}"${didYouMean(unknown, known)}`,
      )
    }
    const shown =
      keys.length > 0
        ? keys.flatMap((key) => entries.filter((entry) => entry.name === key))
        : entries.filter((entry) => all || isOwn(entry, resource))
    await context.out.snapshot({
      kind: 'config-get',
      plural: 'configs',
      columns: configColumns,
      rows: shown.map(configRow),
      extra: resourceExtra(resource),
    })
    return exitCodes.done
  },
})
