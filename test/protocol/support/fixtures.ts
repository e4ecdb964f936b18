/**
 * The fixtures of fixtures/wire, made by Kafka's own classes (test/fixtures-java): bodies of every
 * message in every version, with the values that Kafka reads from them.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Chunks } from '../../../lib/base/bytes.ts'
import { apis } from '../../../lib/protocol/apis/index.ts'
import { metadataRecords } from '../../../lib/protocol/metadata/records.ts'
import type { Field, Fields, Message } from '../../../lib/protocol/schema.ts'

export const wireFolder = join(process.cwd(), 'fixtures/wire')

export interface Fixture {
  /** Path below fixtures/wire. */
  readonly file: string
  /** File and variant, for the messages of tests. */
  readonly name: string
  readonly message: Message
  readonly version: number
  readonly bytes: Buffer
  /** As in JSON: bytes as hex. Fields that came with later versions of Kafka may be missing. */
  readonly value: unknown
}

export function kebab(name: string): string {
  return name.replace(/(?<!^)(?=[A-Z])/g, '-').toLowerCase()
}

/** The variants in one file. */
export function fixturesIn(file: string, message: Message, version: number): Fixture[] {
  const path = join(wireFolder, file)
  if (!existsSync(path)) throw new Error(`${file} is missing: run npm run fixtures`)
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  const fixtures: Fixture[] = []
  for (let i = 0; i < lines.length; i += 3) {
    const [variant = '', hex = '', json = ''] = lines.slice(i, i + 3)
    const bytes = Buffer.from(hex, 'hex')
    const name = `${file} ${variant}`
    fixtures.push({ file, name, message, version, bytes, value: JSON.parse(json) })
  }
  return fixtures
}

export interface Group {
  readonly name: string
  readonly fixtures: Fixture[]
}

/** All fixtures, grouped by API and kind of metadata record. */
export function allFixtures(): Group[] {
  const ofApis = apis.map(({ name, request, response }) => ({
    name,
    fixtures: versionsOf(request).flatMap((version) => [
      ...fixturesIn(`${kebab(name)}/v${version}.req.hex`, request, version),
      ...fixturesIn(`${kebab(name)}/v${version}.res.hex`, response, version),
    ]),
  }))
  const ofRecords = metadataRecords.map((message) => ({
    name: message.name,
    fixtures: versionsOf(message).flatMap((version) =>
      fixturesIn(`metadata-records/${kebab(message.name)}/v${version}.hex`, message, version),
    ),
  }))
  return [...ofApis, ...ofRecords]
}

export function versionsOf({ versions: [min, max] }: Message): number[] {
  return Array.from({ length: max - min + 1 }, (_, i) => min + i)
}

/** A decoded value as the fixtures write it: bytes as hex. */
export function plain(fields: Fields, value: unknown): { [name: string]: unknown } {
  const struct = value as { readonly [name: string]: unknown }
  const entries = Object.entries(fields).map(([name, field]) => [
    name,
    plainField(field, struct[name]),
  ])
  return Object.fromEntries(entries)
}

function plainField(field: Field<unknown>, value: unknown): unknown {
  if (value === null || value === undefined) return value
  const { kind, element, fields } = field
  if (kind === 'bytes') return Buffer.from(value as Uint8Array).toString('hex')
  if (kind === 'records') return Buffer.concat(value as Chunks).toString('hex')
  if (fields !== null) return plain(fields, value)
  if (element === null) return value
  return (value as unknown[]).map((inner) => plainField(element, inner))
}

/**
 * `value` of a fixture with the fallback of each field that the Kafka which wrote it did not know,
 * and without those that are on the wire in no version we have.
 */
export function withFallbacks(fields: Fields, value: unknown): { [name: string]: unknown } {
  const struct = value as { readonly [name: string]: unknown }
  const known = Object.entries(fields).map(([name, field]) => {
    const given = struct[name]
    return [
      name,
      given === undefined ? plainField(field, field.fallback) : filledField(field, given),
    ]
  })
  return Object.fromEntries(known)
}

function filledField(field: Field<unknown>, value: unknown): unknown {
  if (value === null) return null
  if (field.kind === 'struct') return withFallbacks(field.fields ?? {}, value)
  if (field.kind !== 'array' || field.element?.kind !== 'struct') return value
  const { fields } = field.element
  return (value as unknown[]).map((element) => withFallbacks(fields ?? {}, element))
}
