/**
 * `ottla __complete WORD...`: what the shell offers for the last word, one candidate a line with a
 * tab and a sentence behind it; a line `:file` asks the shell for file names. Imports no yargs.
 * Names of topics and groups are kept in a file for a minute, so that most key presses start no connection.
 */

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Command } from '../commands/command.ts'
import type { Completes, Option, Options } from '../commands/options.ts'
import type { Client } from '../lib/client/client.ts'
import { globalOptions } from './globals.ts'
import { longName, namesOf, optionsOf, positionalsOf } from './option-names.ts'
import { commandWords, findCommand, registry, verbsOf } from './registry.ts'

const cacheMaxAgeMs = 60_000
const askDeadlineMs = 800

type Candidate = readonly [word: string, about: string]

/** Prints the candidates; never fails, never says anything else. */
export async function complete(words: readonly string[]): Promise<void> {
  process.stdout.on('error', () => {})
  let candidates: readonly Candidate[] = []
  try {
    candidates = await candidatesFor(words)
  } catch {
    // A shell that completes wants silence, whatever went wrong.
    candidates = []
  }
  const lines = candidates.map(([word, about]) => (about === '' ? word : `${word}\t${about}`))
  process.stdout.write(lines.map((line) => `${line}\n`).join(''), () => process.exit(0))
}

/** For the last of `words`, which may be ''. */
export async function candidatesFor(words: readonly string[]): Promise<readonly Candidate[]> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const { words: named } = commandWords(before)
  const found = findCommand(named)
  if (found.kind === 'command') {
    const command = await found.entry.load()
    return ofCommand(command, before, current)
  }
  const valued = optionTaking(globalOptions, before.at(-1) ?? '')
  if (valued !== null) return ofKind(valued.completes, before, current)
  if (current.startsWith('-')) return startingWith(current, flagsOf(globalOptions))
  // A word that is no command, or a verb that is none: nothing fits behind it.
  if (named.length > (found.kind === 'group' ? 1 : 0)) return []
  const entries = found.kind === 'group' ? verbsOf(found.noun) : registry()
  const at = found.kind === 'group' ? 1 : 0
  const names = entries.map(({ name }) => name.split(' ')[at] ?? '')
  return startingWith(
    current,
    [...new Set(names)].map((name) => [name, ''] as const),
  )
}

function ofCommand(
  command: Command,
  before: readonly string[],
  current: string,
): Promise<readonly Candidate[]> | readonly Candidate[] {
  const options = optionsOf(command)
  const valued = optionTaking(options, before.at(-1) ?? '')
  if (valued !== null) return ofKind(valued.completes, before, current)
  const [, flag, part] = /^(--[^=]+)=(.*)$/s.exec(current) ?? []
  const attached = flag === undefined ? null : optionTaking(options, flag)
  if (attached !== null && typeof attached.completes === 'object') {
    const whole = attached.completes.map((word) => [`${flag}=${word}`, ''] as const)
    return startingWith(`${flag}=${part ?? ''}`, whole)
  }
  if (current.startsWith('-')) return startingWith(current, flagsOf(options))
  const positionals = positionalsOf(command.positionals)
  const index = operandCount(command, options, before)
  const wanted = positionals[index] ?? positionals.findLast(({ isRepeated }) => isRepeated)
  return wanted === undefined ? [] : ofKind(kindOfPositional(wanted.word), before, current)
}

/** The option whose value the word after `flag` is; null when there is none. */
function optionTaking(options: Options, flag: string): Option<unknown> | null {
  for (const [key, option] of Object.entries(options)) {
    if (option.word === '') continue
    for (const name of namesOf(key, option)) {
      if (flag === (name.length === 1 ? `-${name}` : `--${name}`)) return option
    }
  }
  return null
}

function flagsOf(options: Options): Candidate[] {
  return Object.entries(options)
    .filter(([, option]) => !option.isHidden)
    .map(([key, option]) => [`--${longName(key)}`, option.about] as const)
}

/** Operands before the current word, without the words of the command. */
function operandCount(command: Command, options: Options, before: readonly string[]): number {
  let count = -command.name.split(' ').length
  for (let at = 0; at < before.length; at++) {
    const word = before[at] ?? ''
    if (optionTaking(options, word) !== null) at++
    else if (!word.startsWith('-')) count++
  }
  return Math.max(count, 0)
}

function kindOfPositional(word: string): Completes {
  if (word === 'TOPIC') return 'topic'
  if (word === 'GROUP' || word.startsWith('GROUP|')) return 'group'
  if (word === 'FILE' || word === 'DIR') return 'file'
  return word.includes('|') && word === word.toLowerCase() ? word.split('|') : 'nothing'
}

async function ofKind(
  kind: Completes,
  before: readonly string[],
  current: string,
): Promise<readonly Candidate[]> {
  if (typeof kind === 'object') {
    return startingWith(
      current,
      kind.map((word) => [word, ''] as const),
    )
  }
  if (kind === 'file') return [[':file', '']]
  if (kind !== 'topic' && kind !== 'group') return []
  const names = await namesOfKind(kind, brokersIn(before))
  return startingWith(
    current,
    names.map((name) => [name, ''] as const),
  )
}

function startingWith(current: string, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(([word]) => word.startsWith(current))
}

/** The bootstrap list of the line that is being typed. */
function brokersIn(before: readonly string[]): string {
  const { brokers } = globalOptions
  const names = namesOf('brokers', brokers).map((name) =>
    name.length === 1 ? `-${name}` : `--${name}`,
  )
  const at = before.findLastIndex((word) => names.includes(word))
  return before[at + 1] && at >= 0
    ? (before[at + 1] ?? '')
    : process.env['OTTLA_BROKERS'] || 'localhost:9092'
}

/** From the cache while it is fresh, else from a broker; an old cache when none answers. */
async function namesOfKind(kind: 'topic' | 'group', brokers: string): Promise<readonly string[]> {
  const path = cachePath(kind, brokers)
  const cached = readCache(path)
  if (cached !== null && Date.now() - cached.atMs < cacheMaxAgeMs) return cached.names
  const { Client } = await import('../lib/client/client.ts')
  const client = new Client({ brokers: brokers.split(','), timeoutMs: askDeadlineMs })
  try {
    const names = await (kind === 'topic' ? topicNames(client) : groupNames(client))
    writeCache(path, names)
    return names.sort()
  } catch {
    return cached?.names ?? []
  } finally {
    client.close()
  }
}

async function topicNames(client: Client): Promise<string[]> {
  const { topics } = await client.metadata()
  return topics.filter((topic) => !topic.isInternal).map(({ name }) => name)
}

async function groupNames(client: Client): Promise<string[]> {
  const { listGroups } = await import('../lib/client/groups.ts')
  const { groups } = await listGroups(client)
  return groups.map(({ groupId }) => groupId)
}

function cachePath(kind: 'topic' | 'group', brokers: string): string {
  const state = process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state')
  const place = brokers.replace(/[^A-Za-z0-9.,-]/g, '_').slice(0, 150)
  return join(state, 'ottla', `${kind}s-${place}`)
}

function readCache(path: string): { atMs: number; names: string[] } | null {
  try {
    const names = readFileSync(path, 'utf8').split('\n').filter(Boolean)
    return { atMs: statSync(path).mtimeMs, names }
  } catch {
    return null
  }
}

function writeCache(path: string, names: readonly string[]): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, names.map((name) => `${name}\n`).join(''), { mode: 0o600 })
  renameSync(temporary, path)
}
