/**
 * The flags that every command takes, and what they mean together with the environment and the
 * configuration file: flag > environment variable > file > default. Names of environment variables
 * stand in one table; a variable of ours that is not in it is only remarked on under -v.
 */

import type { Format } from '../commands/command.ts'
import {
  choice,
  count,
  duration,
  file,
  flag,
  option,
  parsePair,
  parseText,
  repeated,
} from '../commands/options.ts'

export const formats = ['table', 'tsv', 'json', 'ndjson', 'prom'] as const satisfies Format[]

export const globalOptions = {
  brokers: option('brokers to start from: host:port,...', parseText, {
    word: 'LIST',
    letter: 'b',
    aliases: ['bootstrap-server', 'bootstrap-servers'],
  }),
  config: file('settings: .json is ottla-config(5), anything else key=value', {
    letter: 'F',
    aliases: ['command-config'],
    completes: 'file',
  }),
  property: repeated("a client setting by Kafka's name", parsePair, {
    word: 'NAME=VALUE',
    letter: 'X',
    aliases: ['command-property'],
  }),
  timeout: duration('connect, metadata and admin requests (5s)'),
  retryFor: duration('keep trying to connect for so long (0s)'),
  format: choice(formats)('layout (table on a terminal, else tsv)'),
  json: flag('JSON: one object, or one per line for streams', { letter: 'J' }),
  noHeader: flag('no line of column titles'),
  noColor: flag('no colours'),
  quiet: flag('say nothing but errors', { letter: 'q' }),
  verbose: count('say more; twice: each request', { letter: 'v' }),
  log: choice(['text', 'json'])('how -v writes to standard error (text)'),
  help: flag('show help', { letter: 'h' }),
  version: flag('show the version', { letter: 'V' }),
} as const

/** The global options that configure the client: commands that talk to no broker do not show them. */
export const clientOptionNames: readonly string[] = [
  'brokers',
  'config',
  'property',
  'timeout',
  'retryFor',
]

export const environmentVariables = [
  { name: 'OTTLA_BROKERS', option: 'brokers', about: 'as --brokers' },
  { name: 'OTTLA_CONFIG', option: 'config', about: 'as --config' },
  { name: 'OTTLA_TIMEOUT', option: 'timeout', about: 'as --timeout' },
  { name: 'OTTLA_FORMAT', option: 'format', about: 'as --format' },
  { name: 'OTTLA_LOG', option: 'log', about: 'as --log' },
] as const

/** Conventions of others that are kept, for the man page. */
export const foreignVariables: readonly (readonly [name: string, about: string])[] = [
  ['NO_COLOR', 'when not empty: no colours'],
  ['FORCE_COLOR', '1, 2 or 3: colours also where no terminal is; 0: none'],
  ['TERM', 'dumb: no colours, no progress'],
  ['CI', 'when not empty: no progress'],
  ['XDG_STATE_HOME', 'where names for completion are kept (~/.local/state)'],
]
