/** What a version of a message has on the wire: the ground both directions of the codec stand on. */

import { assert } from '../base/assert.ts'
import type { Field, Fields } from './schema.ts'

/** What a field is composed for. `message` is named in errors. */
export interface Context {
  readonly message: string
  readonly version: number
  readonly isFlexible: boolean
}

type Named = readonly [name: string, field: Field<unknown>]

/** The fields of a version: plain ones in order, tagged ones by ascending tag, and those it lacks. */
export function layoutOf(fields: Fields, version: number) {
  const plain: Named[] = []
  const tagged: Named[] = []
  const absent: Named[] = []
  for (const [name, field] of Object.entries(fields)) {
    if (version < field.since || version > field.until) absent.push([name, field])
    else if (field.tag !== null && version >= field.taggedSince) tagged.push([name, field])
    else plain.push([name, field])
  }
  tagged.sort(([, a], [, b]) => (a.tag ?? 0) - (b.tag ?? 0))
  return { plain, tagged, absent }
}

export function structOf(field: Field<unknown>): Fields {
  assert(field.fields !== null, `a ${field.kind} has no fields`)
  return field.fields
}

export function elementOf(field: Field<unknown>): Field<unknown> {
  assert(field.element !== null, `a ${field.kind} has no elements`)
  return field.element
}
