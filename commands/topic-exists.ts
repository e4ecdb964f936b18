/** `topic exists`: an exit code, and nothing else. */

import { command, exitCodes } from './command.ts'

export const topicExists = command({
  name: 'topic exists',
  about: 'exit 0 when the topic exists, 1 when not',
  positionals: 'TOPIC',
  options: {},
  examples: [['topic exists orders || ottla topic create orders', 'create it once']],
  description: ['Prints nothing. A cluster that cannot be asked is 5, never 1.'],
  exits: { 0: 'it exists', 1: 'no such topic' },
  run: async (context, { positionals }) => {
    const client = await context.client()
    const { topics } = await client.metadata({ topics: positionals })
    const error = topics[0]?.error ?? null
    if (error === null && topics.length > 0) return exitCodes.done
    const isAbsent =
      error === null ||
      error.name === 'UNKNOWN_TOPIC_OR_PARTITION' ||
      error.name === 'INVALID_TOPIC_EXCEPTION'
    if (!isAbsent) throw error
    return exitCodes.no
  },
})
