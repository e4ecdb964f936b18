/**
 * `demo`: the main job, live, with nothing but this package: a broker on a free port, a log file
 * piped in, the end of it tailed out, the offsets. Each step is the command that it shows, run as a
 * process of its own; everything is removed at the end.
 */

import { join } from 'node:path'
import { Broker } from '../lib/broker/broker.ts'
import { singleNodeConfigs } from '../lib/config/broker-groups.ts'
import { addressText } from '../lib/io/network.ts'
import { type CommandContext, CommandError, command, exitCodes } from './command.ts'

const topic = 'app-log'

interface Step {
  readonly about: string
  readonly args: readonly string[]
  /** The file that it reads from, of the package. */
  readonly stdin?: string
}

const steps: readonly Step[] = [
  {
    about: 'Pipe a log file into a topic.',
    args: ['produce', topic],
    stdin: 'fixtures/demo/app.log',
  },
  {
    about: 'The last five lines; tail follows until it is stopped, here after half a quiet second.',
    args: ['tail', topic, '-n', '5', '--idle', '500ms'],
  },
  { about: 'How much each partition holds.', args: ['topic', 'offsets', topic] },
]

export const demo = command({
  name: 'demo',
  about: 'show the main job live, and clean up',
  options: {},
  examples: [['demo', 'About three seconds.']],
  isLocal: true,
  onSignal: 'own',
  run: async (context) => {
    const folder = join(context.variable('TMPDIR') ?? '/tmp', `ottla-demo-${context.processes.pid}`)
    const broker = await startBroker(context, folder)
    const brokers = broker.listeners.map(addressText).join(',')
    try {
      await context.out.line(
        '# A broker, its data in a new directory, and a topic of three partitions.',
      )
      await context.out.line(
        `$ ottla broker start --listen 127.0.0.1:0 --data ${folder} --topic ${topic}:3`,
      )
      await context.out.line(`BROKERS=${brokers}`)
      for (const step of steps) await runStep(context, step, brokers)
    } finally {
      await broker.stop()
      await context.env.disk.remove(folder)
    }
    await context.out.line(`\n# The broker is stopped and ${folder} removed. Next: ottla help`)
    return exitCodes.done
  },
})

function startBroker({ env, processes }: CommandContext, folder: string): Promise<Broker> {
  return Broker.start({
    env,
    dataPath: folder,
    nodeId: 1,
    clusterId: null,
    configs: singleNodeConfigs,
    listen: { host: '127.0.0.1', port: 0 },
    advertise: null,
    topics: [`${topic}:3`],
    adopt: false,
    process: { pid: processes.pid, bootId: '' },
  })
}

async function runStep(
  { out, processes, signal }: CommandContext,
  { about, args, stdin }: Step,
  brokers: string,
): Promise<void> {
  if (signal.aborted) throw new CommandError(exitCodes.interrupted, 'interrupted')
  const redirect = stdin === undefined ? '' : ` < ${stdin}`
  await out.line(`\n# ${about}\n$ ottla ${args.join(' ')}${redirect}`)
  const exit = await processes.run([...processes.self, ...args], {
    variables: { OTTLA_BROKERS: brokers },
    signal,
    ...(stdin === undefined ? {} : { stdin: join(processes.packageFolder, stdin) }),
  })
  if (exit !== 0) throw new CommandError(exit, `ottla ${args.join(' ')} ended with ${exit}`)
}
