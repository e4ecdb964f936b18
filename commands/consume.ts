/**
 * `ottla consume TOPIC...`: records to standard output, byte exact. It follows the ends unless -e,
 * a range or -n says where to stop. The work is in records/: consume-plan.ts finds the offsets,
 * consume-run.ts writes.
 */

import { CommandError, command, exitCodes } from './command.ts'
import { consumeRecords } from './records/consume-command.ts'
import { consumeOptions, offsetSpecOf } from './records/consume-options.ts'

export const consume = command({
  name: 'consume',
  about: 'print the records of topics',
  positionals: 'TOPIC...',
  onSignal: 'finish',
  options: consumeOptions,
  examples: [
    ['consume orders', 'From the first record on, then follow.'],
    ['consume orders -o end | grep ERROR', 'Only what comes from now on.'],
    ['consume orders -e --json > backup.ndjson', 'All there is; produce --json reads it back.'],
    ['consume orders -o @-1h:end', 'The last hour.'],
    ['consume /logs-.*/ --tail 10 -e', 'The last ten over all matching topics.'],
    ["consume orders -f '%d %t[%p]@%o %k %s\\n'", 'Time, place, key and value.'],
  ],
  description: [
    'Values are written as they are, each followed by a line feed; -K puts the key before the value, -f and --json print more. On a terminal control characters are shown as \\x1b unless --raw is given. Output is flushed after each answer of a broker and cut at the end of a record.',
    'A topic may be a /pattern/, which must match the whole name. A range that has an end is read up to where it lay when the command began: records that come meanwhile are not shown, and transaction markers or compacted records are never waited for.',
    'While it follows, a lost broker is tried again every 0.25 to 5 s, with one line on standard error for each outage.',
  ],
  exits: {
    1: 'no record, with --fail-empty',
    3: 'no such topic or partition',
    4: 'a batch is damaged',
  },
  run: async (context, args) => {
    const { offset, tail = null, count } = args
    if (tail !== null && offset !== null) {
      throw new CommandError(exitCodes.usage, '--tail and -o cannot go together')
    }
    return consumeRecords(context, args, {
      spec: offsetSpecOf(args, context),
      tail,
      countMax: count ?? Number.POSITIVE_INFINITY,
    })
  },
})
