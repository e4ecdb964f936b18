/** What a command sees of the outside, made from the settings and the process. */

import { isAbsolute, resolve } from 'node:path'
import { isatty } from 'node:tty'
import type { Command, CommandContext } from '../commands/command.ts'
import type { Client } from '../lib/client/client.ts'
import { silentLogger } from '../lib/io/logger.ts'
import { nodeEnv } from '../lib/io/node/env.ts'
import { fileChunks } from '../lib/io/node/input.ts'
import { type LogLevel, nodeLogger } from '../lib/io/node/logger.ts'
import { nodeProcesses } from '../lib/io/node/processes.ts'
import { colourLevel } from './colour.ts'
import { createOutput, type Sink } from './output.ts'
import { formatFor, type Settings } from './settings.ts'
import { canSpin, startSpinner } from './spinner.ts'
import { stdinChunks, writeStderr } from './stdio.ts'

export interface Session {
  readonly context: CommandContext
  /** Takes away what shows that it waits: before anything else is written. */
  endWaits(): void
  /** Closes what the command had opened. */
  close(): void
  /** What it wants said when a second signal ends it. */
  lastWords(): string
}

export async function openSession(
  command: Command,
  settings: Settings,
  { sink, signal }: { sink: Sink; signal: AbortSignal },
): Promise<Session> {
  const variables = process.env
  const colour = colourLevel(sink.isTty, settings.color, variables)
  const json = settings.logFormat === 'json'
  const level = logLevel(settings)
  // Without -v a client says nothing but its own errors: the loggers are not even loaded.
  const log = settings.verbosity === 0 ? silentLogger : await nodeLogger({ level, json })
  const env = nodeEnv({ log })
  let client: Promise<Client> | undefined
  let lastWords = () => ''
  const { waiting, endWaits } = waitLines(settings)
  const context: CommandContext = {
    env,
    globals: settings,
    client: () => {
      // What only asks waits for its answer from here on; the rest knows better what it waits for.
      if (command.onSignal === 'drop' && client === undefined) {
        waiting(`waiting for ${settings.brokers.join(',')}`)
      }
      return (client ??= openClient(settings, env))
    },
    out: createOutput({
      sink: before(endWaits, sink),
      format: formatFor(settings, sink.isTty),
      header: settings.header,
      colour,
    }),
    stdin: () => stdinChunks(signal),
    // Not process.stdin: to touch it is to open it.
    stdinIsTty: isatty(0),
    stderrIsTty: isatty(2),
    note: (line) => {
      endWaits()
      if (!settings.quiet) writeStderr(line)
    },
    warn: (line) => {
      endWaits()
      writeStderr(`ottla ${command.name}: ${line}`)
    },
    waiting,
    ask: (question) => {
      endWaits()
      return ask(question, signal)
    },
    signal,
    onForcedExit: (words) => {
      lastWords = words
    },
    processes: nodeProcesses,
    log: () => nodeLogger({ level, json }),
    read: fileChunks,
    path: (given) => (isAbsolute(given) ? given : resolve(given)),
    variable: (name) => variables[name] || undefined,
  }
  return {
    context,
    endWaits,
    close: () => void client?.then((one) => one.close()),
    lastWords: () => lastWords(),
  }
}

/** The lines that show who is waited for, on a terminal; all of them end together. */
function waitLines({ quiet, color }: Settings) {
  const waits = new Set<() => void>()
  return {
    waiting: (what: string) => {
      // Not process.stderr first: to touch it is to open it.
      if (!isatty(2) || !canSpin(process.stderr, process.env, quiet)) return () => {}
      const stop = startSpinner(what, colourLevel(true, color, process.env) > 0)
      waits.add(stop)
      return stop
    },
    endWaits: () => {
      for (const stop of waits) stop()
      waits.clear()
    },
  }
}

/** The sink, with something to do before each write. */
function before(first: () => void, sink: Sink): Sink {
  return {
    isTty: sink.isTty,
    get isClosed() {
      return sink.isClosed
    },
    write: (chunks) => {
      first()
      return sink.write(chunks)
    },
  }
}

async function openClient(settings: Settings, env: CommandContext['env']): Promise<Client> {
  const { Client } = await import('../lib/client/client.ts')
  const clientId = settings.properties['client.id']
  return new Client({
    env,
    brokers: settings.brokers,
    timeoutMs: settings.timeoutMs,
    retryForMs: settings.retryForMs,
    ...(clientId === undefined ? {} : { clientId }),
  })
}

/** A broker's log says what happens to it; -v adds each request, -q leaves the errors. */
function logLevel({ verbosity, quiet }: Settings): LogLevel {
  if (quiet) return 'error'
  return verbosity === 0 ? 'info' : 'debug'
}

/** The answer typed on the terminal, without blanks round it. */
async function ask(question: string, signal: AbortSignal): Promise<string | null> {
  if (!isatty(0) || !isatty(2)) return null
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await lines.question(question, { signal })).trim()
  } finally {
    lines.close()
  }
}
