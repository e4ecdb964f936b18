/**
 * `ottla consume TOPIC...`: records to standard output, byte exact. It follows the ends unless -e,
 * a range or -n says where to stop. The work is in records/: consume-plan.ts finds the offsets,
 * consume-run.ts writes, consume-group.ts is for members of a group (-g).
 */

import { CommandError, command, exitCodes } from './command.ts'
import { consumeRecords } from './records/consume-command.ts'
import { consumeInGroup } from './records/consume-group.ts'
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
    ['consume -g billing orders', 'Together with the other members of the group billing.'],
    ["consume orders -f '%d %t[%p]@%o %k %s\\n'", 'Time, place, key and value.'],
  ],
  description: [
    'Values are written as they are, each followed by a line feed; -K puts the key before the value, -f and --json print more. On a terminal control characters are shown as \\x1b unless --raw is given. Output is flushed after each answer of a broker and cut at the end of a record.',
    'A topic may be a /pattern/, which must match the whole name. A range that has an end is read up to where it lay when the command began: records that come meanwhile are not shown, and transaction markers or compacted records are never waited for.',
    'With -g it is a member of a consumer group: the group decides which partitions it reads, from where the group has committed. -o says where to begin where nothing is committed, as auto.offset.reset does. Committed is only what standard output has taken: with --commit auto every 5 s, before partitions go to another member, and at the end; with exit once at the end unless it failed; with no never. -e ends at the ends that its partitions had when it was given them, --idle counts from when it was given any. On SIGINT, SIGTERM and at every other end it leaves the group, unless -X group.instance.id makes it a static member. -X group.protocol=consumer and partition.assignment.strategy choose how partitions are shared out.',
    'While it follows, a lost broker is tried again every 0.25 to 5 s, with one line on standard error for each outage.',
  ],
  exits: {
    1: 'no record, with --fail-empty',
    3: 'no such topic or partition',
    4: 'a batch is damaged',
  },
  run: async (context, args) => {
    const { offset, tail = null, count, group, commit } = args
    if (group !== undefined) {
      return consumeInGroup(context, args, { groupId: group, spec: offsetSpecOf(args, context) })
    }
    if (commit !== undefined) throw new CommandError(exitCodes.usage, '--commit needs -g GROUP')
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
