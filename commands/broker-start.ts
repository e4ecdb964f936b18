/**
 * `broker start`: one broker in the foreground, until SIGTERM or SIGINT. The data directory is made
 * when it is new. Standard output gets one line, when the broker answers: BROKERS=host:port.
 */

import { uuidToBytes } from '../lib/base/uuid.ts'
import { Broker } from '../lib/broker/broker.ts'
import { type Disk, writeFileAtomic } from '../lib/io/disk.ts'
import { MemoryDisk } from '../lib/io/memory/disk.ts'
import { addressText } from '../lib/io/network.ts'
import { brokerFailure } from './broker/failures.ts'
import { isLoopback, parseListen } from './broker/listen.ts'
import { openFilesMax } from './broker/open-files.ts'
import { dataOption, dataPath } from './broker/place.ts'
import { brokerConfigs, brokerOptions } from './broker/settings.ts'
import { type Args, type CommandContext, CommandError, command, exitCodes } from './command.ts'
import { choice, file, flag, integer, option, text } from './options.ts'

const options = {
  listen: option('address to listen on; port 0 = any free one', parseListen, {
    word: 'HOST:PORT',
    fallback: '127.0.0.1:9092',
  }),
  advertise: option('address that clients are told to use', parseListen, { word: 'HOST:PORT' }),
  insecureListener: flag('listen beyond this machine without TLS and authentication'),
  data: dataOption,
  memory: flag('keep everything in memory; nothing is written'),
  adopt: flag('take over a directory written by Apache Kafka'),
  nodeId: integer({ min: 0, max: 0x7fffffff })('number of the broker', { fallback: '1' }),
  clusterId: text('22 characters; only for a new directory'),
  testDisk: choice(['real', 'lossy'])('lossy: what is not synced is lost by kill -9', {
    fallback: 'real',
    hidden: true,
  }),
  readyFile: file('file to write the BROKERS= line to, when ready'),
  ...brokerOptions,
}

export const brokerStart = command({
  name: 'broker start',
  about: 'run a broker',
  options,
  examples: [
    ['broker start', 'On 127.0.0.1:9092, data under ~/.local/share/ottla.'],
    [
      'broker start --listen 127.0.0.1:0 --memory --topic logs:3',
      'A throw-away one on a free port.',
    ],
  ],
  description: [
    'Runs in the foreground. The first line of standard output, when the broker answers, is BROKERS=host:port, which a shell can eval; the log is on standard error.',
    'SIGTERM or SIGINT stops it cleanly; the next start then needs no recovery. A second signal ends it at once, as kill -9 would: nothing acknowledged is lost, but the next start checks the newest segments.',
  ],
  exits: {
    4: 'the data directory is of something else, or unreadable',
    5: 'the port or the directory is in use',
  },
  isLocal: true,
  onSignal: 'own',
  run: async (context, args) => {
    checkArgs(args)
    const path = args.memory ? '/memory' : dataPath(context, args.data, args.nodeId)
    const broker = await startBroker(context, args, path)
    const line = `BROKERS=${broker.listeners.map(addressText).join(',')}`
    if (args.readyFile !== undefined) {
      await writeFileAtomic(
        context.env.disk,
        context.path(args.readyFile),
        Buffer.from(`${line}\n`),
      )
    }
    await context.out.line(line)
    await untilAborted(context.signal, broker)
    await broker.stop()
    if (args.readyFile !== undefined) await context.env.disk.remove(context.path(args.readyFile))
    return broker.failure === null ? exitCodes.done : exitCodes.bug
  },
})

function checkArgs({
  listen,
  insecureListener,
  memory,
  data,
  adopt,
  clusterId,
}: Args<typeof options>): void {
  if (!isLoopback(listen.host) && !insecureListener) {
    throw new CommandError(
      exitCodes.usage,
      `--listen ${addressText(listen)} is open to other machines, without TLS and authentication`,
      'listen on 127.0.0.1, or add --insecure-listener',
    )
  }
  if (clusterId !== undefined && uuidToBytes(clusterId) === null) {
    throw new CommandError(
      exitCodes.usage,
      `bad --cluster-id "${clusterId}": want 22 characters of URL-safe base64`,
      'leave it out: a new directory gets an id of its own',
    )
  }
  if (memory && data !== undefined)
    throw new CommandError(exitCodes.usage, '--memory and --data contradict each other')
  if (memory && adopt)
    throw new CommandError(exitCodes.usage, '--memory and --adopt contradict each other')
}

async function diskFor(
  { env }: CommandContext,
  { memory, testDisk }: Args<typeof options>,
  path: string,
): Promise<Disk> {
  if (memory) return new MemoryDisk()
  if (testDisk === 'real') return env.disk
  const { LossyDisk } = await import('../lib/io/memory/lossy-disk.ts')
  return LossyDisk.open(env.disk, path)
}

async function startBroker(
  context: CommandContext,
  args: Args<typeof options>,
  path: string,
): Promise<Broker> {
  const filesMax = await openFilesMax(context)
  const configs = await brokerConfigs(context, args)
  const log = await context.log()
  context.processes.prepareToServe()
  const disk = await diskFor(context, args, path)
  if (!isLoopback(args.listen.host)) {
    log.warn('insecure-listener', {
      listen: addressText(args.listen),
      why: 'anyone who reaches it may read and write everything',
    })
  }
  try {
    return await Broker.start({
      env: { ...context.env, disk, log },
      dataPath: path,
      nodeId: args.nodeId,
      clusterId: args.clusterId ?? null,
      configs,
      listen: args.listen,
      advertise: args.advertise ?? null,
      topics: args.topic,
      adopt: args.adopt,
      process: { pid: context.processes.pid, bootId: await context.processes.bootId() },
      filesMax,
    })
  } catch (error) {
    throw brokerFailure(error, { listen: args.listen, path })
  }
}

/** Resolves at the first signal, or when the broker gave up by itself. */
function untilAborted(signal: AbortSignal, broker: Broker): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  return Promise.race([signalled, broker.failed])
}
