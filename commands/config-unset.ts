/** `config unset`: gives settings of a topic or broker back to their defaults. */

import { command } from './command.ts'
import { flag } from './options.ts'
import { changeConfigs } from './topics/config-change.ts'
import { configColumns, parseResource } from './topics/configs.ts'

export const configUnset = command({
  name: 'config unset',
  about: 'give settings back to their defaults',
  positionals: 'topic|broker NAME KEY...',
  options: { dryRun: flag('let the broker check it, change nothing') },
  examples: [['config unset topic orders retention.ms', "back to the broker's value"]],
  description: ['Prints the settings as they are afterwards. One that was not set is no error.'],
  columns: configColumns,
  exits: { 3: 'no such topic or broker' },
  run: async (context, { dryRun, positionals }) => {
    const [type = '', name = '', ...keys] = positionals
    const resource = parseResource(type, name)
    const changes = [...new Set(keys)].map((key) => ({ key, operation: 'delete' as const }))
    return changeConfigs(context, 'config-unset', { resource, changes, isDryRun: dryRun })
  },
})
