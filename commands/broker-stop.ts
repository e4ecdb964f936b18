/** `broker stop`: asks the broker of a data directory to stop cleanly, and waits until it has. */

import { sleep } from '../lib/io/clock.ts'
import { dataOption, dataPath, isLocked, runningBroker } from './broker/place.ts'
import { CommandError, command, exitCodes } from './command.ts'
import { duration, integer } from './options.ts'

const pollMs = 20

export const brokerStop = command({
  name: 'broker stop',
  about: 'stop the broker of a data directory',
  options: {
    data: dataOption,
    nodeId: integer({ min: 0, max: 0x7fffffff })('whose directory, when --data is not given', {
      fallback: '1',
    }),
    timeout: duration('how long to wait for it to end', { fallback: '30s' }),
  },
  examples: [['broker stop', 'The broker that broker start without --data runs.']],
  exits: {
    1: 'no broker runs there',
    4: 'the note it left is unreadable',
    5: 'it did not end in time',
  },
  isLocal: true,
  run: async (context, { data, nodeId, timeout }) => {
    const path = dataPath(context, data, nodeId)
    const note = await runningBroker(context, path)
    if (note === null || !context.processes.signal(note.pid, 'SIGTERM')) {
      throw new CommandError(exitCodes.no, `no broker runs on ${path}`)
    }
    const { clock } = context.env
    const deadlineMs = clock.monotonicMs() + timeout
    const done = context.waiting(`for the broker with pid ${note.pid}`)
    try {
      // A process that has ended stays in the table until its parent asks for its exit code: the
      // lock tells earlier.
      while (context.processes.isAlive(note.pid) && (await isLocked(context, path))) {
        if (clock.monotonicMs() >= deadlineMs) {
          throw new CommandError(
            exitCodes.unavailable,
            `the broker with pid ${note.pid} did not end within ${timeout} ms`,
            `wait longer with --timeout, or end it with: kill -9 ${note.pid}`,
          )
        }
        await sleep(clock, pollMs, context.signal)
      }
    } finally {
      done()
    }
    return exitCodes.done
  },
})
