/** Settings of topics and brokers, as commands show them. */

import { Admin } from '../../lib/client/admin.ts'
import type { ConfigEntry, ConfigResource, ConfigSource } from '../../lib/client/admin-configs.ts'
import { type Column, type CommandContext, CommandError, exitCodes, type Row } from '../command.ts'
import { BadValue } from '../values.ts'

export const configColumns: readonly Column[] = [
  { title: 'KEY', key: 'key', about: 'name of the setting' },
  { title: 'VALUE', key: 'value', about: 'as Kafka writes it; - when it is secret or not set' },
  {
    title: 'SOURCE',
    key: 'source',
    about: 'topic, dynamic-broker, dynamic-default-broker, static-broker or default',
  },
]

/** Sources of values that were set by someone; the rest are defaults. */
const ownSources: readonly ConfigSource[] = ['topic', 'dynamic-broker', 'dynamic-default-broker']

/** The settings that topics have of their own. Rejects with the first topic's error. */
export async function topicConfigs(
  context: CommandContext,
  names: readonly string[],
): Promise<Map<string, Record<string, string>>> {
  const admin = new Admin(await context.client())
  const results = await admin.describeConfigs(names.map((name) => ({ type: 'topic', name })))
  return new Map(
    results.map(({ name, error, entries }) => {
      if (error !== null) throw error
      const own = entries.filter(({ source }) => source === 'topic')
      return [name, Object.fromEntries(own.map((entry) => [entry.name, entry.value ?? '']))]
    }),
  )
}

/** `topic orders`, `broker 1`, `broker default` as a resource. Throws CommandError 2. */
export function parseResource(type: string, name: string): ConfigResource {
  if (type === 'topic') return { type, name }
  if (type !== 'broker') {
    throw new CommandError(exitCodes.usage, `bad resource "${type}": want topic or broker`)
  }
  if (name === 'default') return { type, name: '' }
  if (!/^\d{1,9}$/.test(name)) {
    throw new CommandError(exitCodes.usage, `bad broker "${name}": want its number, or default`)
  }
  return { type, name: String(Number(name)) }
}

/** Every setting of a resource, by name. Rejects with KafkaError, 3 for a resource that is not there. */
export async function describeResource(
  context: CommandContext,
  resource: ConfigResource,
): Promise<readonly ConfigEntry[]> {
  const admin = new Admin(await context.client())
  if (resource.type === 'broker' && resource.name !== '') await checkBroker(context, resource.name)
  const [result] = await admin.describeConfigs([resource])
  if (result === undefined) throw new Error('no answer for the resource that was asked for')
  if (result.error !== null) throw result.error
  return [...result.entries].sort((left, right) => (left.name < right.name ? -1 : 1))
}

async function checkBroker(context: CommandContext, name: string): Promise<void> {
  const { brokers } = await (await context.client()).metadata({ topics: [] })
  const ids = brokers.map(({ id }) => id)
  if (ids.includes(Number(name))) return
  throw new CommandError(exitCodes.notFound, `no broker ${name}; there are ${ids.join(', ')}`)
}

/** Whether someone set it, for the resource or for what it inherits from while running. */
export function isOwn(entry: ConfigEntry, resource: ConfigResource): boolean {
  return resource.type === 'topic' ? entry.source === 'topic' : ownSources.includes(entry.source)
}

export function configRow(entry: ConfigEntry): Row {
  return {
    key: entry.name,
    value: entry.isSensitive ? null : entry.value,
    source: entry.source,
    readOnly: entry.isReadOnly,
    sensitive: entry.isSensitive,
  }
}

/** The JSON members that say whose settings follow. */
export function resourceExtra({ type, name }: ConfigResource): Row {
  return { resource: { type, name: name === '' ? 'default' : name } }
}

/** `key=value` operands. Throws CommandError 2. */
export function parseAssignments(
  texts: readonly string[],
  parse: (text: string) => readonly [string, string],
): (readonly [key: string, value: string])[] {
  const pairs = texts.map((text) => {
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof BadValue)) throw error
      throw new CommandError(exitCodes.usage, `bad setting "${text}": want ${error.want}`)
    }
  })
  const keys = pairs.map(([key]) => key)
  const twice = keys.find((key, index) => keys.indexOf(key) !== index)
  if (twice !== undefined) throw new CommandError(exitCodes.usage, `${twice} given twice`)
  return pairs
}
