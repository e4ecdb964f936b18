/**
 * What a command is: a table entry (name, operands, options, examples, columns, exit codes) and a
 * function that gets its parsed values and a context. Commands see no argv, no environment, no
 * stdio and no colours: cli/ gives them a context. Data goes to `context.out`, talk to
 * `context.note`; a failure is thrown as a CommandError (or comes up from the client as KafkaError
 * or UnavailableError, for which cli/errors.ts has the one table of exit codes).
 */

import type { Client } from '../lib/client/client.ts'
import type { Env } from '../lib/io/env.ts'
import type { Logger } from '../lib/io/logger.ts'
import type { Processes } from '../lib/io/processes.ts'
import type { Options, ValuesOf } from './options.ts'

/** The exit codes, for every command. */
export const exitCodes = {
  done: 0,
  no: 1,
  usage: 2,
  notFound: 3,
  invalidData: 4,
  unavailable: 5,
  refused: 6,
  someFailed: 7,
  bug: 70,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = number

/** A failure that a person reads: what, and in the hint the next step. No full stops at their ends. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exit: ExitCode
  readonly hint: string
  /** Further members of the error object under --json, for example { name: 'TOPIC_ALREADY_EXISTS', topic }. */
  readonly details: Readonly<Record<string, string | number | null>>

  constructor(
    exit: ExitCode,
    message: string,
    hint = '',
    {
      details = {},
      cause,
    }: { details?: Readonly<Record<string, string | number | null>>; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.exit = exit
    this.hint = hint
    this.details = details
  }
}

/** One column of a table; the same key names the member in JSON. */
export interface Column {
  /** In capitals, as the header shows it. */
  readonly title: string
  /** camelCase; what a row calls it. */
  readonly key: string
  /** One line for the man page. */
  readonly about: string
  /** Numbers are set to the right on a terminal. */
  readonly isNumber?: boolean
}

/** A value of a table or JSON: null is unknown (`-` in a table), a list is joined with commas. */
export type Cell = string | number | bigint | boolean | null | readonly (string | number)[]
/** A row may carry more than its columns, of any JSON shape: only JSON shows the rest. */
export type Row = Readonly<Record<string, unknown>>

/** A snapshot: rows under columns, or `{"kind":"ottla.<kind>/v1","<plural>":[rows]}`. */
export interface Snapshot {
  /** `topic-list`: the command's name with dashes. */
  readonly kind: string
  /** The member that holds the rows, `topics`. */
  readonly plural: string
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  /** Members of the JSON object before the rows. */
  readonly extra?: Row
  /** Lines above the table; in no other format. */
  readonly lead?: readonly string[]
}

export type Format = 'table' | 'tsv' | 'json' | 'ndjson' | 'prom'

/** Standard output. Every method waits for a slow reader; after EPIPE they do nothing. */
export interface Output {
  /** What was asked for, or table on a terminal and tsv otherwise. */
  readonly format: Format
  readonly isTty: boolean
  /** The reader has gone (EPIPE): stop quietly, exit 0. Also aborts `context.signal`. */
  readonly isClosed: boolean
  readonly snapshot: (snapshot: Snapshot) => Promise<void>
  /** Rows as they come: lines of tsv under one header, or NDJSON for any JSON format. */
  readonly stream: (
    columns: readonly Column[],
    blocks: AsyncIterable<readonly Row[]>,
  ) => Promise<void>
  /** One line of JSON (for `--json` on streams, reports and plans). */
  readonly json: (value: unknown) => Promise<void>
  /** A line of text, for commands whose output is neither rows nor JSON. */
  readonly line: (text: string) => Promise<void>
  /** Bytes as they are. The chunks must not change until it resolves. */
  readonly write: (chunks: readonly Uint8Array[]) => Promise<void>
}

/** Why `context.signal` aborted. */
export type Interruption = 'SIGINT' | 'SIGTERM' | 'EPIPE'

/** The global flags that concern commands. */
export interface Globals {
  readonly brokers: readonly string[]
  /** Connect, metadata and admin requests. */
  readonly timeoutMs: number
  /** How long to keep trying to connect; 0 = two rounds over the addresses. */
  readonly retryForMs: number
  /** `--json` was given. On produce it describes the input. */
  readonly json: boolean
  /** `--format` as given, or null. */
  readonly format: Format | null
  readonly header: boolean
  readonly quiet: boolean
  /** How many -v. */
  readonly verbosity: number
  /** Client settings by Kafka's names, from the config file and -X, checked. */
  readonly properties: Readonly<Record<string, string>>
}

export interface CommandContext {
  readonly env: Env
  readonly globals: Globals
  /** One for the command's life, made at the first call; the caller of the command closes it. */
  readonly client: () => Promise<Client>
  readonly out: Output
  /** Standard input in chunks as they arrive; ends at once when it is closed. */
  readonly stdin: () => AsyncIterable<Uint8Array>
  readonly stdinIsTty: boolean
  readonly stderrIsTty: boolean
  /** A line on standard error for people; nothing under -q. */
  readonly note: (line: string) => void
  /** A line on standard error that matters: `ottla <command>: line`, also under -q. */
  readonly warn: (line: string) => void
  /** Shows who it waits for after 2 s on a terminal, until the function given back is called. */
  readonly waiting: (what: string) => () => void
  /** Asks on the terminal; null when standard input and error are not both terminals. */
  readonly ask: (question: string) => Promise<string | null>
  /** Aborts with an Interruption as its reason: first SIGINT or SIGTERM, or the reader of stdout went away. */
  readonly signal: AbortSignal
  /** What to say on standard error when a second signal ends the process at once; '' = nothing. */
  readonly onForcedExit: (lastWords: () => string) => void
  /** Other processes of this machine (lib/io/node/processes.ts): for the commands round a broker. */
  readonly processes: Processes
  /** The log of a running broker on standard error (lib/io/node/logger.ts), loaded at the first call. */
  readonly log: () => Promise<Logger>
  /** A file that a person named, an absolute path, as it comes: links and pipes too. Native errors. */
  read(path: string): AsyncIterable<Uint8Array>
  /** A path of the command line as an absolute one. */
  readonly path: (given: string) => string
  /** An environment variable, '' counts as unset. For commands that document theirs. */
  readonly variable: (name: string) => string | undefined
}

/** `[command line, sentence]`: the command line without the leading `ottla`, as it can be run. */
export type Example = readonly [line: string, about: string]

export interface Command<O extends Options = Options> {
  /** `topic list` */
  readonly name: string
  /** One line, lower case, no full stop: `list topics`. */
  readonly about: string
  /** In usage style: `TOPIC [FILE...]`. The number of operands and their completion follow from it. */
  readonly positionals: string
  readonly options: O
  readonly examples: readonly Example[]
  /** Paragraphs for the man page's DESCRIPTION. */
  readonly description: readonly string[]
  /** Of stdout, for help and man; [] when it prints no rows. */
  readonly columns: readonly Column[]
  /** What each exit code means here, beside 0, 2, 5, 6, 70 and 130, which are possible everywhere. */
  readonly exits: Readonly<Record<number, string>>
  /** `prom` output makes sense. */
  readonly hasProm: boolean
  /** `--json` describes its input: errors stay texts. */
  readonly jsonIsInput: boolean
  /** What stands after `--` is a command line of its own (`broker run -- CMD`). */
  readonly hasCommandLine: boolean
  /**
   * What SIGINT and SIGTERM do. drop: it is left where it stands, 130 or 143 (commands that only
   * ask). finish: it watches `context.signal` and ends by itself; a 0 then becomes 130 or 143.
   * own: it watches, and its own exit code stands.
   */
  readonly onSignal: 'drop' | 'finish' | 'own'
  /** It talks to no broker: bootstrap list and configuration file are neither read nor checked. */
  readonly isLocal: boolean
  run(context: CommandContext, args: Args<O>): Promise<ExitCode>
}

export type Args<O extends Options> = ValuesOf<O> & {
  readonly positionals: readonly string[]
  /** Behind `--`, when the command has a command line of its own; null when `--` is absent. */
  readonly commandLine: readonly string[] | null
}

/** A command from what is special about it. */
export function command<const O extends Options>(
  parts: Pick<Command<O>, 'name' | 'about' | 'options' | 'examples' | 'run'> & Partial<Command<O>>,
): Command<O> {
  return {
    positionals: '',
    description: [],
    columns: [],
    exits: {},
    hasProm: false,
    jsonIsInput: false,
    hasCommandLine: false,
    onSignal: 'drop',
    isLocal: false,
    ...parts,
  }
}

/**
 * The exit code of a command over several items: 0 when all went well, the code they share when
 * all failed the same way, otherwise 7.
 */
export function exitOfItems(exits: readonly ExitCode[]): ExitCode {
  const [first = exitCodes.done] = exits
  return exits.every((exit) => exit === first) ? first : exitCodes.someFailed
}
