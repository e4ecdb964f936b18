/**
 * What a JSON Schema may be before anything is compiled from it, and how its work is bounded.
 *
 * Whoever may change a topic's settings writes schemas, and whoever may produce writes the values:
 * neither may stop the broker. A few kilobytes of `$ref` can ask for 2^1000 evaluations, and
 * `uniqueItems` is quadratic. So every subschema gets one more keyword, `ottla:steps`, which is run
 * first and takes from a meter what that subschema costs: its own size, and the size of the value
 * where a keyword goes over all of it. When the meter is empty the record is refused.
 *
 * Invariant: nothing that can be evaluated lacks the keyword. Hence references lead to places that
 * are known to hold a subschema, inside the same schema, and nowhere else.
 */

import { SettingError } from '../base/setting.ts'
import { schemaFormats } from './schema-formats.ts'

/** Of one schema, as UTF-8. */
export const schemaBytesMax = 64 * 1024
/** Objects and lists inside each other. */
const schemaDepthMax = 64
/** Subschemas of one schema: compiling takes some tenths of a millisecond for each. */
const subschemasMax = 1000
/** The keyword: [steps, times the size of the value]. */
export const stepsKeyword = 'ottla:steps'

export type JsonObject = { readonly [name: string]: Json }
export type Json = null | boolean | number | string | readonly Json[] | JsonObject

/** Keywords that hold a subschema, a list of them, or subschemas by name. */
const holdsOne = new Set([
  ...[
    'additionalItems',
    'additionalProperties',
    'contains',
    'contentSchema',
    'else',
    'if',
    'items',
  ],
  ...['not', 'propertyNames', 'then', 'unevaluatedItems', 'unevaluatedProperties'],
])
const holdsList = new Set(['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems'])
const holdsMap = new Set([
  ...[
    '$defs',
    'definitions',
    'dependencies',
    'dependentSchemas',
    'patternProperties',
    'properties',
  ],
])
/** Keywords whose value is data: what looks like a schema in there is none. */
const holdsData = new Set(['const', 'default', 'enum', 'examples'])
/** Keywords that go over the whole value. */
const goesOver = new Set([
  ...['additionalItems', 'additionalProperties', 'contains', 'items', 'maxLength', 'maxProperties'],
  ...['minLength', 'minProperties', 'patternProperties', 'propertyNames', 'unevaluatedItems'],
  ...['unevaluatedProperties', 'uniqueItems'],
])
/** Each failure under these is kept until the others were tried: memory, beside the time. */
const keepsFailures = new Set(['anyOf', 'contains', 'oneOf'])
const keptFailureSteps = 20

/** The schema in a text. SettingError: too large, no JSON, no schema, too deep. */
export function parseSchema(text: string): JsonObject | boolean {
  const sizeBytes = Buffer.byteLength(text)
  if (sizeBytes > schemaBytesMax) {
    throw new SettingError(`a schema of ${sizeBytes} bytes, at most ${schemaBytesMax} are possible`)
  }
  let schema: Json
  try {
    schema = JSON.parse(text) as Json
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SettingError(`expected a JSON Schema, got what is not JSON: ${reason}`)
  }
  if (typeof schema !== 'boolean' && !isObject(schema)) {
    const got = Array.isArray(schema) ? 'a list' : schema === null ? 'null' : `a ${typeof schema}`
    throw new SettingError(`expected a JSON Schema, which is an object, true or false; got ${got}`)
  }
  checkDepth(schema, 1)
  return schema
}

function checkDepth(value: Json, depth: number): void {
  if (value === null || typeof value !== 'object') return
  if (depth > schemaDepthMax) {
    throw new SettingError(`a schema deeper than ${schemaDepthMax} objects and lists`)
  }
  for (const inner of Object.values(value)) checkDepth(inner, depth + 1)
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The schema with its steps counted; `onPattern` is told of each pattern in it. SettingError for a
 * reference that leads out of it, or to where no subschema is, an unknown format, a second `$id`,
 * and `$async`.
 */
export function withSteps(
  schema: JsonObject,
  onPattern: (pattern: string, where: string) => void,
): JsonObject {
  const walk = new Walk(JSON.stringify(schema).includes('"unevaluated'), onPattern)
  const counted = walk.schema(schema, '')
  walk.checkReferences()
  return counted
}

class Walk {
  /** Where a subschema with steps is, and `#anchor` for those that have a name. */
  readonly #places = new Set<string>()
  readonly #references: { readonly to: string; readonly at: string }[] = []
  readonly #keepsTrack: boolean
  #count = 0
  readonly #onPattern: (pattern: string, where: string) => void

  /** `keepsTrack`: what was evaluated is remembered everywhere, for `unevaluated...`. */
  constructor(keepsTrack: boolean, onPattern: (pattern: string, where: string) => void) {
    this.#keepsTrack = keepsTrack
    this.#onPattern = onPattern
  }

  schema(schema: JsonObject, at: string, extraSteps = 0): JsonObject {
    this.#places.add(at)
    this.#count++
    if (this.#count > subschemasMax) {
      throw new SettingError(`more than ${subschemasMax} subschemas`)
    }
    this.#checkOwn(schema, at)
    let steps = 1 + extraSteps
    let times = this.#keepsTrack ? 1 : 0
    const counted = Object.entries(schema).map(([keyword, value]): [string, Json] => {
      steps += 1 + ownSize(keyword, value)
      if (goesOver.has(keyword)) times++
      if (keyword === 'const' || keyword === 'enum') times += objectCount(value)
      return [keyword, this.#inner(keyword, value, `${at}/${escapePointer(keyword)}`)]
    })
    return Object.fromEntries([...counted, [stepsKeyword, [steps, times]]])
  }

  #inner(keyword: string, value: Json, at: string): Json {
    if (holdsData.has(keyword)) return value
    const extraSteps = keepsFailures.has(keyword) ? keptFailureSteps : 0
    if (holdsOne.has(keyword) && !Array.isArray(value)) return this.#any(value, at, extraSteps)
    if (holdsMap.has(keyword) && isObject(value)) {
      const map = Object.entries(value).map(([name, one]): [string, Json] => [
        name,
        this.#any(one, `${at}/${escapePointer(name)}`, 0),
      ])
      return Object.fromEntries(map)
    }
    if (!holdsList.has(keyword) || !Array.isArray(value)) return value
    return value.map((one: Json, index) => this.#any(one, `${at}/${index}`, extraSteps))
  }

  /** A subschema: true and false cost nothing, and can be referred to as well. */
  #any(value: Json, at: string, extraSteps: number): Json {
    if (isObject(value)) return this.schema(value, at, extraSteps)
    if (typeof value === 'boolean') this.#places.add(at)
    return value
  }

  #checkOwn(schema: JsonObject, at: string): void {
    if (schema[stepsKeyword] !== undefined) throw new SettingError(`${place(at)}: ${stepsKeyword}`)
    if (schema['$async'] !== undefined)
      throw new SettingError(`${place(at)}: $async is not possible`)
    if (at !== '' && (schema['$id'] !== undefined || schema['id'] !== undefined)) {
      throw new SettingError(`${place(at)}: an $id is possible at the top only`)
    }
    this.#checkTexts(schema, at)
    for (const keyword of ['$anchor', '$dynamicAnchor']) {
      const name = schema[keyword]
      if (typeof name === 'string') this.#places.add(`#${name}`)
    }
    for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef']) {
      const to = schema[keyword]
      if (typeof to === 'string') this.#references.push({ to, at: `${at}/${keyword}` })
    }
  }

  #checkTexts({ format, pattern, patternProperties }: JsonObject, at: string): void {
    if (typeof format === 'string' && !schemaFormats.has(format)) {
      const known = [...schemaFormats.keys()].join(', ')
      const shown = JSON.stringify(format.slice(0, 100))
      throw new SettingError(`${place(at)}: unknown format ${shown}; known: ${known}`)
    }
    if (typeof pattern === 'string') this.#onPattern(pattern, place(`${at}/pattern`))
    if (!isObject(patternProperties)) return
    for (const each of Object.keys(patternProperties)) {
      this.#onPattern(each, place(`${at}/patternProperties`))
    }
  }

  checkReferences(): void {
    for (const { to, at } of this.#references) {
      const shown = JSON.stringify(to.slice(0, 100))
      if (!to.startsWith('#')) {
        throw new SettingError(`${place(at)}: ${shown} leads out of the schema, expected #...`)
      }
      if (!this.#places.has(placeOf(to))) {
        throw new SettingError(`${place(at)}: ${shown} leads to no subschema`)
      }
    }
  }
}

/** `/properties/price`, or where there is no name for it, the schema itself. */
function place(at: string): string {
  return at === '' ? 'the schema' : `at ${at.slice(0, 200)}`
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** The place that a reference names, as the walk writes it. */
function placeOf(reference: string): string {
  const fragment = reference.slice(1)
  if (fragment !== '' && !fragment.startsWith('/')) return reference
  try {
    return decodeURIComponent(fragment)
  } catch {
    return 'no place'
  }
}

/** How many values a keyword has itself; subschemas count when they are run. */
function ownSize(keyword: string, value: Json): number {
  if (holdsMap.has(keyword) && isObject(value)) {
    const sizes = Object.values(value).map((one) => (Array.isArray(one) ? one.length : 1))
    return sizes.reduce((sum: number, size: number) => sum + size, 0)
  }
  if (holdsOne.has(keyword) || holdsList.has(keyword))
    return Array.isArray(value) ? value.length : 1
  return nodeCount(value)
}

function nodeCount(value: Json): number {
  if (value === null || typeof value !== 'object') return 1
  return Object.values(value).reduce((count: number, inner: Json) => count + nodeCount(inner), 1)
}

function objectCount(value: Json): number {
  if (value === null || typeof value !== 'object') return 0
  return Object.values(value).reduce((count: number, inner: Json) => count + objectCount(inner), 1)
}
