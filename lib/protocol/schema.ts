/**
 * The language in which every message of the protocol is declared: one value per API, from which
 * the TypeScript types, the encoder and the decoder of every version follow (codec.ts).
 *
 * A field stands on the wire in the versions `since` to `until` of its message. Fields are written
 * in the order of their declaration; those with a `tag` go into the tagged section at the end of
 * their struct. Decoding yields every field in every version: one that the version lacks reads as
 * its `fallback`, so a message has one object shape. Encoding refuses a value other than the
 * fallback for a field that the version lacks, unless the field is `ignorable`.
 * Source: apache/kafka: clients/src/main/resources/common/message/README.md.
 */

import { assert } from '../base/assert.ts'
import type { Chunks } from '../base/bytes.ts'
import { zeroUuid } from '../base/uuid.ts'

export type Kind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'float64'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records'
  | 'array'
  | 'struct'

export interface FieldOptions<T> {
  /** First version that has the field (default 0). */
  readonly since?: number
  /** Last version that has the field (default: all later ones). */
  readonly until?: number
  /** Number of the tag, for a field of the tagged section. */
  readonly tag?: number
  /** First version in which it is tagged (default: `since`). */
  readonly taggedSince?: number
  /** First version in which null is legal (default: never). */
  readonly nullableSince?: number
  /** Value where the field is absent; default 0, false, '', [], the zero uuid, null for nullable records. */
  readonly fallback?: T
  /** Whether a value that the version cannot carry may be dropped silently. */
  readonly ignorable?: boolean
}

/** One field of a struct; `T` is its type in TypeScript. */
export interface Field<T> {
  readonly kind: Kind
  readonly since: number
  readonly until: number
  readonly tag: number | null
  readonly taggedSince: number
  readonly nullableSince: number
  readonly fallback: T
  readonly ignorable: boolean
  /** Of arrays: what they hold. */
  readonly element: Field<unknown> | null
  /** Of structs: their fields in order. */
  readonly fields: Fields | null
}

export type Fields = { readonly [name: string]: Field<unknown> }

/** A message body, or anything else with versions: a header, a record of an internal topic. */
export interface Message<F extends Fields = Fields> {
  readonly name: string
  /** First and last version, both included. */
  readonly versions: readonly [min: number, max: number]
  /** First version with compact lengths and tagged fields; null = none. */
  readonly flexible: number | null
  readonly fields: F
}

export interface Api<Q extends Fields = Fields, R extends Fields = Fields> {
  readonly key: number
  readonly name: string
  readonly versions: readonly [min: number, max: number]
  readonly flexible: number | null
  readonly request: Message<Q>
  readonly response: Message<R>
}

type ValueOf<F> = F extends Field<infer T> ? T : never
type StructOf<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> }

/** What decoding a message yields: every field, whatever the version. */
export type MessageOf<M> = M extends Message<infer F> ? StructOf<F> : never
export type RequestOf<A> = A extends { readonly request: infer M } ? MessageOf<M> : never
export type ResponseOf<A> = A extends { readonly response: infer M } ? MessageOf<M> : never

/** What encoding takes: any field may be missing, at any depth, and is then its fallback. */
export type Encodable<T> = T extends Uint8Array | Chunks | null
  ? T
  : T extends readonly (infer E)[]
    ? readonly Encodable<E>[]
    : T extends object
      ? { readonly [K in keyof T]?: Encodable<T[K]> | undefined }
      : T

/** Java's Long.MAX_VALUE, as near as a number comes: it is 2^63 - 1 on the wire, both ways. */
export const int64Max = 2 ** 63

/** A message body with versions of its own. */
export function message<const F extends Fields>(declared: {
  name: string
  versions: readonly [min: number, max: number]
  flexible: number | null
  fields: F
}): Message<F> {
  return declared
}

/** An API: a request, its response, and the versions both have in common. */
export function api<const Q extends Fields, const R extends Fields>(declared: {
  key: number
  name: string
  versions: readonly [min: number, max: number]
  flexible: number | null
  request: Q
  response: R
}): Api<Q, R> {
  const { key, name, versions, flexible } = declared
  return {
    key,
    name,
    versions,
    flexible,
    request: { name: `${name}Request`, versions, flexible, fields: declared.request },
    response: { name: `${name}Response`, versions, flexible, fields: declared.response },
  }
}

type OrNull<T, O> = O extends { readonly nullableSince: number } ? T | null : T

export const bool = maker<boolean>('bool', false)
export const int8 = maker<number>('int8', 0)
export const int16 = maker<number>('int16', 0)
export const uint16 = maker<number>('uint16', 0)
export const int32 = maker<number>('int32', 0)
export const uint32 = maker<number>('uint32', 0)
/** A number: exact within 2^53 either way, and Java's smallest and largest long; anything else is refused. */
export const int64 = maker<number>('int64', 0)
export const float64 = maker<number>('float64', 0)
export const string = maker<string>('string', '')
/** 22 characters of base64url (base/uuid.ts). */
export const uuid = maker<string>('uuid', zeroUuid)
export const bytes = maker<Uint8Array>('bytes', new Uint8Array(0))
/** Record batches as views over the chunks they came in; written without a copy. */
export const records = maker<Chunks>('records', Object.freeze([]))

/** A list of `element`. */
export function array<T, const O extends FieldOptions<readonly T[] | null>>(
  element: Field<T>,
  options?: O,
): Field<OrNull<readonly T[], O>> {
  const made = field('array', options, Object.freeze([]) as unknown, { element })
  return made as Field<OrNull<readonly T[], O>>
}

/** Fields within a field. */
export function struct<const F extends Fields, const O extends FieldOptions<null>>(
  fields: F,
  options?: O,
): Field<OrNull<StructOf<F>, O>> {
  const fallbacks = Object.entries(fields).map(([name, { fallback }]) => [name, fallback])
  const made = field('struct', options, Object.freeze(Object.fromEntries(fallbacks)), { fields })
  return made as Field<OrNull<StructOf<F>, O>>
}

function maker<T>(kind: Kind, zero: T) {
  return <const O extends FieldOptions<T | null>>(options?: O): Field<OrNull<T, O>> => {
    const isNullableRecords = kind === 'records' && options?.nullableSince !== undefined
    return field(kind, options, isNullableRecords ? null : zero, {}) as Field<OrNull<T, O>>
  }
}

function field<T>(
  kind: Kind,
  options: FieldOptions<T | null> = {},
  zero: T | null,
  inner: { element?: Field<unknown>; fields?: Fields },
): Field<T | null> {
  const { since = 0, until = Number.POSITIVE_INFINITY, tag = null, ignorable = false } = options
  const { taggedSince = since, nullableSince = Number.POSITIVE_INFINITY } = options
  const fallback = options.fallback === undefined ? zero : options.fallback
  assert(since <= until, `field since ${since} until ${until}`)
  assert(
    fallback !== null || nullableSince < Number.POSITIVE_INFINITY,
    'null fallback, not nullable',
  )
  const { element = null, fields = null } = inner
  return {
    kind,
    since,
    until,
    tag,
    taggedSince,
    nullableSince,
    fallback,
    ignorable,
    element,
    fields,
  }
}
