/**
 * How the records of a coordinator are declared: a kind is a schema of keys and one of values.
 * Source: apache/kafka: coordinator-common/.../runtime/CoordinatorRecordSerde.java.
 */

import { type Fields, type Message, type MessageOf, message } from '../schema.ts'

export interface RecordKind<
  N extends string = string,
  K extends Fields = Fields,
  V extends Fields = Fields,
> {
  /** What a key begins with. */
  readonly id: number
  readonly name: N
  readonly key: Message<K>
  readonly value: Message<V>
  /** The version in which values are written. */
  readonly written: number
}

export type KeyOf<R> = R extends { readonly key: infer M } ? MessageOf<M> : never
export type ValueOf<R> = R extends { readonly value: infer M } ? MessageOf<M> : never

/** Keys have one version, which is never flexible. */
export function recordKind<
  const N extends string,
  const K extends Fields,
  const V extends Fields,
>(declared: {
  id: number
  name: N
  key: K
  value: V
  versions: readonly [min: number, max: number]
  flexible: number | null
  /** Default: the newest version. */
  written?: number
}): RecordKind<N, K, V> {
  const { id, name, versions, flexible, written = versions[1] } = declared
  return {
    id,
    name,
    key: message({ name: `${name}Key`, versions: [0, 0], flexible: null, fields: declared.key }),
    value: message({ name: `${name}Value`, versions, flexible, fields: declared.value }),
    written,
  }
}
