/**
 * From a frame to a handler and back: header, version, body, handler, response bytes.
 *
 * - Unknown key, unserved version, malformed bytes: the connection closes, since no reply would be
 *   parsable. Except ApiVersions in a version beyond ours, which is answered in v0 with
 *   UNSUPPORTED_VERSION and our range of it, so that the client can step down (KIP-511).
 * - An error that a handler did not expect becomes the response's top-level errorCode if it has
 *   one, otherwise closes the connection; it is logged with its stack, and the broker goes on.
 * - An AssertionError is our own mistake: `onFatal` gets it, and the process is to end.
 */

import { AssertionError } from '../base/assert.ts'
import type { Chunks } from '../base/bytes.ts'
import { DecodeError, errorCode, KafkaError } from '../base/errors.ts'
import { addressText } from '../io/network.ts'
import { ApiVersions } from '../protocol/apis/api-versions.ts'
import { apiByKey, apiNames } from '../protocol/apis/index.ts'
import { decodeRequest, decodeRequestHeader, encodeResponse } from '../protocol/codec.ts'
import type { Api } from '../protocol/schema.ts'
import type { Reply, RequestHandler, Session } from '../wire/server-connection.ts'
import type { BrokerContext } from './context.ts'
import type { Handler, RequestContext } from './handler.ts'

/** What stands between dispatch and the handlers of a test cluster. */
export type Interceptor = (
  call: {
    readonly api: Api
    readonly apiVersion: number
    readonly clientId: string | null
    /** As decoding `api` yields it. */
    readonly request: object
  },
  /** The handler's answer. */
  run: () => unknown,
) => unknown

/** A request on its way, with what its reply needs. */
interface Call {
  readonly handler: Handler
  readonly apiVersion: number
  readonly correlationId: number
  readonly session: Session
  readonly whenSent: (() => void)[]
}

export class Dispatcher implements RequestHandler {
  readonly #broker: BrokerContext
  readonly #handlers: readonly (Handler | undefined)[]
  readonly #onFatal: (error: Error) => void
  readonly #intercept: Interceptor | null

  constructor(
    broker: BrokerContext,
    handlers: readonly Handler[],
    {
      onFatal,
      intercept = null,
    }: { onFatal: (error: Error) => void; intercept?: Interceptor | null },
  ) {
    this.#broker = broker
    const byKey: (Handler | undefined)[] = []
    for (const handler of handlers) byKey[handler.api.key] = handler
    this.#handlers = byKey
    this.#onFatal = onFatal
    this.#intercept = intercept
  }

  overlaps(frame: Chunks): boolean {
    return this.#handlers[apiKeyOf(frame)]?.overlaps ?? false
  }

  handle(frame: Chunks, session: Session): Reply | null | Promise<Reply | null> {
    const { apiKey, apiVersion, correlationId, clientId, reader } = decodeRequestHeader(
      frame,
      apiByKey,
    )
    const handler = this.#handlers[apiKey]
    const isServed =
      handler !== undefined && apiVersion >= handler.served[0] && apiVersion <= handler.served[1]
    if (!isServed) {
      if (handler?.api === ApiVersions) return versionsAnswer(handler, correlationId)
      const name = apiNames.get(apiKey) ?? `API key ${apiKey}`
      throw new DecodeError(`${name} v${apiVersion} is not served`)
    }
    const request = decodeRequest(handler.api, apiVersion, reader)
    const whenSent: (() => void)[] = []
    const call = { handler, apiVersion, correlationId, session, whenSent }
    const context: RequestContext = {
      session,
      apiVersion,
      clientId,
      afterSent: (fn) => void whenSent.push(fn),
    }
    let answer: unknown
    try {
      const run = () => handler.run(this.#broker, request, context)
      answer =
        this.#intercept === null
          ? run()
          : this.#intercept({ api: handler.api, apiVersion, clientId, request }, run)
    } catch (error) {
      return this.#onError(call, error)
    }
    if (!(answer instanceof Promise)) return this.#reply(call, answer)
    return answer.then(
      (body) => this.#reply(call, body),
      (error) => this.#onError(call, error),
    )
  }

  #reply(call: Call, body: unknown): Reply | null {
    const { handler, apiVersion, correlationId, whenSent } = call
    const afterSent = () => {
      for (const fn of whenSent.splice(0)) fn()
    }
    if (body === null) {
      afterSent()
      return null
    }
    try {
      // `handle` typed the answer by the same schema that encodes it here.
      const chunks = encodeResponse(handler.api, apiVersion, correlationId, body as object)
      return whenSent.length > 0 ? { chunks, afterSent } : { chunks }
    } catch (error) {
      afterSent()
      throw this.#unexpected(call, error)
    }
  }

  #onError(call: Call, error: unknown): Reply | null {
    for (const fn of call.whenSent.splice(0)) fn()
    if (error instanceof ConnectionError) throw error
    if (!(error instanceof KafkaError)) this.#unexpected(call, error)
    const { api } = call.handler
    if (!('errorCode' in api.response.fields)) throw error
    const code = error instanceof KafkaError ? error.code : errorCode('UNKNOWN_SERVER_ERROR')
    const hasMessage = error instanceof KafkaError && 'errorMessage' in api.response.fields
    return this.#reply(call, {
      errorCode: code,
      ...(hasMessage && { errorMessage: error.message }),
    })
  }

  /** Logs it; an assertion also ends the process. Returns it as an Error. */
  #unexpected({ handler, apiVersion, session }: Call, thrown: unknown): Error {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    this.#broker.env.log.error('request failed', {
      api: handler.api.name,
      version: apiVersion,
      client: addressText(session.remote),
      error: error.stack ?? error.message,
    })
    if (error instanceof AssertionError) this.#onFatal(error)
    return error
  }
}

/** Thrown by a handler to close the connection without a reply. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}

/** Body v0 whatever was asked: error 35, and the range that would work. */
function versionsAnswer({ served }: Handler, correlationId: number): Reply {
  const [minVersion, maxVersion] = served
  const body = {
    errorCode: errorCode('UNSUPPORTED_VERSION'),
    apiKeys: [{ apiKey: ApiVersions.key, minVersion, maxVersion }],
  }
  return { chunks: encodeResponse(ApiVersions, 0, correlationId, body) }
}

/** The first two bytes; -1 when they are not there. */
function apiKeyOf(frame: Chunks): number {
  const bytes: number[] = []
  for (const chunk of frame) {
    for (let index = 0; index < chunk.length && bytes.length < 2; index++) {
      bytes.push(chunk[index] ?? 0)
    }
    if (bytes.length === 2) break
  }
  const [high, low] = bytes
  return high === undefined || low === undefined ? -1 : (high << 8) | low
}
