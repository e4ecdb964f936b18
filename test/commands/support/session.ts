/**
 * Commands run in this process, as the command line would run them, against a broker of ours in
 * memory on a free port: fast, and what stands on both output streams is exact.
 */

import { failureText } from '../../../cli/errors.ts'
import { optionsOf } from '../../../cli/option-names.ts'
import { createOutput } from '../../../cli/output.ts'
import { readArgs, split } from '../../../cli/parse.ts'
import { commandWords, findCommand } from '../../../cli/registry.ts'
import { formatFor, resolveSettings, type Settings } from '../../../cli/settings.ts'
import type { CommandContext, ExitCode } from '../../../commands/command.ts'
import { failureOf } from '../../../commands/failures.ts'
import { Broker } from '../../../lib/broker/broker.ts'
import { Client } from '../../../lib/client/client.ts'
import { singleNodeConfigs } from '../../../lib/config/broker-groups.ts'
import type { Env } from '../../../lib/io/env.ts'
import { MemoryDisk } from '../../../lib/io/memory/disk.ts'
import { addressText } from '../../../lib/io/network.ts'
import { nodeEnv } from '../../../lib/io/node/env.ts'

export interface Cluster {
  readonly address: string
  stop(): Promise<void>
}

/** A broker with these topics, `name:partitions[:k=v]`. */
export async function startCluster(...topics: string[]): Promise<Cluster> {
  const broker = await Broker.start({
    env: { ...nodeEnv(), disk: new MemoryDisk() },
    dataPath: '/memory',
    nodeId: 1,
    clusterId: null,
    configs: {
      ...singleNodeConfigs,
      'auto.create.topics.enable': 'true',
      'group.initial.rebalance.delay.ms': '0',
      'group.consumer.min.heartbeat.interval.ms': '100',
      'group.consumer.heartbeat.interval.ms': '100',
    },
    listen: { host: '127.0.0.1', port: 0 },
    advertise: null,
    topics,
    adopt: false,
    process: null,
  })
  return { address: broker.listeners.map(addressText).join(','), stop: () => broker.stop() }
}

export interface Ran {
  readonly exit: ExitCode
  readonly stdout: Buffer
  readonly stderr: string
}

export interface Surroundings {
  readonly brokers?: string
  /** Text, bytes, or chunks as they arrive. */
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>
  readonly stdinIsTty?: boolean
  readonly stdoutIsTty?: boolean
  readonly signal?: AbortSignal
  /** Called with each piece of standard output; false = the reader has gone. */
  readonly onStdout?: (piece: Buffer) => boolean
  readonly files?: MemoryDisk
  /** Instead of the machine: its network holds the brokers, its clock tells the time. */
  readonly env?: Env
}

/** Runs a command line, without the leading `ottla`. */
export async function run(argv: readonly string[], around: Surroundings = {}): Promise<Ran> {
  const stdout: Buffer[] = []
  let stderr = ''
  const { words, rest } = commandWords(argv)
  const found = findCommand(words)
  if (found.kind !== 'command') throw new Error(`no command in ${argv.join(' ')}`)
  const command = await found.entry.load()
  const opened: Client[] = []
  let exit: ExitCode
  try {
    const given = split(optionsOf(command), rest(found.wordCount))
    const variables = { OTTLA_BROKERS: around.brokers ?? '127.0.0.1:1' }
    const settings = await resolveSettings(command, given, variables)
    const context = contextOf(settings, around, {
      onStdout: (piece) => stdout.push(piece),
      onStderr: (line) => (stderr += `${line}\n`),
      who: `ottla ${command.name}`,
      opened,
    })
    exit = await command.run(context, readArgs(command, given))
  } catch (error) {
    const failure = failureOf(error)
    stderr += failureText(`ottla ${command.name}`, failure, false)
    exit = failure.exit
  }
  for (const client of opened) client.close()
  return { exit, stdout: Buffer.concat(stdout), stderr }
}

function contextOf(
  settings: Settings,
  around: Surroundings,
  out: {
    onStdout: (piece: Buffer) => void
    onStderr: (line: string) => void
    who: string
    opened: Client[]
  },
): CommandContext {
  const env = around.env ?? nodeEnv()
  const isTty = around.stdoutIsTty ?? false
  const state = { isClosed: false }
  const closed = new AbortController()
  const write = async (chunks: readonly (Uint8Array | string)[]): Promise<void> => {
    for (const chunk of chunks) {
      if (state.isClosed) return
      const piece = Buffer.from(chunk)
      out.onStdout(piece)
      if (around.onStdout?.(piece) !== false) continue
      state.isClosed = true
      closed.abort('EPIPE')
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  const unused = (): never => {
    throw new Error('these commands do not use it')
  }
  let client: Promise<Client> | undefined
  return {
    env,
    globals: settings,
    client: () => {
      client ??= Promise.resolve().then(() => {
        const { brokers, timeoutMs, retryForMs } = settings
        const made = new Client({ env, brokers, timeoutMs, retryForMs })
        out.opened.push(made)
        return made
      })
      return client
    },
    out: createOutput({
      sink: {
        isTty,
        get isClosed() {
          return state.isClosed
        },
        write,
      },
      format: formatFor(settings, isTty),
      header: settings.header,
      colour: 0,
    }),
    stdin: () => chunksOf(around.stdin ?? ''),
    stdinIsTty: around.stdinIsTty ?? false,
    stderrIsTty: false,
    note: (line) => {
      if (!settings.quiet) out.onStderr(line)
    },
    warn: (line) => out.onStderr(`${out.who}: ${line}`),
    waiting: () => () => {},
    ask: async () => null,
    signal: AbortSignal.any([closed.signal, ...(around.signal ? [around.signal] : [])]),
    onForcedExit: () => {},
    get processes() {
      return unused()
    },
    log: unused,
    read: (path) => memoryFile(around.files ?? new MemoryDisk(), path),
    path: (given) => (given.startsWith('/') ? given : `/here/${given}`),
    variable: () => undefined,
  }
}

async function* memoryFile(disk: MemoryDisk, path: string): AsyncGenerator<Uint8Array> {
  const file = await disk.open(path, 'read')
  const bytes = new Uint8Array(await file.size())
  await file.readAt(bytes, 0)
  await file.close()
  yield bytes
}

async function* chunksOf(
  stdin: string | Uint8Array | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (typeof stdin !== 'string' && !(stdin instanceof Uint8Array)) {
    yield* stdin
    return
  }
  const bytes = Buffer.from(stdin)
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

/** Standard input that a test writes piece by piece. */
export class Pipe implements AsyncIterable<Uint8Array> {
  readonly #pieces: Uint8Array[] = []
  #isEnded = false
  #wake: () => void = () => {}

  write(text: string): void {
    this.#pieces.push(Buffer.from(text))
    this.#wake()
  }

  end(): void {
    this.#isEnded = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift()
      if (piece !== undefined) yield piece
      else if (this.#isEnded) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
