/**
 * `broker run -- CMD...`: a throw-away broker for as long as a command runs, which finds it in its
 * environment. In memory, unless --data says otherwise. The exit code is the command's.
 */

import { Broker } from '../lib/broker/broker.ts'
import { hasErrorCode } from '../lib/io/disk.ts'
import { MemoryDisk } from '../lib/io/memory/disk.ts'
import { addressText } from '../lib/io/network.ts'
import { brokerFailure } from './broker/failures.ts'
import { openFilesMax } from './broker/open-files.ts'
import { dataOption } from './broker/place.ts'
import { brokerConfigs, brokerOptions } from './broker/settings.ts'
import { type Args, type CommandContext, CommandError, command, exitCodes } from './command.ts'

const options = { data: dataOption, ...brokerOptions }
const listen = { host: '127.0.0.1', port: 0 }

export const brokerRun = command({
  name: 'broker run',
  about: 'run a command beside a throw-away broker',
  positionals: '-- CMD...',
  options,
  examples: [
    [
      'broker run --topic orders:6 -- ottla topic list',
      'Any command that reads OTTLA_BROKERS, BROKERS or KAFKA_BOOTSTRAP_SERVERS.',
    ],
  ],
  description: [
    'Starts a broker in memory on a free port of this machine, runs the command with OTTLA_BROKERS, BROKERS and KAFKA_BOOTSTRAP_SERVERS set to its address, then stops the broker. The exit code is that of the command, 128 + n when signal n ended it.',
  ],
  exits: { 2: 'or the command cannot be started' },
  isLocal: true,
  hasCommandLine: true,
  onSignal: 'own',
  run: async (context, args) => {
    const { commandLine } = args
    if (commandLine === null || commandLine.length === 0) {
      throw new CommandError(
        exitCodes.usage,
        'no command given',
        'usage: ottla broker run [options] -- CMD...',
      )
    }
    const broker = await startBroker(context, args)
    const brokers = broker.listeners.map(addressText).join(',')
    try {
      return await context.processes.run(commandLine, {
        variables: { OTTLA_BROKERS: brokers, BROKERS: brokers, KAFKA_BOOTSTRAP_SERVERS: brokers },
        signal: context.signal,
      })
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT') && !hasErrorCode(error, 'EACCES')) throw error
      throw new CommandError(
        exitCodes.usage,
        `cannot start ${commandLine[0]}`,
        'is it on the PATH?',
        { cause: error },
      )
    } finally {
      await broker.stop()
    }
  },
})

async function startBroker(context: CommandContext, args: Args<typeof options>): Promise<Broker> {
  const filesMax = await openFilesMax(context)
  const configs = await brokerConfigs(context, args)
  const path = args.data === undefined ? '/memory' : context.path(args.data)
  context.processes.prepareToServe()
  const disk = args.data === undefined ? new MemoryDisk() : context.env.disk
  try {
    return await Broker.start({
      env: { ...context.env, disk },
      dataPath: path,
      nodeId: 1,
      clusterId: null,
      configs,
      listen,
      advertise: null,
      topics: args.topic,
      adopt: false,
      process: { pid: context.processes.pid, bootId: await context.processes.bootId() },
      filesMax,
    })
  } catch (error) {
    throw brokerFailure(error, { listen, path })
  }
}
