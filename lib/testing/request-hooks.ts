/**
 * Hooks between the wire and the handlers: each may delay a request, lose it or its answer, or
 * answer in the broker's place. Requests are counted by API whether anybody hooks them or not.
 */

import { type ErrorName, errorCode } from '../base/errors.ts'
import { ConnectionError, type Interceptor } from '../broker/dispatch.ts'
import type { Clock } from '../io/clock.ts'
import { apiNames } from '../protocol/apis/index.ts'
import { errorAnswer } from './error-answers.ts'

export interface HookedRequest {
  /** As Kafka names it: Produce, Fetch, JoinGroup, ... */
  readonly api: string
  readonly version: number
  readonly clientId: string | null
  /** Decoded; the fields are those of Kafka's message, in camelCase. */
  readonly body: unknown
  /** How many requests of this API there have been, this one included. */
  readonly count: number
}

/** What becomes of a request; nothing or {}: what would become of it anyway. */
export interface HookAction {
  /** Waits so long before anything else. */
  readonly delayMs?: number
  /** Answers with this error, in each place the answer has for one, and does nothing. */
  readonly error?: ErrorName
  /** Answers with this body; missing fields have their default. */
  readonly answer?: object
  /**
   * `request`: the connection closes before the request is looked at. `answer`: it is carried out,
   * then the connection closes. `silence`: it is never answered, and the connection stays.
   */
  readonly lose?: 'request' | 'answer' | 'silence'
}

/** Says what becomes of a request, or only looks at it. */
export type RequestHook = (request: HookedRequest) => HookAction | void | Promise<HookAction | void>

export interface HookOptions {
  /** After so many requests the hook is gone. */
  readonly times?: number
}

interface Hook {
  readonly api: string
  readonly run: RequestHook
  left: number
}

export class RequestHooks {
  readonly #clock: Clock
  readonly #counts = new Map<string, number>()
  readonly #hooks: Hook[] = []
  /** Ends the waits of requests that are never answered. */
  readonly #silent = new Set<() => void>()
  #isClosed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Adds a hook behind those that are there; the first that has something to say decides. */
  add(
    api: string,
    run: RequestHook,
    { times = Number.POSITIVE_INFINITY }: HookOptions,
  ): () => void {
    if (![...apiNames.values()].includes(api)) {
      throw new Error(`there is no API "${api}"; they are ${[...apiNames.values()].join(', ')}`)
    }
    const hook: Hook = { api, run, left: times }
    this.#hooks.push(hook)
    return () => this.#remove(hook)
  }

  count(api: string): number {
    return this.#counts.get(api) ?? 0
  }

  /** Closes the connections whose requests wait for ever, and those that would. */
  close(): void {
    this.#isClosed = true
    for (const end of [...this.#silent]) end()
  }

  readonly intercept: Interceptor = (call, run) => {
    const { name } = call.api
    const count = this.count(name) + 1
    this.#counts.set(name, count)
    const hooks = this.#hooks.filter((hook) => hook.api === name && hook.left > 0)
    if (hooks.length === 0) return run()
    for (const hook of hooks) hook.left--
    const request = {
      api: name,
      version: call.apiVersion,
      clientId: call.clientId,
      body: call.request,
      count,
    }
    return this.#decide(hooks, request).then((action) => this.#act(action, { call, run }))
  }

  async #decide(hooks: readonly Hook[], request: HookedRequest): Promise<HookAction> {
    for (const hook of hooks) {
      const action = await hook.run(request)
      if (hook.left <= 0) this.#remove(hook)
      if (action) return action
    }
    return {}
  }

  async #act(
    { delayMs, error, answer, lose }: HookAction,
    { call, run }: { call: Parameters<Interceptor>[0]; run: () => unknown },
  ): Promise<unknown> {
    if (delayMs !== undefined) {
      await new Promise<void>((resolve) => this.#clock.timer(delayMs, resolve))
    }
    if (lose === 'request') throw new ConnectionError('lost by a hook')
    if (lose === 'silence') {
      if (!this.#isClosed) await new Promise<void>((resolve) => this.#silent.add(resolve))
      throw new ConnectionError('never answered')
    }
    if (answer !== undefined) return answer
    if (error !== undefined)
      return errorAnswer(call.api, call.request, errorCode(error), call.apiVersion)
    const done = await run()
    if (lose === 'answer') throw new ConnectionError('answer lost by a hook')
    return done
  }

  #remove(hook: Hook): void {
    const index = this.#hooks.indexOf(hook)
    if (index >= 0) this.#hooks.splice(index, 1)
  }
}
