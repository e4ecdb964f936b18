/**
 * Composes, for one version of a message, the closure that writes it. What the version has is
 * decided here, once; the closures only write. Missing fields are written as their fallback.
 * Source: see codec.ts.
 */

import type { Chunks } from '../base/bytes.ts'
import { KafkaError } from '../base/errors.ts'
import { type Context, elementOf, layoutOf, structOf } from './layout.ts'
import type { Field, Fields, Kind } from './schema.ts'
import type { Writer } from './writer.ts'

export type Write = (writer: Writer, value: unknown) => void

type Struct = { readonly [name: string]: unknown }

/** Writes a struct: its plain fields in order, then in flexible versions the tagged ones. */
export function structWriter(fields: Fields, context: Context): Write {
  const { plain, tagged, absent } = layoutOf(fields, context.version)
  const names = plain.map(([name]) => name)
  const writes = plain.map(([name, field]) => fieldWriter(name, field, context))
  const fallbacks = plain.map(([, field]) => field.fallback)
  const taggedWrites = tagged.map(([name, field]) => ({
    name,
    field,
    tag: field.tag ?? 0,
    write: taggedWriter(name, field, context),
  }))
  const lost = absent.filter(([, field]) => !field.ignorable)
  const { isFlexible } = context
  return (writer, value) => {
    const struct = value as Struct
    for (let i = 0; i < names.length; i++) {
      const given = struct[names[i] as string]
      const write = writes[i] as Write
      write(writer, given === undefined ? fallbacks[i] : given)
    }
    for (const [name, field] of lost) {
      if (saysMore(struct[name], field)) refuse(context, `cannot carry ${name} =`, struct[name])
    }
    if (isFlexible) writeTagged(writer, struct, taggedWrites)
  }
}

interface TaggedWrite {
  readonly name: string
  readonly field: Field<unknown>
  readonly tag: number
  readonly write: Write
}

/** Only tagged fields that differ from their fallback are written. */
function writeTagged(writer: Writer, struct: Struct, tagged: readonly TaggedWrite[]): void {
  let count = 0
  for (const { name, field } of tagged) if (saysMore(struct[name], field)) count++
  writer.unsignedVarint(count)
  if (count === 0) return
  for (const { name, field, tag, write } of tagged) {
    const value = struct[name]
    if (!saysMore(value, field)) continue
    writer.unsignedVarint(tag)
    writer.sized(write, value)
  }
}

function refuse({ message, version }: Context, what: string, value: unknown): never {
  const text = `${message} v${version} ${what} ${JSON.stringify(value)}`
  throw new KafkaError('UNSUPPORTED_VERSION', text)
}

/** Whether `value` says something that the field's absence does not. */
function saysMore(value: unknown, field: Field<unknown>): boolean {
  const { kind, fallback } = field
  if (value === undefined || value === fallback) return false
  if (value === null || fallback === null) return true
  if (kind === 'array' || kind === 'bytes' || kind === 'records') {
    return (value as ArrayLike<unknown>).length > 0
  }
  if (kind !== 'struct') return true
  return Object.entries(structOf(field)).some(([name, inner]) =>
    saysMore((value as Struct)[name], inner),
  )
}

function fieldWriter(name: string, field: Field<unknown>, context: Context): Write {
  const { kind } = field
  if (isFixed(kind)) return fixed[kind]
  if (kind === 'struct') return nullableStructWriter(name, field, context)
  const writeNull = nullWriter(name, field, context)
  const { isFlexible } = context
  switch (kind) {
    case 'string':
      return (writer, value) => {
        if (value === null) writeNull(writer)
        else if (isFlexible) writer.compactText(value as string)
        else writer.text(value as string)
      }
    case 'bytes':
      return (writer, value) => {
        if (value === null) return writeNull(writer)
        const bytes = value as Uint8Array
        writeLength(writer, bytes.length, isFlexible)
        writer.bytes(bytes)
      }
    case 'records':
      return (writer, value) => {
        if (value === null) return writeNull(writer)
        const chunks = value as Chunks
        let size = 0
        for (const chunk of chunks) size += chunk.length
        writeLength(writer, size, isFlexible)
        writer.views(chunks)
      }
    case 'array': {
      const write = fieldWriter(`an element of ${name}`, elementOf(field), context)
      return (writer, value) => {
        if (value === null) return writeNull(writer)
        const elements = value as readonly unknown[]
        writeLength(writer, elements.length, isFlexible)
        for (let i = 0; i < elements.length; i++) write(writer, elements[i])
      }
    }
  }
}

function writeLength(writer: Writer, length: number, isFlexible: boolean): void {
  if (isFlexible) writer.unsignedVarint(length + 1)
  else writer.int32(length)
}

/** A tagged struct that may be null has a varint in front: 0 = null, 1 = it follows. */
function taggedWriter(name: string, field: Field<unknown>, context: Context): Write {
  if (field.kind !== 'struct' || context.version < field.nullableSince) {
    return fieldWriter(name, field, context)
  }
  const write = structWriter(structOf(field), context)
  return (writer, value) => {
    writer.unsignedVarint(value === null ? 0 : 1)
    if (value !== null) write(writer, value)
  }
}

/** A struct that may be null has an int8 in front: -1 = null, 1 = it follows. */
function nullableStructWriter(name: string, field: Field<unknown>, context: Context): Write {
  const write = structWriter(structOf(field), context)
  const isNullable = context.version >= field.nullableSince
  return (writer, value) => {
    if (isNullable) writer.int8(value === null ? -1 : 1)
    else if (value === null) refuse(context, `cannot carry ${name} =`, null)
    if (value !== null) write(writer, value)
  }
}

/** Writes the length that stands for null, or refuses it where the version has none. */
function nullWriter(
  name: string,
  field: Field<unknown>,
  context: Context,
): (writer: Writer) => void {
  if (context.version < field.nullableSince) {
    return () => refuse(context, `cannot carry ${name} =`, null)
  }
  if (context.isFlexible) return (writer) => writer.unsignedVarint(0)
  if (field.kind === 'string') return (writer) => writer.int16(-1)
  return (writer) => writer.int32(-1)
}

function isFixed(kind: Kind): kind is keyof typeof fixed {
  return kind in fixed
}

/** The kinds of one size. */
const fixed = {
  bool: (writer, value) => writer.bool(value as boolean),
  int8: (writer, value) => writer.int8(value as number),
  int16: (writer, value) => writer.int16(value as number),
  uint16: (writer, value) => writer.uint16(value as number),
  int32: (writer, value) => writer.int32(value as number),
  uint32: (writer, value) => writer.uint32(value as number),
  int64: (writer, value) => writer.int64(value as number),
  float64: (writer, value) => writer.float64(value as number),
  uuid: (writer, value) => writer.uuid(value as string),
} as const satisfies { readonly [kind: string]: Write }
