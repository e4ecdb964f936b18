/**
 * Values for messages, made from their schema: what a version can carry, with a taste for the edges.
 * Names are few, so that requests meet the same topics and groups again.
 */

import { randomUuid, zeroUuid } from '../../lib/base/uuid.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'
import type { Field, Fields } from '../../lib/protocol/schema.ts'

const texts = [
  '',
  'a',
  'a',
  'b',
  'g',
  'm',
  'consumer',
  'range',
  '.',
  'a/b',
  '\u{1f511}',
  '__consumer_offsets',
]
const int32s = [-1, 0, 0, 1, 1, 2, 3, 100, 300, 65_536, 0x7fffffff, -0x8000_0000]
const int64s = [-1, 0, 0, 1, 2, 5, -2, -5, 2 ** 53 - 1, 2 ** 63, -(2 ** 63)]
const blobs = ['', '00', 'ffffffff', '00000000000100016100000000', '0003000000010001617fffffff']
const depthMax = 6

export interface ValueOptions {
  readonly random: Random
  readonly version: number
  /** Instead of random bytes. */
  readonly records?: (() => Uint8Array) | undefined
  /** Ids that mean something to the receiver. */
  readonly uuids?: readonly string[]
}

/** A value of each field that the version has; some are left to their fallback. */
export function structValue(fields: Fields, options: ValueOptions, depth = 0): object {
  const value: { [name: string]: unknown } = {}
  for (const [name, field] of Object.entries(fields)) {
    const isThere = options.version >= field.since && options.version <= field.until
    if (isThere && randomBelow(options.random, 16) > 0) {
      value[name] = fieldValue(field, options, depth)
    }
  }
  return value
}

function fieldValue(field: Field<unknown>, options: ValueOptions, depth: number): unknown {
  const { random, version } = options
  const below = (bound: number) => randomBelow(random, bound)
  const of = <T>(list: readonly T[]): T => list[below(list.length)] as T
  if (version >= field.nullableSince && below(10) === 0) return null
  switch (field.kind) {
    case 'bool':
      return below(2) === 0
    case 'int8':
      return of([0, 0, 1, 2, -1, 127, -128])
    case 'int16':
      return of([0, 1, 2, -1, 3, 32_767, -32_768])
    case 'uint16':
      return of([0, 1, 9092, 65_535])
    case 'int32':
      return of(int32s)
    case 'uint32':
      return of([0, 1, 0xffffffff])
    case 'int64':
      return of(int64s)
    case 'float64':
      return of([0, -1.5, Number.NaN, Number.POSITIVE_INFINITY])
    case 'string':
      return below(200) === 0 ? 'long '.repeat(below(2000)) : of(texts)
    case 'uuid':
      return of([zeroUuid, ...(options.uuids ?? []), randomUuid((count) => random.bytes(count))])
    case 'bytes':
      return below(4) === 0 ? random.bytes(below(64)) : Buffer.from(of(blobs), 'hex')
    case 'records':
      return [options.records?.() ?? random.bytes(below(100))]
    case 'array': {
      const { element } = field
      if (element === null || depth > depthMax) return []
      const length = of([0, 1, 1, 1, 2, 3])
      return Array.from({ length }, () => fieldValue(element, options, depth + 1))
    }
    case 'struct':
      return structValue(field.fields ?? {}, options, depth + 1)
  }
}
