/**
 * Which broker coordinates a group: found with FindCoordinator, many groups in one request where the
 * broker can, kept until a broker denies it or its connection is lost, then found anew.
 *
 * Invariants: every call ends within its deadline; what concerns one group is an outcome of that
 * group alone; COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE and NOT_COORDINATOR reach
 * the caller only when the time is over. Sources: KIP-98 (kinds of keys), KIP-699 (many keys).
 */

import { errorMessage, KafkaError } from '../base/errors.ts'
import type { BrokerId } from '../base/types.ts'
import { addressText } from '../io/network.ts'
import { FindCoordinator } from '../protocol/apis/find-coordinator.ts'
import type { Connection } from '../wire/connection.ts'
import { ConnectionError } from '../wire/connection-error.ts'
import { backoffMs, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import type { Lane } from './connection-pool.ts'
import { asUnavailable, UnavailableError } from './errors.ts'
import type { Outcome } from './per-leader.ts'

/** Asks one coordinator about some of its groups; a KafkaError in place of an answer, by group. */
export type AskCoordinator<R> = (
  connection: Connection,
  groups: readonly string[],
  timeoutMs: number,
) => Promise<ReadonlyMap<string, R | KafkaError>>

export interface AskCoordinatorsOptions<R> {
  readonly ask: AskCoordinator<R>
  readonly timeoutMs?: number
  /** false: never asked a second time when the first may have taken effect (default true). */
  readonly isRepeatable?: boolean
}

/** Groups in one request. */
const groupsPerRequest = 100

/** COORDINATOR_NOT_AVAILABLE and NOT_COORDINATOR: somebody else coordinates, or nobody yet. */
function isMoved({ code }: KafkaError): boolean {
  return code === 15 || code === 16
}

/** What is left of the time; what is begun is given a moment, since a late reply costs the connection. */
function remainingMs(client: Client, deadlineMs: number): number {
  return Math.max(deadlineMs - client.env.clock.monotonicMs(), 250)
}

export class Coordinators {
  readonly #client: Client
  readonly #nodes = new Map<string, BrokerId>()

  constructor(client: Client) {
    this.#client = client
  }

  /** The broker that coordinates the group is not the one we know: it is found anew. */
  forget(group: string): void {
    this.#nodes.delete(group)
  }

  /**
   * A connection to the group's coordinator. Rejects with KafkaError or UnavailableError when there
   * is none in time; one that is lost later is the caller's to notice, who then calls `forget`.
   */
  async connectionFor(
    group: string,
    { lane = 'main', timeoutMs = this.#client.timeoutMs }: { lane?: Lane; timeoutMs?: number } = {},
  ): Promise<Connection> {
    const client = this.#client
    const deadlineMs = client.deadline(timeoutMs)
    for (let attempt = 1; ; attempt++) {
      try {
        const node = await this.nodeOf(group, remainingMs(client, deadlineMs))
        return await client.connectionTo(node, lane, remainingMs(client, deadlineMs))
      } catch (error) {
        this.forget(group)
        const pauseMs = backoffMs(client.env.random, retryBackoff, attempt)
        const isOver = client.env.clock.monotonicMs() + pauseMs >= deadlineMs
        if (isOver || client.isClosed || !(error instanceof ConnectionError)) {
          throw asUnavailable(error)
        }
        await client.pause(pauseMs)
      }
    }
  }

  /** The group's coordinator. Rejects with KafkaError or UnavailableError. */
  async nodeOf(group: string, timeoutMs = this.#client.timeoutMs): Promise<BrokerId> {
    const [outcome] = await this.nodesOf([group], timeoutMs)
    if (outcome === undefined) throw new KafkaError('COORDINATOR_NOT_AVAILABLE')
    if (outcome.error !== null) throw outcome.error
    return outcome.answer
  }

  /** The coordinators of many groups, in their order. Rejects only when the client is closed. */
  async nodesOf(
    groups: readonly string[],
    timeoutMs = this.#client.timeoutMs,
  ): Promise<Outcome<BrokerId>[]> {
    const client = this.#client
    const deadlineMs = client.deadline(timeoutMs)
    const failures = new Map<string, KafkaError | UnavailableError>()
    for (let round = 1; ; round++) {
      const open = groups.filter(
        (group) => !this.#nodes.has(group) && !isFinal(failures.get(group)),
      )
      if (open.length === 0) break
      for (const group of open) failures.delete(group)
      await this.#find(open, { deadlineMs, failures })
      const isWaiting = open.some((group) => failures.has(group) && !isFinal(failures.get(group)))
      if (!isWaiting) break
      const pauseMs = backoffMs(client.env.random, retryBackoff, round)
      if (client.env.clock.monotonicMs() + pauseMs >= deadlineMs) break
      await client.pause(pauseMs)
    }
    return groups.map((group) => {
      const node = this.#nodes.get(group)
      if (node !== undefined) return { answer: node, error: null }
      const error = failures.get(group) ?? new KafkaError('COORDINATOR_NOT_AVAILABLE')
      return { answer: null, error }
    })
  }

  /**
   * Asks something about many groups, 100 at a time, and another round where the coordinator moved
   * or was not ready. Outcomes in the order of `groups`. Rejects only when the client is closed.
   */
  async ask<R>(
    groups: readonly string[],
    { ask, timeoutMs = this.#client.timeoutMs, isRepeatable = true }: AskCoordinatorsOptions<R>,
  ): Promise<Outcome<R>[]> {
    const client = this.#client
    const deadlineMs = client.deadline(timeoutMs)
    const outcomes = new Map<string, Outcome<R>>()
    let open: readonly string[] = [...new Set(groups)]
    for (let round = 1; open.length > 0; round++) {
      const batches = await this.#batches(open, { deadlineMs, outcomes })
      await Promise.all(
        batches.map(async ({ node, group: asked }) => {
          const answers = await askOne(client, node, { asked, ask, deadlineMs, isRepeatable })
          for (const group of asked) outcomes.set(group, outcomeOf(answers, group))
        }),
      )
      // Those without a coordinator were waited for already.
      open = batches
        .flatMap(({ group: asked }) => asked)
        .filter((group) => this.#isWorthRepeating(group, outcomes.get(group), isRepeatable))
      const pauseMs = backoffMs(client.env.random, retryBackoff, round)
      if (open.length === 0 || client.env.clock.monotonicMs() + pauseMs >= deadlineMs) break
      await client.pause(pauseMs)
    }
    const late = new KafkaError('REQUEST_TIMED_OUT')
    return groups.map((group) => outcomes.get(group) ?? { answer: null, error: late })
  }

  /** Which groups to ask of whom; those without a coordinator get their outcome at once. */
  async #batches<R>(
    groups: readonly string[],
    { deadlineMs, outcomes }: { deadlineMs: number; outcomes: Map<string, Outcome<R>> },
  ): Promise<{ node: BrokerId; group: string[] }[]> {
    const nodes = await this.nodesOf(groups, remainingMs(this.#client, deadlineMs))
    const byNode = new Map<BrokerId, { node: BrokerId; group: string[] }[]>()
    for (const [index, group] of groups.entries()) {
      const found = nodes[index]
      if (found === undefined || found.error !== null) {
        if (found !== undefined) outcomes.set(group, found)
        continue
      }
      const batches = byNode.get(found.answer) ?? []
      byNode.set(found.answer, batches)
      const last = batches.at(-1)
      if (last !== undefined && last.group.length < groupsPerRequest) last.group.push(group)
      else batches.push({ node: found.answer, group: [group] })
    }
    return [...byNode.values()].flat()
  }

  /** Also forgets a coordinator that is none, or is gone. */
  #isWorthRepeating(
    group: string,
    outcome: Outcome<unknown> | undefined,
    isRepeatable: boolean,
  ): boolean {
    const error = outcome?.error ?? null
    if (error === null) return false
    if (error instanceof KafkaError) {
      if (isMoved(error)) this.forget(group)
      // COORDINATOR_LOAD_IN_PROGRESS: it has not begun either.
      return isRepeatable ? error.isRetriable : isMoved(error) || error.code === 14
    }
    this.forget(group)
    const { cause } = error
    if (!(cause instanceof ConnectionError)) return false
    return isRepeatable || !cause.wasSent
  }

  /** One round of questions; what is found is kept, what is not stands in `failures`. */
  async #find(
    groups: readonly string[],
    {
      deadlineMs,
      failures,
    }: { deadlineMs: number; failures: Map<string, KafkaError | UnavailableError> },
  ): Promise<void> {
    try {
      for (const answer of await this.#request(groups, deadlineMs)) {
        if (answer.errorCode === 0 && answer.nodeId >= 0) this.#nodes.set(answer.key, answer.nodeId)
        else failures.set(answer.key, findError(answer))
      }
      const unknown = [...this.#nodes.values()].some(
        (node) => this.#client.cache.broker(node) === undefined,
      )
      if (unknown) {
        await this.#client.metadata({
          topics: [],
          timeoutMs: remainingMs(this.#client, deadlineMs),
        })
      }
    } catch (error) {
      const expected = asUnavailable(error)
      if (!(expected instanceof KafkaError) && !(expected instanceof UnavailableError)) throw error
      for (const group of groups) failures.set(group, expected)
    }
  }

  async #request(groups: readonly string[], deadlineMs: number): Promise<Coordinator[]> {
    const client = this.#client
    const answers: Coordinator[] = []
    let at = 0
    while (at < groups.length) {
      let asked: readonly string[] = []
      const response = await client.request(
        FindCoordinator,
        (connection) => {
          // Before version 4 one key a request.
          const isBatched = connection.versionOf(FindCoordinator) >= 4
          asked = groups.slice(at, at + (isBatched ? groupsPerRequest : 1))
          return isBatched ? { coordinatorKeys: [...asked] } : { key: asked[0] ?? '' }
        },
        { timeoutMs: remainingMs(client, deadlineMs) },
      )
      at += asked.length
      const [key = ''] = asked
      answers.push(
        ...(response.coordinators.length > 0 ? response.coordinators : [{ ...response, key }]),
      )
    }
    return answers
  }
}

interface Coordinator {
  readonly key: string
  readonly nodeId: BrokerId
  readonly errorCode: number
  readonly errorMessage: string | null
}

function findError({ errorCode: code, errorMessage: text }: Coordinator): KafkaError {
  if (code === 0) return new KafkaError('COORDINATOR_NOT_AVAILABLE')
  return new KafkaError(code, text === null || text === '' ? errorMessage(code) : text)
}

/** Whether asking again would change nothing. */
function isFinal(error: KafkaError | UnavailableError | undefined): boolean {
  // The client has tried every address already when it says that none can be reached.
  return error !== undefined && !(error instanceof KafkaError && error.isRetriable)
}

async function askOne<R>(
  client: Client,
  node: BrokerId,
  {
    asked,
    ask,
    deadlineMs,
    isRepeatable,
  }: {
    asked: readonly string[]
    ask: AskCoordinator<R>
    deadlineMs: number
    isRepeatable: boolean
  },
): Promise<ReadonlyMap<string, R | KafkaError> | KafkaError | UnavailableError> {
  try {
    const connection = await client.connectionTo(node, 'main', remainingMs(client, deadlineMs))
    return await ask(connection, asked, remainingMs(client, deadlineMs))
  } catch (error) {
    if (error instanceof ConnectionError && error.wasSent && !isRepeatable) {
      const reason = `${error.reason}; whether it took effect is not known`
      const text = `lost ${addressText(error.address)}: ${reason}`
      return new UnavailableError(text, { reason, cause: error })
    }
    const expected = asUnavailable(error)
    if (expected instanceof KafkaError || expected instanceof UnavailableError) return expected
    throw error
  }
}

function outcomeOf<R>(
  answers: ReadonlyMap<string, R | KafkaError> | KafkaError | UnavailableError,
  group: string,
): Outcome<R> {
  if (answers instanceof Error) return { answer: null, error: answers }
  const answer = answers.get(group)
  if (answer === undefined) {
    const error = new KafkaError('UNKNOWN_SERVER_ERROR', `no answer for group "${group}"`)
    return { answer: null, error }
  }
  return answer instanceof KafkaError ? { answer: null, error: answer } : { answer, error: null }
}
