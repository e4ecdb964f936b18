/**
 * Composes, for one version of a message, the closure that reads it. What the version has is
 * decided here, once; the closures only read. Source: see codec.ts.
 */

import { type Context, elementOf, layoutOf, structOf } from './layout.ts'
import type { Reader } from './reader.ts'
import type { Field, Fields, Kind } from './schema.ts'

export type Read = (reader: Reader) => unknown

type TaggedReads = ReadonlyMap<number, readonly [name: string, read: Read]>

/** Reads a struct: its plain fields in order, then in flexible versions the tagged ones. */
export function structReader(fields: Fields, context: Context): Read {
  const { plain, tagged } = layoutOf(fields, context.version)
  const names = plain.map(([name]) => name)
  const reads = plain.map(([name, field]) => fieldReader(name, field, context))
  const taggedReads: TaggedReads = new Map(
    tagged.map(([name, field]) => [field.tag ?? 0, [name, taggedReader(name, field, context)]]),
  )
  const { isFlexible } = context
  // Every value begins as a copy of this one, so all versions share one object shape.
  const fallbacks: { readonly [name: string]: unknown } = Object.fromEntries(
    Object.entries(fields).map(([name, { fallback }]) => [name, fallback]),
  )
  return (reader) => {
    const value: { [name: string]: unknown } = { ...fallbacks }
    for (let i = 0; i < names.length; i++) value[names[i] as string] = (reads[i] as Read)(reader)
    if (isFlexible) readTagged(reader, taggedReads, value)
    return value
  }
}

/** Reads the tagged fields that are known into `value` and passes over the others. */
function readTagged(reader: Reader, known: TaggedReads, value: { [name: string]: unknown }): void {
  for (let missing = reader.taggedCount(); missing > 0; missing--) {
    const tag = reader.unsignedVarint()
    const size = reader.unsignedVarint()
    const entry = known.get(tag)
    if (entry === undefined) {
      reader.skip(size)
      continue
    }
    const [name, read] = entry
    const end = reader.offset + size
    value[name] = read(reader)
    if (reader.offset !== end) {
      throw reader.malformed(`tagged field ${tag} (${name}) is not of its ${size} bytes`)
    }
  }
}

function fieldReader(name: string, field: Field<unknown>, context: Context): Read {
  const { kind } = field
  if (isFixed(kind)) return fixed[kind].read
  const isNullable = context.version >= field.nullableSince
  const what = `${context.message} v${context.version}: ${name}`
  if (kind === 'struct') {
    const read = structReader(structOf(field), context)
    return isNullable ? markedReader(read, what) : read
  }
  const orNull = (reader: Reader): null => {
    if (!isNullable) throw reader.malformed(`${what} is null`)
    return null
  }
  const { isFlexible } = context
  switch (kind) {
    case 'string':
      return (reader) => {
        const size = isFlexible ? reader.compactLength() : reader.shortLength()
        return size < 0 ? orNull(reader) : reader.text(size)
      }
    case 'bytes':
      return (reader) => {
        const size = isFlexible ? reader.compactLength() : reader.length()
        return size < 0 ? orNull(reader) : reader.bytes(size)
      }
    case 'records':
      return (reader) => {
        const size = isFlexible ? reader.compactLength() : reader.length()
        return size < 0 ? orNull(reader) : reader.views(size)
      }
    case 'array': {
      const element = elementOf(field)
      const read = fieldReader(`an element of ${name}`, element, context)
      const leastBytes = leastSize(element, context)
      return (reader) => {
        const length = isFlexible
          ? reader.compactListLength(leastBytes)
          : reader.listLength(leastBytes)
        if (length < 0) return orNull(reader)
        const elements: unknown[] = []
        for (let i = 0; i < length; i++) elements.push(read(reader))
        return elements
      }
    }
  }
}

/** A tagged struct that may be null has a varint in front: 0 = null, 1 = it follows. */
function taggedReader(name: string, field: Field<unknown>, context: Context): Read {
  if (field.kind !== 'struct' || context.version < field.nullableSince) {
    return fieldReader(name, field, context)
  }
  const read = structReader(structOf(field), context)
  return (reader) => (reader.unsignedVarint() === 0 ? null : read(reader))
}

/** A struct that may be null has an int8 in front: -1 = null, 1 = it follows. */
function markedReader(read: Read, what: string): Read {
  return (reader) => {
    const mark = reader.int8()
    if (mark === -1) return null
    if (mark !== 1) throw reader.malformed(`${what}: the mark of a struct is ${mark}`, 1)
    return read(reader)
  }
}

/** The fewest bytes that a value takes, at least 1: with it the length of a list is bounded. */
function leastSize(field: Field<unknown>, context: Context): number {
  const { kind } = field
  const { isFlexible, version } = context
  if (isFixed(kind)) return fixed[kind].size
  switch (kind) {
    case 'string':
      return isFlexible ? 1 : 2
    case 'bytes':
    case 'records':
    case 'array':
      return isFlexible ? 1 : 4
    case 'struct': {
      if (version >= field.nullableSince) return 1
      let size = isFlexible ? 1 : 0
      for (const [, inner] of layoutOf(structOf(field), version).plain) {
        size += leastSize(inner, context)
      }
      return Math.max(size, 1)
    }
  }
}

function isFixed(kind: Kind): kind is keyof typeof fixed {
  return kind in fixed
}

/** The kinds of one size, in bytes. */
const fixed = {
  bool: { size: 1, read: (reader) => reader.bool() },
  int8: { size: 1, read: (reader) => reader.int8() },
  int16: { size: 2, read: (reader) => reader.int16() },
  uint16: { size: 2, read: (reader) => reader.uint16() },
  int32: { size: 4, read: (reader) => reader.int32() },
  uint32: { size: 4, read: (reader) => reader.uint32() },
  int64: { size: 8, read: (reader) => reader.int64() },
  float64: { size: 8, read: (reader) => reader.float64() },
  uuid: { size: 16, read: (reader) => reader.uuid() },
} as const satisfies { readonly [kind: string]: { size: number; read: Read } }
