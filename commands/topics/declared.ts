/**
 * Topics to create, from a JSON file: what `topic describe --configs --json` prints, a list of such
 * topics, or one. Checked by ajv; what creating does not need is passed over.
 *
 *   {"topics":[{"topic":"orders","partitions":6,"replicas":3,"configs":{"cleanup.policy":"compact"}}]}
 *
 * `partitions` is a number, or the list that describe prints, of which the length counts.
 */

import type { NewTopic } from '../../lib/client/admin-topics.ts'
import { hasErrorCode, readFile } from '../../lib/io/disk.ts'
import { type CommandContext, CommandError, exitCodes } from '../command.ts'

const topicSchema = {
  type: 'object',
  required: ['topic'],
  properties: {
    topic: { type: 'string', minLength: 1 },
    partitions: { type: ['integer', 'array'], minimum: -1, minItems: 1 },
    replicas: { type: 'integer', minimum: -1 },
    configs: { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } },
  },
} as const

const listSchema = { type: 'array', items: topicSchema } as const

interface Declared {
  readonly topic: string
  readonly partitions?: number | readonly unknown[]
  readonly replicas?: number
  readonly configs?: Readonly<Record<string, string | number | boolean>>
}

const sizeMax = 16 * 1024 * 1024

/** Reads FILE, or standard input for `-`. Throws CommandError 2 (file) or 4 (content). */
export async function declaredTopics(context: CommandContext, file: string): Promise<NewTopic[]> {
  const name = file === '-' ? 'standard input' : file
  const value = parseJson(await readAll(context, file), name)
  const { Ajv } = await import('ajv')
  const validate = new Ajv({ allowUnionTypes: true }).compile<readonly Declared[]>(listSchema)
  const list = listOf(value)
  if (!validate(list)) {
    const [first] = validate.errors ?? []
    throw invalid(name, `${first?.instancePath ?? ''} ${first?.message ?? ''}`.trim())
  }
  return list.map(({ topic, partitions, replicas, configs = {} }) => ({
    name: topic,
    partitions: typeof partitions === 'object' ? partitions.length : (partitions ?? -1),
    replicationFactor: replicas ?? -1,
    configs: Object.fromEntries(Object.entries(configs).map(([key, one]) => [key, String(one)])),
  }))
}

function listOf(value: unknown): unknown {
  if (Array.isArray(value)) return value
  const hasTopics = typeof value === 'object' && value !== null && 'topics' in value
  return hasTopics ? value.topics : [value]
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid(name, error instanceof Error ? error.message : String(error))
  }
}

function invalid(name: string, why: string): CommandError {
  return new CommandError(exitCodes.invalidData, `${name}: ${why}`)
}

async function readAll(context: CommandContext, file: string): Promise<string> {
  if (file !== '-') {
    try {
      const bytes = await readFile(context.env.disk, context.path(file), sizeMax)
      if (bytes !== null) return Buffer.from(bytes).toString('utf8')
    } catch (error) {
      const why = hasErrorCode(error, 'EISDIR') ? 'it is a directory' : String(error)
      throw new CommandError(exitCodes.usage, `cannot read ${file}: ${why}`)
    }
    throw new CommandError(exitCodes.usage, `cannot read ${file}: no such file`)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of context.stdin()) {
    size += chunk.length
    if (size > sizeMax) throw invalid('standard input', `more than ${sizeMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
