/**
 * Subscriptions by regular expression (RE2). An expression runs against the whole name of each topic,
 * in linear time whatever it is. What it stood for is stored, so that all members and a restarted
 * broker agree; it is looked at again when topics came or went.
 * Source: KIP-848; apache/kafka: .../group/modern/consumer/TopicRegexResolver.java.
 */

import type { RE2JS } from 're2js'
import { assert } from '../../base/assert.ts'
import { KafkaError } from '../../base/errors.ts'
import type { ClusterImage } from '../../metadata/image.ts'
import type { ResolvedRegex } from './consumer-group.ts'

/** null until somebody needs it: most brokers never see an expression. */
let engine: typeof RE2JS | null = null

/** To be awaited before an operation that may bring a new expression: operations do not wait. */
export async function loadRegexEngine(): Promise<void> {
  if (engine === null) engine = (await import('re2js')).RE2JS
}

export function isRegexEngineLoaded(): boolean {
  return engine !== null
}

/** Longer ones are refused: topic names have at most 249 characters. */
const regexCharsMax = 4096

/** INVALID_REGULAR_EXPRESSION. */
function compileRegex(regex: string): RE2JS {
  assert(engine !== null, 'the engine of expressions is not loaded')
  const shown = JSON.stringify(regex.slice(0, 100))
  if (regex.length > regexCharsMax) {
    throw new KafkaError(
      'INVALID_REGULAR_EXPRESSION',
      `${shown}...: got ${regex.length} characters, expected at most ${regexCharsMax}`,
    )
  }
  try {
    return engine.compile(regex)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new KafkaError('INVALID_REGULAR_EXPRESSION', `${shown} is no RE2 expression: ${reason}`)
  }
}

/** The topics that an expression stands for in an image. INVALID_REGULAR_EXPRESSION. */
export function resolveRegex(regex: string, image: ClusterImage, nowMs: number): ResolvedRegex {
  const pattern = compileRegex(regex)
  const topics = new Set<string>()
  for (const name of image.topics.keys()) if (pattern.matches(name)) topics.add(name)
  return { topics, version: image.revision, timestampMs: nowMs }
}

export function isSameTopics(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false
  for (const name of a) if (!b.has(name)) return false
  return true
}
