/** A cluster for the tests of a program that speaks to Kafka: one broker in the test's own process. */

import { Broker } from '../broker/broker.ts'
import { singleNodeConfigs } from '../config/broker-groups.ts'
import { checkBrokerConfigs, unknownSetting } from '../config/config.ts'
import { MemoryDisk } from '../io/memory/disk.ts'
import { addressText } from '../io/network.ts'
import { nodeEnv } from '../io/node/env.ts'
import { type HookOptions, type RequestHook, RequestHooks } from './request-hooks.ts'

export interface ClusterOptions {
  /** Only 1 so far. */
  readonly brokers?: 1
  /** There from the start: `name`, `name:partitions` or `name:partitions:key=value,...`. */
  readonly topics?: readonly string[]
  /**
   * Settings of the broker. Groups begin at once (group.initial.rebalance.delay.ms=0), and sessions
   * may be as short as a test likes (group.min.session.timeout.ms=1), unless they say otherwise.
   */
  readonly configs?: Readonly<Record<string, string | number | boolean>>
  /** A directory for the data; it is kept. Without it everything stays in memory. */
  readonly data?: string
  /** Default any free one. */
  readonly port?: number
}

export interface TestCluster {
  /** `host:port` of each broker, as clients want them. */
  readonly brokers: string[]
  /** The same, with commas. */
  readonly bootstrapServers: string
  /** Lets `hook` decide what becomes of requests of this API ('Produce', 'JoinGroup', ...); returns what ends that. */
  on(api: string, hook: RequestHook, options?: HookOptions): () => void
  /** How many requests of this API there have been. */
  count(api: string): number
  /** Stops the brokers; what is in memory is gone. Later calls wait for the first. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const testConfigs = {
  ...singleNodeConfigs,
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1',
}

/** Resolves when the cluster serves. Error for settings and topics that are not valid, system errors of the port. */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const { brokers = 1, topics = [], data, port = 0 } = options
  if (brokers !== 1)
    throw new Error(`brokers: ${String(brokers)}; a cluster of one is what there is`)
  const real = nodeEnv()
  const env = data === undefined ? { ...real, disk: new MemoryDisk() } : real
  const hooks = new RequestHooks(env.clock)
  const broker = await Broker.start({
    env,
    dataPath: data ?? '/memory',
    nodeId: 1,
    clusterId: null,
    configs: configsOf(options),
    listen: { host: '127.0.0.1', port },
    advertise: null,
    topics: topics.map((topic) => (topic.includes(':') ? topic : `${topic}:1`)),
    adopt: false,
    process: null,
    intercept: hooks.intercept,
  })
  const addresses = broker.listeners.map(addressText)
  const stop = () => {
    hooks.close()
    return broker.stop()
  }
  return {
    brokers: addresses,
    bootstrapServers: addresses.join(','),
    on: (api, hook, hookOptions = {}) => hooks.add(api, hook, hookOptions),
    count: (api) => hooks.count(api),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function configsOf({ configs = {} }: ClusterOptions) {
  const texts = Object.entries(configs).map(([key, value]) => [key, String(value)])
  const { configs: checked, unknown } = checkBrokerConfigs({
    ...testConfigs,
    ...Object.fromEntries(texts),
  })
  const [first] = unknown
  if (first !== undefined) throw unknownSetting(first)
  return checked
}
