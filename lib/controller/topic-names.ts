/** Which names a topic can have. Source: apache/kafka: .../common/internals/Topic.java. */

import { KafkaError } from '../base/errors.ts'
import type { ClusterImage } from '../metadata/image.ts'

const nameMax = 249

const internalTopics: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])

/** Whether clients may not write to it: it holds the state of a coordinator. */
export function isInternalTopic(name: string): boolean {
  return internalTopics.has(name)
}

/** Throws INVALID_TOPIC_EXCEPTION. */
export function checkTopicName(name: string): void {
  const problem =
    name === ''
      ? 'it is empty'
      : name === '.' || name === '..'
        ? 'it is a name of a directory'
        : name.length > nameMax
          ? `it has ${name.length} characters, at most ${nameMax} are possible`
          : /^[a-zA-Z0-9._-]+$/.test(name)
            ? null
            : "only letters, digits, '.', '_' and '-' are possible"
  if (problem === null) return
  const shown = JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name)
  throw new KafkaError('INVALID_TOPIC_EXCEPTION', `topic name ${shown}: ${problem}`)
}

/** Names that would share a metric or, with `ignoresCase`, a directory with `name`. */
export function collisionKey(name: string, ignoresCase: boolean): string {
  const unified = name.replaceAll('.', '_')
  return ignoresCase ? unified.toLowerCase() : unified
}

/** A topic that `name` collides with; undefined when there is none. Not the topic of that very name. */
export function collidingTopic(
  names: Iterable<string>,
  name: string,
  ignoresCase: boolean,
): string | undefined {
  const hasRivals = ignoresCase || name.includes('.') || name.includes('_')
  if (!hasRivals) return undefined
  const wanted = collisionKey(name, ignoresCase)
  for (const other of names) {
    if (other !== name && collisionKey(other, ignoresCase) === wanted) return other
  }
  return undefined
}

/** Checks that a topic of this name can be made. Throws INVALID_REQUEST, INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS. */
export function checkNewTopicName(
  name: string,
  image: ClusterImage,
  options: { ignoresCase: boolean; pending: ReadonlySet<string> },
): void {
  if (name === '__cluster_metadata') {
    throw new KafkaError('INVALID_REQUEST', `${name} is a name that Kafka keeps for itself`)
  }
  checkTopicName(name)
  if (image.topics.has(name) || options.pending.has(name)) {
    throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic '${name}' already exists`)
  }
  const rival =
    collidingTopic(image.topics.keys(), name, options.ignoresCase) ??
    collidingTopic(options.pending, name, options.ignoresCase)
  if (rival !== undefined) {
    throw new KafkaError(
      'INVALID_TOPIC_EXCEPTION',
      `topic '${name}' collides with the existing topic '${rival}'`,
    )
  }
}
