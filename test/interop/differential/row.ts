/**
 * What the tables of cases are made of. A row is one thing asked of both brokers, in every version
 * that both serve; what it returns is compared, after what both brokers must be allowed to differ in
 * is taken out (compare.ts).
 */

import type { Api, Encodable, RequestOf, ResponseOf } from '../../../lib/protocol/schema.ts'
import type { Difference } from './compare.ts'
import type { NoAnswer, Peer } from './peer.ts'

/** A difference that is meant to be: where it may be seen, and why. */
export interface Accepted {
  readonly reason: string
  readonly is: (difference: Difference, at: { readonly version: number }) => boolean
}

/** One run of a row: a broker, a version, and a name for topics that no other run uses. */
export interface At {
  readonly peer: Peer
  readonly version: number
  /** Of this row and version, the same for both brokers. */
  readonly topic: string
  /** As `topic`, the same in all versions. */
  readonly rowTopic: string
}

export interface Row {
  readonly name: string
  readonly api: Api
  readonly versions: readonly [number, number]
  readonly run: (at: At) => Promise<unknown>
  readonly accepted: readonly Accepted[]
}

export interface RowOptions {
  /** Narrower than what both serve. */
  readonly versions?: readonly [number, number]
  readonly accepted?: readonly Accepted[]
}

/** Some rows with what they need once, before the first of them. */
export interface Section {
  readonly name: string
  readonly prepare: (peer: Peer) => Promise<void>
  readonly rows: readonly Row[]
}

type Answer<A extends Api> = ResponseOf<A> | NoAnswer

/** Makers of rows for one API. */
export function rowsOf<A extends Api>(api: A) {
  return {
    /** One request. */
    ask(
      name: string,
      body: (at: At) => Encodable<RequestOf<A>> | Promise<Encodable<RequestOf<A>>>,
      options: RowOptions = {},
    ): Row {
      const run = async (at: At) => at.peer.ask(api, at.version, await body(at))
      return steps(name, run, options)
    },
    /** Anything, with as many requests as it takes. */
    steps,
  }

  function steps(
    name: string,
    run: (
      at: At,
      ask: (body: Encodable<RequestOf<A>>, clientId?: string | null) => Promise<Answer<A>>,
    ) => Promise<unknown>,
    { versions = [0, 99], accepted = [] }: RowOptions = {},
  ): Row {
    return {
      name,
      api,
      versions,
      accepted,
      run: (at) => run(at, (body, clientId) => at.peer.ask(api, at.version, body, clientId)),
    }
  }
}

/** Accepts a difference at paths that match. */
export function accept(
  reason: string,
  path: RegExp,
  versions: readonly [number, number] = [0, 99],
) {
  const accepted: Accepted = {
    reason,
    is: (difference, { version }) =>
      path.test(difference.path) && version >= versions[0] && version <= versions[1],
  }
  return accepted
}

/** Accepted in all rows. */
export const everywhere: readonly Accepted[] = [
  {
    reason: 'ottla says why where Kafka leaves the text of an error out',
    is: ({ path, kafka, ottla }) =>
      path.endsWith('.errorMessage') && (kafka === null || kafka === '') && ottla === 'text',
  },
  {
    reason: 'Kafka 4.3 sets min.insync.replicas=1 for all brokers by itself (KIP-966)',
    is: ({ path }) => /\.min\.insync\.replicas\.(configSource|synonyms)/.test(path),
  },
]
