/**
 * Starting and stopping a broker, step by step. Each step's undoing is noted as it is done, so a
 * start that fails leaves nothing behind.
 *
 *   start  lock and check the directory - listen, requests wait - metadata store, follower - load the
 *          logs (recovery) - register - run for controller, elections - make and lead partitions -
 *          declared topics - broker.json - serve
 *   stop   answer parked fetches, accept no more, finish what is in work - give up the controller's
 *          office - sync and close the logs, clean mark - deregister - close the store - let go of
 *          the directory
 *
 * The port is known before it is registered, so no address with port 0 is ever told to anyone.
 */

import { SettingError } from '../base/setting.ts'
import type { TopicId } from '../base/types.ts'
import { randomUuid } from '../base/uuid.ts'
import { adoptDirectory } from '../controller/adopt.ts'
import { type BrokerRegistration, registerBroker } from '../controller/brokers.ts'
import { Controller } from '../controller/controller.ts'
import { reportDeletions } from '../controller/deletions.ts'
import { GroupCoordinator } from '../coordinator/group/group-coordinator.ts'
import { writeFileAtomic } from '../io/disk.ts'
import type { Address } from '../io/network.ts'
import { ensureCluster } from '../metadata/cluster.ts'
import { openEmbeddedStore } from '../metadata/embedded/store.ts'
import { MetadataFollower } from '../metadata/follower.ts'
import { ProducerIds } from '../metadata/producer-ids.ts'
import type { MetadataStore, Session } from '../metadata/store.ts'
import { ReplicaManager } from '../replication/replica-manager.ts'
import { LogCleaner } from '../storage/cleaner/log-cleaner.ts'
import { DataDirectoryError, LogDir } from '../storage/log-dir.ts'
import { acceptorLimits } from '../wire/acceptor.ts'
import type { BrokerListener, BrokerOptions, BrokerState, ListenerOptions } from './broker-state.ts'
import { createDeclared, parseDeclaredTopic } from './declared-topics.ts'

/** How long requests in work may take to finish when the broker stops. */
const drainMs = 10_000
/** How long removing the logs of a deleted topic may take before it is looked at again. */
const deletionReportMs = 60_000
const mainListenerName = 'PLAINTEXT'

export interface Started {
  readonly listeners: readonly BrokerListener[]
  /** What undoes the steps, in the order of the steps. */
  readonly undo: readonly Undo[]
}

type Undo = () => Promise<unknown>

export async function startParts(options: BrokerOptions, state: BrokerState): Promise<Started> {
  const undo: Undo[] = []
  try {
    const listeners = await start(options, state, undo)
    return { listeners, undo }
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => {})
    throw error
  }
}

export async function stopParts({ undo }: Started, state: BrokerState): Promise<void> {
  const { env } = state
  env.log.info('broker stopping', { brokerId: state.brokerId })
  const failures: unknown[] = []
  for (const step of [...undo].reverse()) {
    try {
      await step()
    } catch (error) {
      failures.push(error)
      env.log.error('stop failed', { reason: String(error) })
    }
  }
  if (failures.length > 0) {
    throw new Error('the broker did not stop in good order', { cause: failures[0] })
  }
  env.log.info('broker stopped', { brokerId: state.brokerId })
}

async function start(
  options: BrokerOptions,
  state: BrokerState,
  undo: Undo[],
): Promise<BrokerListener[]> {
  const { env, dataPath, adopt } = options
  const declared = options.topics.map(parseDeclaredTopic)
  const logDir = await LogDir.open({
    env,
    path: dataPath,
    nodeId: options.nodeId,
    clusterId: options.clusterId ?? undefined,
    config: state.config,
    adopt,
    segmentFilesMax: state.openFiles.segmentFiles,
  })
  undo.push(() => logDir.close())
  state.clusterId = logDir.clusterId
  const listeners = await listen(options, state, undo)
  const { store, isNew } = await openStore(options, state, { logDir, undo })
  const { metadata, replicas } = await followMetadata(state, { logDir, store }, undo)
  const groups = coordinateGroups(state, { metadata, replicas }, undo)
  await loadLogs(state, { logDir, replicas, metadata, isNew })
  const cleaner = await LogCleaner.start(logDir, state.config)
  undo.push(() => cleaner.close())
  metadata.subscribe(() => cleaner.setConfig(state.config))
  const controller = await joinCluster(options, state, {
    logDir,
    store,
    metadata,
    listeners,
    undo,
  })
  const producerIds = new ProducerIds(store, metadata.keys)
  state.complete({ metadata, controller, replicas, producerIds, groups })
  replicas.onImage(metadata.image)
  await replicas.whenApplied(metadata.image.revision, Number.MAX_SAFE_INTEGER)
  const stopReporting = reportDeletions({
    env,
    follower: metadata,
    controller,
    brokerId: state.brokerId,
    whenApplied: (revision) => replicas.whenApplied(revision, deletionReportMs),
  })
  undo.push(async () => stopReporting())
  await createDeclared(state, declared)
  await writeNote(options, listeners, undo)
  undo.push(async () => {
    groups.close()
    replicas.drain()
    await state.acceptor.close(drainMs)
  })
  state.acceptor.open()
  env.log.info('broker started', {
    brokerId: state.brokerId,
    clusterId: state.clusterId,
    listeners: listeners.map(({ name, host, port }) => `${name}://${host}:${port}`),
    partitions: replicas.partitionCount,
    wasClean: logDir.isClean,
  })
  tellOfLimits(options, state)
  return listeners
}

/** A limit of the system below our own shows in refused connections: it is said before that. */
function tellOfLimits({ filesMax }: BrokerOptions, { env, openFiles }: BrokerState): void {
  const { connectionsMax } = acceptorLimits
  if (openFiles.connections >= connectionsMax) return
  env.log.warn('open files limited', { filesMax, ...openFiles, why: 'see ulimit -n' })
}

/** Binds all listeners; what is told of each is its advertised address with the real port. */
async function listen(
  options: BrokerOptions,
  { acceptor }: BrokerState,
  undo: Undo[],
): Promise<BrokerListener[]> {
  const all: ListenerOptions[] = [
    { name: mainListenerName, listen: options.listen, advertise: options.advertise },
    ...(options.listeners ?? []),
  ]
  undo.push(() => acceptor.close(0))
  const listeners: BrokerListener[] = []
  for (const { name, listen: address, advertise } of all) {
    const { host } = advertise ?? address
    if (/^(0\.0\.0\.0|::|\[::\])$/.test(host)) {
      throw new SettingError(
        `listener ${name}: clients cannot connect to ${host}; say what they are to use instead (--advertise HOST:PORT)`,
      )
    }
    const bound: Address = await acceptor.listen(name, address)
    listeners.push({ name, host, port: advertise?.port || bound.port })
  }
  return listeners
}

async function openStore(
  { env, dataPath }: BrokerOptions,
  { clusterId, brokerId }: BrokerState,
  { logDir, undo }: { logDir: LogDir; undo: Undo[] },
): Promise<{ store: MetadataStore; isNew: boolean }> {
  const store = await openEmbeddedStore({ env, path: `${dataPath}/metadata` })
  undo.push(() => store.close())
  if (logDir.needsAdoption) {
    await adoptDirectory({ env, store, dataPath, clusterId, brokerId })
    await logDir.completeAdoption()
  }
  const { isNew } = await ensureCluster({ env, store, clusterId })
  return { store, isNew }
}

async function followMetadata(
  state: BrokerState,
  { logDir, store }: { logDir: LogDir; store: MetadataStore },
  undo: Undo[],
): Promise<{ metadata: MetadataFollower; replicas: ReplicaManager }> {
  const { env, brokerId, clusterId } = state
  const replicas = new ReplicaManager({
    env,
    brokerId,
    logDir,
    topicConfig: (image, topic) => state.settings.topicConfig(image, topic.configs),
    minIsr: (image, topic, replicationFactor) =>
      state.settings.minIsr(image, topic.configs, replicationFactor),
    fetchSessionSlots: () => state.config['max.incremental.fetch.session.cache.slots'],
  })
  undo.push(() => replicas.close())
  const metadata = await MetadataFollower.start({
    store,
    clusterId,
    env,
    onImage: (image) => {
      if (state.onImage(image)) logDir.setConfig(state.config)
    },
  })
  undo.push(async () => metadata.close())
  return { metadata, replicas }
}

/** Shards are read in as soon as the replica manager leads their partitions. */
function coordinateGroups(
  state: BrokerState,
  { metadata, replicas }: { metadata: MetadataFollower; replicas: ReplicaManager },
  undo: Undo[],
): GroupCoordinator {
  const { env } = state
  const groups = new GroupCoordinator({
    env,
    image: metadata.image,
    config: () => state.config,
    onFatal: (error) => state.fail(error),
  })
  undo.push(async () => groups.close())
  metadata.subscribe((image) => groups.onImage(image))
  replicas.onPartition = (partition) => groups.onPartition(partition)
  return groups
}

/** Reads what is on disk; from then on the replica manager follows the metadata. */
async function loadLogs(
  state: BrokerState,
  {
    logDir,
    replicas,
    metadata,
    isNew,
  }: { logDir: LogDir; replicas: ReplicaManager; metadata: MetadataFollower; isNew: boolean },
): Promise<void> {
  const { image } = metadata
  const logs = await logDir.loadLogs((topic, topicId) => {
    const known = image.topics.get(topic)
    return state.settings.topicConfig(image, isTopic(known, topicId) ? known.configs : {})
  })
  if (isNew && logs.length > 0) {
    throw new DataDirectoryError(
      `${logDir.path} has ${logs.length} partitions but no metadata that knows them. Restore ${logDir.path}/metadata, or give another --data`,
    )
  }
  replicas.adopt(logs)
  metadata.subscribe((next) => replicas.onImage(next))
}

function isTopic<T extends { topicId: TopicId }>(
  topic: T | undefined,
  topicId: TopicId | null,
): topic is T {
  return topic !== undefined && topic.topicId === topicId
}

interface JoinOptions {
  readonly logDir: LogDir
  readonly store: MetadataStore
  readonly metadata: MetadataFollower
  readonly listeners: readonly BrokerListener[]
  readonly undo: Undo[]
}

/** Registers the broker and runs for controller; when it resolves, partitions have leaders. */
async function joinCluster(
  options: BrokerOptions,
  state: BrokerState,
  { logDir, store, metadata, listeners, undo }: JoinOptions,
): Promise<Controller> {
  const { env, brokerId, config } = state
  const session = await store.grant(config['broker.session.timeout.ms'])
  session.onLost(() => state.fail(new Error('the broker lost its session in the metadata store')))
  undo.push(() => session.end())
  const incarnation = randomUuid((count) => env.random.bytes(count))
  const registration = await registerBroker({
    env,
    store,
    keys: metadata.keys,
    session,
    brokerId,
    incarnation,
    listeners,
    rack: config['broker.rack'],
    dirs: [logDir.directoryId],
    isClean: logDir.isClean,
  })
  undo.push(() => leave(logDir, registration, session))
  await registration.setState('active')
  const controller = await Controller.start({
    env,
    store,
    follower: metadata,
    session,
    brokerId,
    incarnation,
    staticConfigs: options.configs,
  })
  undo.push(() => controller.close())
  return controller
}

async function leave(
  logDir: LogDir,
  registration: BrokerRegistration,
  session: Session,
): Promise<void> {
  const isClean = await logDir.closeLogs()
  if (session.isAlive) await registration.end({ isClean })
}

/** broker.json: which process serves the directory, and where. */
async function writeNote(
  { env, dataPath, nodeId, process }: BrokerOptions,
  listeners: readonly BrokerListener[],
  undo: Undo[],
): Promise<void> {
  if (process === null) return
  const path = `${dataPath}/broker.json`
  const note = { v: 1, ...process, nodeId, listeners }
  await writeFileAtomic(env.disk, path, Buffer.from(`${JSON.stringify(note)}\n`))
  undo.push(() => env.disk.remove(path))
}
