/** `config set`: changes settings of a topic or broker; the others stay as they are. */

import { command } from './command.ts'
import { flag, parsePair } from './options.ts'
import { changeConfigs } from './topics/config-change.ts'
import { configColumns, parseAssignments, parseResource } from './topics/configs.ts'

export const configSet = command({
  name: 'config set',
  about: 'change settings of a topic or broker',
  positionals: 'topic|broker NAME KEY=VALUE...',
  options: { dryRun: flag('let the broker check it, change nothing') },
  examples: [
    ['config set topic orders retention.ms=3600000', 'keep an hour'],
    ['config set broker default message.max.bytes=2097152', 'for all brokers'],
  ],
  description: ['Prints the settings as they are afterwards. Settings not named are not touched.'],
  columns: configColumns,
  exits: { 3: 'no such topic or broker', 6: 'not allowed, or no such setting or value' },
  run: async (context, { dryRun, positionals }) => {
    const [type = '', name = '', ...texts] = positionals
    const resource = parseResource(type, name)
    const changes = parseAssignments(texts, parsePair).map(([key, value]) => ({
      key,
      operation: 'set' as const,
      value,
    }))
    return changeConfigs(context, 'config-set', { resource, changes, isDryRun: dryRun })
  },
})
