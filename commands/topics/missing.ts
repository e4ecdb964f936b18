/** The suggestion that goes with "no such topic", for requests that name one topic. */

import type { ConfigResource } from '../../lib/client/admin-configs.ts'
import type { CommandContext } from '../command.ts'
import { noSuchTopic } from './find.ts'

/** Runs `ask`; a topic that is not there becomes the error that names it and the nearest one. */
export async function withTopicHint<T>(
  context: CommandContext,
  resource: ConfigResource,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    const isMissing =
      error instanceof Error &&
      error.name === 'UNKNOWN_TOPIC_OR_PARTITION' &&
      resource.type === 'topic'
    if (!isMissing) throw error
    const { topics } = await (await context.client()).metadata()
    const known = topics.map(({ name }) => name)
    throw noSuchTopic(resource.name, context.globals.brokers, known)
  }
}
