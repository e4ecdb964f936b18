/**
 * The global settings of one run: flag > environment variable > configuration file > default.
 * A bad value names where it came from, unless it was a flag.
 */

import {
  type Command,
  CommandError,
  exitCodes,
  type Format,
  type Globals,
} from '../commands/command.ts'
import type { Option } from '../commands/options.ts'
import { properties as knownProperties, propertyByName } from '../commands/properties.ts'
import { closest } from '../commands/suggest.ts'
import { BadValue } from '../commands/values.ts'
import { parseBrokerAddress } from '../lib/client/addresses.ts'
import { addressText } from '../lib/io/network.ts'
import { type FileSettings, readConfigFile } from './config-file.ts'
import { environmentVariables, globalOptions } from './globals.ts'
import { longName } from './option-names.ts'
import { readOption, type Split } from './parse.ts'

export interface Settings extends Globals {
  readonly logFormat: 'text' | 'json'
  readonly color: boolean
  /** For -v: what was met and not used. */
  readonly remarks: readonly string[]
}

type Variables = Readonly<Record<string, string | undefined>>

const noFile: FileSettings = { flags: {}, properties: [], remarks: [] }

/** Throws CommandError 2. */
export async function resolveSettings(
  command: Command,
  given: Split,
  variables: Variables,
): Promise<Settings> {
  // An option of the command with the name of a global one takes its place on the command line.
  const flagTexts = (key: string) => (key in command.options ? [] : (given.texts.get(key) ?? []))
  const isSwitched = (key: string) => flagTexts(key).length > 0
  const path = readOption('config', globalOptions.config, [
    ...flagTexts('config').slice(0, 1),
    ...(variables['OTTLA_CONFIG'] ? [variables['OTTLA_CONFIG']] : []),
  ])
  const file = path === undefined || command.isLocal ? noFile : await readConfigFile(path)
  const properties = command.isLocal ? {} : readPropertyPairs(file, flagTexts('property'), path)
  const setting = <T>(key: string, option: Option<T>): T =>
    read({ key, option, texts: flagTexts(key), variables, file, path })
  const format = setting('format', globalOptions.format)
  const json = isSwitched('json')
  if (json && flagTexts('format').length > 0 && format !== 'json') {
    throw new CommandError(exitCodes.usage, `--json and --format ${format} contradict each other`)
  }
  return {
    brokers: command.isLocal
      ? []
      : brokersOf(flagTexts('brokers'), { variables, properties, file }),
    timeoutMs:
      setting('timeout', globalOptions.timeout) ?? Number(properties['request.timeout.ms'] ?? 5000),
    retryForMs: setting('retryFor', globalOptions.retryFor) ?? 0,
    json,
    format: json ? 'json' : (format ?? null),
    header: !isSwitched('noHeader'),
    quiet: isSwitched('quiet'),
    verbosity: flagTexts('verbose').length,
    properties,
    logFormat: setting('log', globalOptions.log) ?? 'text',
    color: !isSwitched('noColor'),
    remarks: [...file.remarks, ...strangeVariables(variables)],
  }
}

function read<T>({
  key,
  option,
  texts,
  variables,
  file,
  path,
}: {
  key: string
  option: Option<T>
  texts: readonly string[]
  variables: Variables
  file: FileSettings
  path: string | undefined
}): T {
  if (texts.length > 0) return readOption(key, option, texts)
  const name = environmentVariables.find((one) => one.option === key)?.name
  const [text, origin] =
    name !== undefined && variables[name] ? [variables[name], name] : [file.flags[key], path ?? '']
  if (text === undefined) return option.read([])
  try {
    return option.read([text])
  } catch (error) {
    if (!(error instanceof BadValue)) throw error
    throw new CommandError(
      exitCodes.usage,
      `bad ${longName(key)} "${text}" from ${origin}: want ${error.want}`,
    )
  }
}

/** File first, then -X over it: by their Kafka names, values checked. */
function readPropertyPairs(
  file: FileSettings,
  given: readonly string[],
  path: string | undefined,
): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of file.properties) {
    const property = propertyByName(name)
    if (property === undefined) {
      if (!isSecurity(name)) continue
      throw new CommandError(
        exitCodes.usage,
        `config ${path ?? ''}: ${name} is set, but TLS and SASL are not supported yet`,
      )
    }
    found[property.name] = checked(property, value, `${name} in ${path ?? ''}`)
  }
  for (const [name, value] of readOption('property', globalOptions.property, given)) {
    const property = propertyByName(name)
    if (property === undefined) {
      const near = closest(
        name,
        knownProperties.flatMap((one) => [one.name, ...one.aliases]),
      )
      const hint = near === null ? '' : `; did you mean "${near}"?`
      throw new CommandError(exitCodes.usage, `no setting "${name}" for -X${hint}`)
    }
    found[property.name] = checked(property, value, `-X ${name}`)
  }
  return found
}

/** Settings that ask for protection of the connection. */
function isSecurity(name: string): boolean {
  return name.startsWith('ssl.') || name.startsWith('sasl.')
}

function checked(property: { check(value: string): void }, value: string, where: string): string {
  try {
    property.check(value)
    return value
  } catch (error) {
    if (!(error instanceof BadValue)) throw error
    throw new CommandError(exitCodes.usage, `bad ${where} "${value}": want ${error.want}`)
  }
}

function brokersOf(
  given: readonly string[],
  {
    variables,
    properties,
    file,
  }: { variables: Variables; properties: Readonly<Record<string, string>>; file: FileSettings },
): string[] {
  const sources: readonly (readonly [text: string | undefined, origin: string])[] = [
    [given[0], ''],
    [variables['OTTLA_BROKERS'] || undefined, ' from OTTLA_BROKERS'],
    [file.flags['brokers'], ' from the config file'],
    [properties['bootstrap.servers'], ' from bootstrap.servers'],
  ]
  const [text = 'localhost:9092', origin = ''] = sources.find(([one]) => one !== undefined) ?? []
  return parseBrokers(text, origin)
}

/** `host:port,...` as a list with every port filled in. Throws CommandError 2. */
export function parseBrokers(text: string, origin = ''): string[] {
  return text.split(',').map((part) => {
    try {
      return addressText(parseBrokerAddress(part.replace(/^\s*PLAINTEXT:\/\//i, '')))
    } catch (error) {
      const reason = error instanceof Error ? error.message.replace(/^.*?": /, '') : String(error)
      throw new CommandError(
        exitCodes.usage,
        `bad broker address "${part.trim()}"${origin}: ${reason}`,
      )
    }
  })
}

/** A remark for each OTTLA_... that is not one of ours. */
function strangeVariables(variables: Variables): string[] {
  const known = environmentVariables.map(({ name }) => name)
  return Object.keys(variables)
    .filter((name) => name.startsWith('OTTLA_') && !known.some((one) => one === name))
    .map((name) => {
      const near = closest(name, known)
      return `environment: unknown ${name}${near === null ? '' : `; did you mean ${near}?`}`
    })
}

/** What stdout gets unless told otherwise. */
export function formatFor(settings: Globals, stdoutIsTty: boolean): Format {
  return settings.format ?? (stdoutIsTty ? 'table' : 'tsv')
}
