/**
 * Controller: the one broker that changes the cluster's metadata. Any broker may be it: the one that
 * puts the `controller` key, which lives and dies with its session; its epoch is the key's
 * createRevision. On taking office it reads everything, then acts. All its duties are idempotent
 * scans ("what is wrong now?"), so a change that was missed is only late.
 */

import { KafkaError } from '../base/errors.ts'
import type { BrokerId, TopicId } from '../base/types.ts'
import type { Configs } from '../config/config.ts'
import type { Timer } from '../io/clock.ts'
import type { Env } from '../io/env.ts'
import type { MetadataFollower } from '../metadata/follower.ts'
import type { ClusterImage } from '../metadata/image.ts'
import type { ControllerValue } from '../metadata/keys.ts'
import { allocateProducerIdBlock, type ProducerIdBlock } from '../metadata/producer-ids.ts'
import type { MetadataStore, Revision, Session } from '../metadata/store.ts'
import { alterConfigs, type ConfigChange } from './configs.ts'
import { Desk } from './desk.ts'
import { Office } from './office.ts'
import { repairPartitions } from './partitions.ts'
import {
  type CreatedTopic,
  createPartitions,
  createTopic,
  deleteTopic,
  eraseTopicId,
  type NewPartitions,
  type NewTopic,
} from './topics.ts'

export interface ControllerOptions {
  readonly env: Env
  readonly store: MetadataStore
  readonly follower: MetadataFollower
  /** The broker's own session: losing it is losing the office. */
  readonly session: Session
  readonly brokerId: BrokerId
  readonly incarnation: string
  /** The broker's file and flags, checked. */
  readonly staticConfigs: Configs
  /** The file system of the logs takes `A` and `a` for one name. */
  readonly ignoresCase?: boolean
  /** How long a change may take to be seen in the image. */
  readonly timeoutMs?: number
}

export class Controller {
  readonly #options: ControllerOptions
  readonly #desk: Desk
  readonly #unsubscribe: () => void
  /** Brokers that said they hold nothing of a deleted topic any more. */
  readonly #dropped = new Map<TopicId, Set<BrokerId>>()
  #scanning: Promise<void> | null = null
  #isScanDue = false
  #retry: Timer | null = null
  #isClosed = false

  private constructor(options: ControllerOptions) {
    this.#options = options
    this.#desk = new Desk({
      env: options.env,
      follower: options.follower,
      brokerId: options.brokerId,
      staticConfigs: options.staticConfigs,
      ignoresCase: options.ignoresCase ?? false,
      timeoutMs: options.timeoutMs ?? 30_000,
    })
    this.#unsubscribe = options.follower.subscribe((image, before) => this.#onImage(image, before))
    options.session.onLost(() => this.#desk.take(null))
  }

  /** Runs for the office. When it resolves, someone holds it; if that is us, all is in order. */
  static async start(options: ControllerOptions): Promise<Controller> {
    const controller = new Controller(options)
    await controller.#run()
    return controller
  }

  /** Whether this broker is the controller, as far as it knows. */
  get isActive(): boolean {
    return this.#desk.isInOffice
  }

  async #run(): Promise<void> {
    if (this.#isClosed || this.isActive || !this.#options.session.isAlive) return
    const { store, follower, session, brokerId, incarnation, env } = this.#options
    const key = follower.keys.controller
    const value: ControllerValue = { v: 1, brokerId, incarnation }
    await store.txn(
      [{ kind: 'absent', key }],
      [{ kind: 'put', key, value: JSON.stringify(value), session }],
    )
    // What became of it is read, whether the answer came or was lost.
    const { revision, keyValues } = await store.range(key)
    const found = keyValues.find((one) => one.key === key)
    await follower.waitFor(revision, this.#options.timeoutMs ?? 30_000)
    if (!found || found.session !== session.id) return
    this.#desk.take(
      new Office({ env, store, keys: follower.keys, brokerId, epoch: found.createRevision }),
    )
    env.log.info('controller.elected', { brokerId, epoch: found.createRevision })
    await this.#sweep()
    await this.#scan()
  }

  #onImage(image: ClusterImage, before: ClusterImage): void {
    if (this.#isClosed) return
    if (image.controllerId === -1) this.#again(() => this.#run(), 'controller.run_failed')
    if (!this.isActive) return
    const isRelevant =
      image.brokers !== before.brokers ||
      image.topicConfigs !== before.topicConfigs ||
      image.brokerConfigs !== before.brokerConfigs ||
      image.defaultBrokerConfig !== before.defaultBrokerConfig
    if (isRelevant) this.#again(() => this.#scan(), 'controller.scan_failed')
  }

  /** Does `task` in the background; when it fails, again in a second. */
  #again(task: () => Promise<void>, event: string): void {
    void task().catch((error: unknown) => {
      const { env } = this.#options
      env.log.warn(event, { error: String(error) })
      if (this.#isClosed || !this.#options.session.isAlive) return
      this.#retry?.cancel()
      this.#retry = env.clock.timer(1000, () => this.#again(task, event), { unref: true })
    })
  }

  /** Puts right what is wrong with partitions now, and once more if something changed meanwhile. */
  async #scan(): Promise<void> {
    this.#isScanDue = true
    this.#scanning ??= this.#scanWhileDue().finally(() => {
      this.#scanning = null
    })
    await this.#scanning
  }

  async #scanWhileDue(): Promise<void> {
    while (this.#isScanDue && this.isActive && !this.#isClosed) {
      this.#isScanDue = false
      await repairPartitions(this.#desk)
    }
  }

  /** Removes what a former controller left half created: it cannot finish it any more. */
  async #sweep(): Promise<void> {
    const { image, env } = this.#desk
    for (const topic of image.topicIds.values()) {
      if (topic.state !== 'creating' || this.#desk.pending.has(topic.name)) continue
      env.log.warn('controller.half_created_topic_swept', { topic: topic.name, id: topic.topicId })
      await eraseTopicId(this.#desk, topic)
    }
  }

  /** Resolves when the topic is in this broker's image. Throws KafkaError as CreateTopics answers. */
  createTopic(topic: NewTopic): Promise<CreatedTopic> {
    return this.#task(() => createTopic(this.#desk, topic))
  }

  /** Resolves when it is out of this broker's image. Throws TOPIC_DELETION_DISABLED, UNKNOWN_TOPIC_OR_PARTITION. */
  deleteTopic(name: string): Promise<Revision> {
    return this.#task(() => deleteTopic(this.#desk, name))
  }

  /** Throws KafkaError as CreatePartitions answers. */
  createPartitions(partitions: NewPartitions): Promise<Revision> {
    return this.#task(() => createPartitions(this.#desk, partitions))
  }

  /** Throws KafkaError as IncrementalAlterConfigs answers. */
  alterConfigs(change: ConfigChange): Promise<Revision> {
    return this.#task(() => alterConfigs(this.#desk, change))
  }

  /** A block of producer ids that nobody else has. */
  allocateProducerIds(): Promise<ProducerIdBlock> {
    const { store, follower } = this.#options
    return allocateProducerIdBlock(store, follower.keys)
  }

  /**
   * A broker holds nothing any more of these deleted topics (`image.topicIds` with state deleting).
   * When all live brokers with replicas have said so, the topic's last keys go.
   */
  async reportDropped(brokerId: BrokerId, topicIds: readonly TopicId[]): Promise<void> {
    await this.#task(async () => {
      for (const topicId of topicIds) {
        const topic = this.#desk.image.topicIds.get(topicId)
        if (topic?.state !== 'deleting') continue
        const reported = this.#dropped.get(topicId) ?? new Set()
        this.#dropped.set(topicId, reported.add(brokerId))
        if (!this.#isDroppedEverywhere(topicId, reported)) continue
        this.#dropped.delete(topicId)
        await eraseTopicId(this.#desk, topic)
      }
    })
  }

  #isDroppedEverywhere(topicId: TopicId, reported: ReadonlySet<BrokerId>): boolean {
    const { image } = this.#desk
    const partitions = image.partitionsOf.get(topicId) ?? []
    return partitions.every(({ replicas }) =>
      replicas.every((id) => reported.has(id) || !image.brokers.has(id)),
    )
  }

  async #task<T>(task: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new KafkaError('NOT_CONTROLLER', 'the broker is stopping')
    this.#desk.office()
    return task()
  }

  /** Gives up the office at once, so that another broker need not wait for the session to end. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unsubscribe()
    this.#retry?.cancel()
    await this.#scanning?.catch(() => {})
    if (!this.#desk.isInOffice) return
    const { epoch } = this.#desk.office()
    this.#desk.take(null)
    const key = this.#options.follower.keys.controller
    await this.#options.store.txn(
      [{ kind: 'createRevision', key, revision: epoch }],
      [{ kind: 'delete', key }],
    )
  }
}
