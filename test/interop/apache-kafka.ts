/**
 * Apache Kafka as a peer: its jars from Maven Central (once, into a cache folder), its tools by
 * class name, and a throw-away broker. Needs a Java 17 runtime and, for the first time, Maven.
 * $OTTLA_KAFKA_HOME names a folder whose libs/ holds the jars already.
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isInstalled, type Outcome, output, run } from './process.ts'

const version = '4.3.1'
const pom = 'test/interop/kafka-pom.xml'

const tools = {
  'kafka-e2e-latency': 'org.apache.kafka.tools.EndToEndLatency',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-dump-log': 'org.apache.kafka.tools.DumpLogSegments',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-storage': 'kafka.tools.StorageTool',
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
} as const
export type ToolName = keyof typeof tools

/** As kafka-run-class.sh has them. */
const speedFlags = [
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
]

export interface KafkaBroker {
  readonly address: string
  /** Its log directory. */
  readonly data: string
  /** Of the process that runs now. */
  readonly pid: number
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Once more after `stop`, on the same address and directory. */
  restart(): Promise<void>
  remove(): void
}

export interface ApacheKafka {
  /** To be run by oneself. */
  commandLine(name: ToolName, args: readonly string[]): string[]
  tool(name: ToolName, args: readonly string[], input?: string): Promise<string>
  /** As `tool`, but the outcome whatever it is. */
  tryTool(name: ToolName, args: readonly string[], input?: string): Promise<Outcome>
  startBroker(settings?: Readonly<Record<string, string>>): Promise<KafkaBroker>
}

/** Apache Kafka, or a sentence that says what is missing and how to get it. */
export async function apacheKafka({
  forSpeed = false,
}: {
  /** The JVM as Kafka's own scripts start it, instead of one that starts soon. */
  forSpeed?: boolean
} = {}): Promise<ApacheKafka | string> {
  if (!(await isInstalled('java')))
    return 'java is missing; Debian: apt-get install openjdk-17-jre-headless'
  const home =
    process.env['OTTLA_KAFKA_HOME'] ??
    join(
      process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
      `ottla-interop/kafka-${version}`,
    )
  const libs = join(home, 'libs')
  if (!existsSync(join(libs, `kafka-clients-${version}.jar`))) {
    if (!(await isInstalled('mvn')))
      return 'mvn is missing, which fetches Apache Kafka; Debian: apt-get install maven'
    mkdirSync(libs, { recursive: true })
    try {
      await output(
        ['mvn', '-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${libs}`],
        { timeoutMs: 600_000 },
      )
    } catch (error) {
      rmSync(home, { recursive: true, force: true })
      return `Apache Kafka ${version} could not be fetched by Maven: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  const jvm = [
    'java',
    ...(forSpeed ? speedFlags : ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']),
    '-cp',
    `${libs}/*`,
  ]
  const commandLine = (name: ToolName, args: readonly string[]) => [...jvm, tools[name], ...args]
  return {
    commandLine,
    tool: (name, args, input = '') => output(commandLine(name, args), { input }),
    tryTool: (name, args, input = '') => run(commandLine(name, args), { input }),
    startBroker: (settings = {}) =>
      startBroker(libs, settings, forSpeed ? ['-Xmx1G', '-Xms1G', ...speedFlags] : ['-Xmx768m']),
  }
}

async function startBroker(
  libs: string,
  settings: Readonly<Record<string, string>>,
  flags: readonly string[],
): Promise<KafkaBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-interop-kafka-'))
  const [port, controllerPort] = [await freePort(), await freePort()]
  const data = join(folder, 'data')
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': data,
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'group.initial.rebalance.delay.ms': '0',
    ...settings,
  }
  const file = join(folder, 'server.properties')
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  await output(
    [
      'java',
      '-cp',
      `${libs}/*`,
      tools['kafka-storage'],
      'format',
      '-t',
      'b3R0bGEtaW50ZXJvcC0xMQ',
      '-c',
      file,
    ],
    {},
  )
  const launch = () => launchBroker(libs, file, { port, flags })
  let broker = await launch()
  return {
    address: `127.0.0.1:${port}`,
    data,
    get pid() {
      return broker.pid
    },
    stop: (signal) => broker.stop(signal),
    async restart() {
      broker = await launch()
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Resolves when it is ready. */
async function launchBroker(
  libs: string,
  file: string,
  { port, flags }: { port: number; flags: readonly string[] },
): Promise<{ pid: number; stop(signal?: NodeJS.Signals): Promise<void> }> {
  // Its output is silenced, so an open port tells that it is ready.
  const child = spawn('java', [...flags, '-cp', `${libs}/*`, 'kafka.Kafka', file], {
    stdio: 'ignore',
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const deadline = performance.now() + 90_000
  while (!(await isOpen(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`Apache Kafka did not start; its settings: ${file}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    pid: child.pid ?? 0,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      await ended
    },
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.on('connect', () => resolve(socket.destroy() !== null))
    socket.on('error', () => resolve(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
