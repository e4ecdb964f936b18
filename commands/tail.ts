/** `ottla tail TOPIC...`: the last records over all partitions by time, then whatever comes. */

import { command } from './command.ts'
import { consumeRecords } from './records/consume-command.ts'
import { tailOptions } from './records/consume-options.ts'
import { parseOffsetSpec } from './records/offset-spec.ts'

export const tail = command({
  name: 'tail',
  about: 'print the last records of topics, then follow',
  positionals: 'TOPIC...',
  onSignal: 'finish',
  options: tailOptions,
  examples: [
    ['tail logs', 'The last ten, then whatever comes.'],
    ['tail logs -n 0 | grep ERROR', 'Only what comes.'],
    ['tail logs -n 3 -e', 'The last three, and no more.'],
  ],
  description: [
    'The same as consume --tail 10: the last records over all partitions, in the order of their timestamps, then what comes, until it is interrupted.',
  ],
  exits: { 1: 'no record, with --fail-empty', 3: 'no such topic or partition' },
  run: (context, args) =>
    consumeRecords(context, args, {
      spec: parseOffsetSpec([]),
      tail: args.count,
      countMax: Number.POSITIVE_INFINITY,
    }),
})
