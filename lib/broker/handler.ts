/**
 * What a handler is: one API, the versions of it that are served, and the function that answers.
 * ApiVersions is derived from the list of these (handlers/index.ts), so nothing can be advertised
 * that is not served.
 */

import { KafkaError } from '../base/errors.ts'
import type { Env } from '../io/env.ts'
import type { Api, Encodable, RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { Session } from '../wire/server-connection.ts'
import type { BrokerContext } from './context.ts'

/** What a handler may know about the request besides its body. */
export interface RequestContext {
  readonly session: Session
  readonly apiVersion: number
  readonly clientId: string | null
  /** Called once when the reply's bytes are no longer needed. */
  afterSent(fn: () => void): void
}

/** null: the request gets no reply. */
export type Answer<A extends Api> = Encodable<ResponseOf<A>> | null

export interface Handler {
  readonly api: Api
  readonly served: readonly [min: number, max: number]
  /** Whether requests may be in work together on one connection. */
  readonly overlaps: boolean
  /** `request` is what decoding `api` yields; the result is what encoding it takes. */
  readonly run: (broker: BrokerContext, request: unknown, context: RequestContext) => unknown
}

/**
 * Pairs an API with its handler. A thrown KafkaError, or any other error, becomes the top-level
 * errorCode of the response if it has one, else the connection closes (dispatch.ts).
 */
export function handle<A extends Api>(
  api: A,
  run: (
    broker: BrokerContext,
    request: RequestOf<A>,
    context: RequestContext,
  ) => Promise<Answer<A>> | Answer<A>,
  { served = api.versions, overlaps = false }: Partial<Pick<Handler, 'served' | 'overlaps'>> = {},
): Handler {
  // The registry holds handlers of all APIs; dispatch decodes with the same `api` that types `run`.
  return { api, served, overlaps, run: run as Handler['run'] }
}

/** The KafkaError of anything thrown; others than KafkaErrors are rethrown: they are no answer. */
export function kafkaErrorOf(thrown: unknown): KafkaError {
  if (thrown instanceof KafkaError) return thrown
  throw thrown
}

/**
 * Runs `fn` for each element; a KafkaError thrown by it becomes `onError`'s result for that element,
 * so one bad partition does not spoil the others.
 */
export async function eachPartition<T, R, E>(
  elements: Iterable<T> | AsyncIterable<T>,
  fn: (element: T) => Promise<R> | R,
  onError: (element: T, error: KafkaError) => E,
): Promise<(R | E)[]> {
  const results: (R | E)[] = []
  for await (const element of elements) {
    try {
      results.push(await fn(element))
    } catch (error) {
      results.push(onError(element, kafkaErrorOf(error)))
    }
  }
  return results
}

const sliceSize = 100

/** The elements, with a turn for other connections now and then: a list may be as long as a frame lets it. */
export async function* inSlices<T>(elements: Iterable<T>, { clock }: Env): AsyncGenerator<T> {
  let count = 0
  for (const element of elements) {
    if (++count % sliceSize === 0) await new Promise<void>((resolve) => clock.endOfTurn(resolve))
    yield element
  }
}
