/** A controller with its store, image and registered brokers, over an environment in memory. */

import { type BrokerRegistration, registerBroker } from '../../lib/controller/brokers.ts'
import { Controller, type ControllerOptions } from '../../lib/controller/controller.ts'
import type { Env } from '../../lib/io/env.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { MetadataFollower } from '../../lib/metadata/follower.ts'
import { MemoryStore } from '../../lib/metadata/memory/store.ts'
import type { MetadataStore, Session } from '../../lib/metadata/store.ts'

export const clusterId = 'cluster-of-the-tests00'

export interface Scene {
  readonly env: Env
  readonly store: MetadataStore
  readonly follower: MetadataFollower
  readonly session: Session
  readonly registration: BrokerRegistration
  readonly controller: Controller
}

/** Broker `brokerId` (1), registered and controller, beside `others` that are only registered. */
export async function startController({
  env = memoryEnv(),
  store = new MemoryStore(),
  brokerId = 1,
  others = [],
  isClean = false,
  ...options
}: {
  env?: Env
  store?: MetadataStore
  brokerId?: number
  others?: readonly number[]
  isClean?: boolean
} & Partial<
  Pick<ControllerOptions, 'staticConfigs' | 'ignoresCase' | 'timeoutMs'>
> = {}): Promise<Scene> {
  const follower = await MetadataFollower.start({ store, clusterId, env })
  const { session, registration } = await register({ env, store, follower, brokerId, isClean })
  for (const id of others) await register({ env, store, follower, brokerId: id, isClean })
  const controller = await Controller.start({
    env,
    store,
    follower,
    session,
    brokerId,
    incarnation: registration.incarnation,
    staticConfigs: {},
    ...options,
  })
  return { env, store, follower, session, registration, controller }
}

let incarnations = 0

/** Registers one more broker. */
export async function register(options: {
  env: Env
  store: MetadataStore
  follower: MetadataFollower
  brokerId: number
  isClean?: boolean
}): Promise<{ session: Session; registration: BrokerRegistration }> {
  const { env, store, follower, brokerId, isClean = false } = options
  const session = await store.grant(9000)
  const registration = await registerBroker({
    env,
    store,
    keys: follower.keys,
    session,
    brokerId,
    incarnation: `incarnation-${++incarnations}`,
    listeners: [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9092 + brokerId }],
    rack: null,
    dirs: [],
    isClean,
    state: 'active',
  })
  const { revision } = await store.range('')
  await follower.waitFor(revision, 1000)
  return { session, registration }
}
