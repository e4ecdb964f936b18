/**
 * Configuration files of --config: `.json` is ottla's own (checked by ajv against a schema whose
 * texts stand in the man page), anything else is Java's and kcat's `key=value`. Both give flat
 * settings.
 */

import { readFileSync } from 'node:fs'
import { CommandError, exitCodes } from '../commands/command.ts'
import { closest } from '../commands/suggest.ts'
import { SettingError } from '../lib/base/setting.ts'
import { parseProperties } from '../lib/config/properties.ts'

/** What a file says: global flags by key, client settings by Kafka's names, and remarks for -v. */
export interface FileSettings {
  readonly flags: Readonly<Record<string, string>>
  readonly properties: readonly (readonly [name: string, value: string])[]
  readonly remarks: readonly string[]
}

const text = { type: 'string', minLength: 1 } as const

/** Members of a .json file. */
export const configMembers = {
  brokers: {
    anyOf: [text, { type: 'array', items: text, minItems: 1 }],
    description: 'as --brokers; a list, or one text with commas',
  },
  timeout: { ...text, description: 'as --timeout' },
  retryFor: { ...text, description: 'as --retry-for' },
  format: { ...text, description: 'as --format' },
  log: { ...text, description: 'as --log' },
  properties: {
    type: 'object',
    additionalProperties: { type: ['string', 'number', 'boolean'] },
    description: "client settings by Kafka's names, as -X",
  },
} as const

export const configSchema = { type: 'object', properties: configMembers } as const

/** Reads and checks a file. Throws CommandError 2. */
export async function readConfigFile(path: string): Promise<FileSettings> {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new CommandError(exitCodes.usage, `cannot read config ${path}: ${code}`)
  }
  return path.endsWith('.json') ? readJson(path, content) : readLines(path, content)
}

/** What the schema leaves of a file; members that are not known may hold anything. */
interface FileContent {
  readonly brokers?: string | readonly string[]
  readonly properties?: Readonly<Record<string, string | number | boolean>>
  readonly [other: string]: unknown
}

async function readJson(path: string, content: string): Promise<FileSettings> {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.usage, `config ${path}: not JSON: ${reason}`)
  }
  const { Ajv } = await import('ajv')
  const validate = new Ajv({ strict: false }).compile<FileContent>(configSchema)
  if (!validate(value)) {
    const [first] = validate.errors ?? []
    const where = first?.instancePath === '' ? 'the file' : first?.instancePath
    throw new CommandError(exitCodes.usage, `config ${path}: ${where} ${first?.message ?? ''}`)
  }
  const { brokers, properties = {}, ...others } = value
  const flags: Record<string, string> = {}
  const remarks: string[] = []
  if (brokers !== undefined) flags['brokers'] = [brokers].flat().join(',')
  for (const [key, given] of Object.entries(others)) {
    if (key in configMembers) flags[key] = String(given)
    else remarks.push(unknownMember(path, key))
  }
  const pairs = Object.entries(properties).map(([key, one]) => [key, String(one)] as const)
  return { flags, properties: pairs, remarks }
}

function unknownMember(path: string, key: string): string {
  const near = closest(key, Object.keys(configMembers))
  return `config ${path}: unknown "${key}"${near === null ? '' : `; did you mean "${near}"?`}`
}

function readLines(path: string, content: string): FileSettings {
  try {
    return { flags: {}, properties: Object.entries(parseProperties(content)), remarks: [] }
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    throw new CommandError(exitCodes.usage, `config ${path}: ${error.message}`)
  }
}
