/**
 * argv -> exit code. Finds the command, imports it, reads its values, runs it, and turns whatever
 * it throws into two lines on standard error and a code.
 *
 * Signals: the first SIGINT or SIGTERM aborts the command's signal (a command that only asks is
 * dropped on the spot), the second ends the process at once. A reader of standard output that went
 * away aborts too, and ends with 0. An error that nobody caught is a bug of ours: 70.
 */

import {
  type Command,
  CommandError,
  type ExitCode,
  exitCodes,
  type Interruption,
} from '../commands/command.ts'
import { failureOf } from '../commands/failures.ts'
import { didYouMean } from '../commands/suggest.ts'
import type { Session } from './context.ts'
import { failureText } from './errors.ts'
import { globalOptions } from './globals.ts'
import { optionsOf } from './option-names.ts'
import { readArgs, type Split, split } from './parse.ts'
import { commandWords, endOfFlags, findCommand, registry, verbsOf } from './registry.ts'
import { resolveSettings } from './settings.ts'
import { stdoutSink, writeStderr } from './stdio.ts'

declare const OTTLA_VERSION: string

/** How far a run has come: what a failure is said to be of, and what a second signal finds. */
interface Run {
  readonly argv: readonly string[]
  readonly stop: AbortController
  who: string
  session: Session | null
  /** Errors are JSON objects; decided anew as the command line and the settings are understood. */
  isJson: boolean
}

/** Runs the process to its end. */
export async function main(argv: readonly string[]): Promise<void> {
  const run: Run = {
    argv,
    stop: new AbortController(),
    who: 'ottla',
    session: null,
    isJson: asksForJson(argv),
  }
  watchProcess(run)
  let exit: ExitCode
  try {
    exit = await dispatch(run)
  } catch (error) {
    exit = report(run, error)
  }
  run.session?.close()
  process.exit(exit)
}

function watchProcess(run: Run): void {
  const onSignal = (name: 'SIGINT' | 'SIGTERM') => () => {
    if (!run.stop.signal.aborted) return run.stop.abort(name)
    const words = run.session?.lastWords() ?? ''
    if (words !== '') writeStderr(`${run.who}: ${words}`)
    process.exit(exitOfSignal(name))
  }
  process.on('SIGINT', onSignal('SIGINT'))
  process.on('SIGTERM', onSignal('SIGTERM'))
  const onBug = (error: unknown) => {
    report(run, error, exitCodes.bug)
    process.exit(exitCodes.bug)
  }
  process.on('uncaughtException', onBug)
  process.on('unhandledRejection', onBug)
}

function exitOfSignal(name: Interruption): ExitCode {
  if (name === 'EPIPE') return exitCodes.done
  return name === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
}

/** Says what went wrong; gives its exit code. */
function report(run: Run, error: unknown, exit?: ExitCode): ExitCode {
  const failure = failureOf(error)
  writeStderr(failureText(run.who, failure, run.isJson))
  return exit ?? failure.exit
}

/** For errors of the command line itself, before it is understood. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  const flags = end < 0 ? argv : argv.slice(0, end)
  return flags.includes('--json') || flags.some((word) => /^-[a-zA-Z]*J[a-zA-Z]*$/.test(word))
}

async function dispatch(run: Run): Promise<ExitCode> {
  const { words, rest } = commandWords(run.argv)
  const found = findCommand(words)
  const flags = run.argv.slice(0, endOfFlags(run.argv))
  const wantsHelp = flags.includes('--help') || flags.includes('-h')
  if (found.kind !== 'command') return withoutCommand({ words, found, wantsHelp, run })
  const command = await found.entry.load()
  run.who = `ottla ${command.name}`
  if (command.jsonIsInput) run.isJson = false
  const given = split(optionsOf(command), rest(found.wordCount))
  if (has(given, 'help')) return print((await import('./usage.ts')).helpText(command))
  if (has(given, 'version')) return print(`ottla ${OTTLA_VERSION}\n`)
  return execute(run, command, given)
}

function has(given: Split, key: string): boolean {
  return (given.texts.get(key)?.length ?? 0) > 0
}

async function execute(run: Run, command: Command, given: Split): Promise<ExitCode> {
  const who = run.who
  run.who = 'ottla'
  const settings = await resolveSettings(command, given, process.env)
  run.who = who
  run.isJson = !command.jsonIsInput && (settings.format === 'json' || settings.format === 'ndjson')
  const args = readArgs(command, given)
  if (settings.format === 'prom' && !command.hasProm) {
    throw new CommandError(exitCodes.usage, 'no output in the format prom')
  }
  if (settings.verbosity > 0) for (const remark of settings.remarks) writeStderr(`ottla: ${remark}`)
  const { signal } = run.stop
  const sink = stdoutSink(() => run.stop.abort('EPIPE'))
  // Brings the network and more: not before it is needed.
  const { openSession } = await import('./context.ts')
  const session = await openSession(command, settings, { sink, signal })
  run.session = session
  const done = command.run(session.context, args)
  const exit = await (command.onSignal === 'drop' ? orDropped(done, signal) : done)
    .finally(() => session.endWaits())
    .catch((error: unknown) => exitAfterAbort(error, signal))
  const isClean = exit === exitCodes.done && command.onSignal !== 'own'
  return isClean && signal.aborted ? exitOfSignal(interruption(signal)) : exit
}

/** What a command throws because it was aborted is no failure. */
function exitAfterAbort(error: unknown, signal: AbortSignal): ExitCode {
  const isAbort = error instanceof Error && error.name === 'AbortError'
  if (signal.aborted && (error === signal.reason || isAbort)) return exitCodes.done
  throw error
}

function interruption(signal: AbortSignal): Interruption {
  return signal.reason === 'SIGINT' || signal.reason === 'SIGTERM' ? signal.reason : 'EPIPE'
}

async function orDropped(done: Promise<ExitCode>, signal: AbortSignal): Promise<ExitCode> {
  const dropped = new Promise<ExitCode>((resolve) => {
    const drop = () => resolve(exitOfSignal(interruption(signal)))
    if (signal.aborted) drop()
    else signal.addEventListener('abort', drop, { once: true })
  })
  return Promise.race([done, dropped])
}

async function withoutCommand({
  words,
  found,
  wantsHelp,
  run,
}: {
  words: readonly string[]
  found: ReturnType<typeof findCommand>
  wantsHelp: boolean
  run: Run
}): Promise<ExitCode> {
  const usage = await import('./usage.ts')
  if (found.kind === 'group') {
    const verbs = verbsOf(found.noun)
    if (found.verb !== undefined && !wantsHelp) {
      throw new CommandError(
        exitCodes.usage,
        `no command "${found.noun} ${found.verb}"${didYouMeanVerb(found.noun, found.verb)}`,
        `its verbs: ${verbs.map(({ name }) => name.slice(found.noun.length + 1)).join(', ')}`,
      )
    }
    const text = usage.verbsText(found.noun, await Promise.all(verbs.map((one) => one.load())))
    if (wantsHelp) return print(text)
    writeStderr(text)
    return exitCodes.usage
  }
  const [word] = words
  if (word !== undefined) {
    const nouns = registry().flatMap(({ name }) => [name, name.split(' ')[0] ?? name])
    throw new CommandError(exitCodes.usage, `no command "${word}"${didYouMean(word, nouns)}`)
  }
  const given = split({ ...globalOptions }, run.argv)
  if (has(given, 'version')) return print(`ottla ${OTTLA_VERSION}\n`)
  await print(usage.overviewText(await Promise.all(registry().map((one) => one.load()))))
  return exitCodes.done
}

function didYouMeanVerb(noun: string, verb: string): string {
  return didYouMean(
    `${noun} ${verb}`,
    verbsOf(noun).map(({ name }) => name),
  )
}

/** For help and version: text, and done. */
async function print(text: string): Promise<ExitCode> {
  await stdoutSink(() => {}).write([text])
  return exitCodes.done
}
