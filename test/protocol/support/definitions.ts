/**
 * Compares declared schemas with Kafka's own definitions (JSON), version by version. Both are
 * turned into the same lines of text, one per field that a version has, so a difference can be
 * read:
 *
 *   topics.partitions.leaderEpoch: int32 = -1
 *   topics.configs: []struct nullable tag 3 = null
 *
 * Where two folders describe a version, the first one decides. How a definition is read:
 * apache/kafka: clients/src/main/resources/common/message/README.md.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zeroUuid } from '../../../lib/base/uuid.ts'
import type { Field, Fields, Message } from '../../../lib/protocol/schema.ts'

export interface DefinedField {
  readonly name: string
  readonly type: string
  readonly versions: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly tag?: number
  readonly default?: string | number | boolean | null
  readonly ignorable?: boolean
  readonly fields?: readonly DefinedField[]
}

export interface Definition {
  readonly apiKey?: number
  readonly name: string
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly latestVersionUnstable?: boolean
  readonly fields: readonly DefinedField[]
  readonly commonStructs?: readonly { name: string; fields: readonly DefinedField[] }[]
}

/** The definitions in a folder, by name. */
export function readDefinitions(folder: string): Map<string, Definition> {
  const definitions = new Map<string, Definition>()
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const text = readFileSync(join(folder, file), 'utf8').replace(/^\s*\/\/.*$|\/\/[^"\n]*$/gm, '')
    const definition = JSON.parse(text) as Definition
    if (definition.validVersions !== 'none') definitions.set(definition.name, definition)
  }
  return definitions
}

/** What differs between a schema and its definitions, newest first; [] when they agree. */
export function differences(message: Message, definitions: readonly Definition[]): string[] {
  const served = stableVersions(definitions)
  const found: string[] = []
  const [min, max] = message.versions
  for (let version = min; version <= max; version++) {
    if (!served.has(version)) found.push(`v${version}: declared, not defined`)
  }
  for (const [version, definition] of served) {
    if (version < min || version > max) {
      found.push(`v${version}: defined, not declared`)
      continue
    }
    const declared = linesOfSchema(message, version)
    const defined = linesOfDefinition(definition, version)
    found.push(...compare(declared, defined).map((line) => `v${version}: ${line}`))
  }
  const [newest] = definitions
  if (newest !== undefined) found.push(...ignorableDifferences(message, newest))
  return found.map((line) => `${message.name} ${line}`)
}

/** Each stable version with the definition that decides about it. */
function stableVersions(definitions: readonly Definition[]): Map<number, Definition> {
  const served = new Map<number, Definition>()
  for (const definition of [...definitions].reverse()) {
    const [from, to] = rangeOf(definition.validVersions)
    const last = definition.latestVersionUnstable === true ? to - 1 : to
    for (let version = from; version <= last; version++) served.set(version, definition)
  }
  return served
}

function compare(declared: readonly string[], defined: readonly string[]): string[] {
  const missing = defined.filter((line) => !declared.includes(line))
  const extra = declared.filter((line) => !defined.includes(line))
  const found = [
    ...missing.map((line) => `expected ${line}`),
    ...extra.map((line) => `declared ${line}`),
  ]
  const at = declared.findIndex((line, i) => line !== defined[i])
  if (found.length === 0 && at >= 0) found.push(`out of order: ${declared[at]}`)
  return found
}

/** 'none', '3', '1-4' and '2+' as first and last version. */
function rangeOf(text: string | undefined): readonly [from: number, to: number] {
  if (text === undefined || text === 'none')
    return [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const [from = '', to] = text.replace('+', '').split('-')
  const last = text.endsWith('+') ? Number.POSITIVE_INFINITY : Number(to ?? from)
  return [Number(from), last]
}

function isIn(text: string | undefined, version: number): boolean {
  const [from, to] = rangeOf(text)
  return version >= from && version <= to
}

function linesOfSchema(message: Message, version: number): string[] {
  const isFlexible = message.flexible !== null && version >= message.flexible
  const lines = [`flexible: ${isFlexible}`]
  const walk = (fields: Fields, path: string): void => {
    for (const [name, field] of Object.entries(fields)) {
      if (version < field.since || version > field.until) continue
      const isNullable = version >= field.nullableSince
      const tag = version >= field.taggedSince ? field.tag : null
      lines.push(line(path + name, typeOf(field), { isNullable, tag, fallback: fallbackOf(field) }))
      const inner = field.fields ?? field.element?.fields
      if (inner) walk(inner, `${path}${name}.`)
    }
  }
  walk(message.fields, '')
  return lines
}

function linesOfDefinition(definition: Definition, version: number): string[] {
  const lines = [`flexible: ${isIn(definition.flexibleVersions, version)}`]
  const walk = (fields: readonly DefinedField[], path: string): void => {
    for (const field of fields) {
      if (!isIn(field.versions, version)) continue
      const name = path + camelCase(field.name)
      const isNullable = isIn(field.nullableVersions, version)
      const tag = isIn(field.taggedVersions, version) ? (field.tag ?? null) : null
      lines.push(
        line(name, definedType(field), { isNullable, tag, fallback: definedFallback(field) }),
      )
      walk(innerOf(definition, field), `${name}.`)
    }
  }
  walk(definition.fields, '')
  return lines
}

function line(
  name: string,
  type: string,
  rest: { isNullable: boolean; tag: number | null; fallback: string },
) {
  const tag = rest.tag === null ? '' : ` tag ${rest.tag}`
  return `${name}: ${type}${rest.isNullable ? ' nullable' : ''}${tag} = ${rest.fallback}`
}

function typeOf(field: Field<unknown>): string {
  return field.element ? `[]${field.element.kind}` : field.kind
}

function fallbackOf(field: Field<unknown>): string {
  const { kind, fallback } = field
  if (fallback === null) return 'null'
  if (kind === 'array' || kind === 'bytes' || kind === 'records' || kind === 'struct')
    return 'empty'
  return typeof fallback === 'string' ? fallback : JSON.stringify(fallback)
}

function definedType({ type }: DefinedField): string {
  return type.replace(/[A-Z]\w*$/, 'struct')
}

/** Also for fields without a default, which a null that is not a text stands for; records that may be null have null then. */
function definedFallback(field: DefinedField): string {
  const { type, default: given } = field
  if (given === 'null' || (type === 'records' && rangeOf(field.nullableVersions)[1] > 0))
    return 'null'
  if (type === 'string') return String(given ?? '')
  if (type === 'uuid') return zeroUuid
  if (type === 'bool') return String(given ?? false).toLowerCase()
  if (/^(u?int\d+|float64)$/.test(type)) return String(Number(given ?? 0))
  return 'empty'
}

function innerOf({ commonStructs = [] }: Definition, field: DefinedField): readonly DefinedField[] {
  if (field.fields !== undefined) return field.fields
  const name = field.type.replace('[]', '')
  return commonStructs.find((common) => common.name === name)?.fields ?? []
}

function camelCase(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}

/** Whether both name the same fields ignorable, of those that the newest definition knows. */
function ignorableDifferences(message: Message, definition: Definition): string[] {
  const declared = new Map<string, boolean>()
  const walk = (fields: Fields, path: string): void => {
    for (const [name, field] of Object.entries(fields)) {
      declared.set(path + name, field.ignorable)
      const inner = field.fields ?? field.element?.fields
      if (inner) walk(inner, `${path}${name}.`)
    }
  }
  walk(message.fields, '')
  const found: string[] = []
  const check = (fields: readonly DefinedField[], path: string): void => {
    for (const field of fields) {
      const name = path + camelCase(field.name)
      const { ignorable = false } = field
      if ((declared.get(name) ?? ignorable) !== ignorable)
        found.push(`${name}: ignorable is ${ignorable}`)
      check(innerOf(definition, field), `${name}.`)
    }
  }
  check(definition.fields, '')
  return found
}
