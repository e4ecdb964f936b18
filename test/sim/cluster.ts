/**
 * One broker with its topics, what clients were told of them, and the invariants that are looked at
 * after each event (the cheap ones) and every so often (reading its files).
 */

import type { Interceptor } from '../../lib/broker/dispatch.ts'
import { OffsetCommit } from '../../lib/protocol/apis/offset-commit.ts'
import type { RequestOf } from '../../lib/protocol/schema.ts'
import type { Partition } from '../../lib/replication/partition.ts'
import { isShortage } from '../../lib/storage/disk-failure.ts'
import { PartitionAudit, Violation } from './audit.ts'
import { BrokerHost, type BrokerHostOptions } from './broker-host.ts'
import type { GroupLedger } from './group-ledger.ts'
import { PartitionLedger } from './ledger.ts'
import type { SimNetwork } from './network.ts'
import { Rot } from './rot.ts'
import type { World } from './world.ts'

export interface TopicPlan {
  readonly name: string
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
  /** Records are deleted from it by DeleteRecords. */
  readonly isTrimmed: boolean
  /** Its records have so many keys, and the cleaner keeps the latest of each; 0: none, and it keeps all. */
  readonly keys: number
}

/** What is remembered of a partition in one life of its broker. */
interface Watched {
  readonly partition: Partition
  highWatermark: number
  leaderEpoch: number
}

export class Cluster {
  readonly id: number
  readonly host: BrokerHost
  readonly world: World
  readonly topics: readonly TopicPlan[]
  readonly ledgers = new Map<string, PartitionLedger>()
  /** By the group's name. */
  readonly groups = new Map<string, GroupLedger>()
  readonly rot: Rot
  readonly #audits = new Map<string, PartitionAudit>()
  #watched: Watched[] = []
  #partitionCount = 0

  constructor(
    world: World,
    network: SimNetwork,
    {
      topics,
      ...options
    }: Omit<BrokerHostOptions, 'topics' | 'intercept'> & { topics: readonly TopicPlan[] },
  ) {
    this.world = world
    this.id = options.id
    this.topics = topics
    const intercept: Interceptor = (call, run) => {
      this.#onRequest(call)
      return run()
    }
    this.host = new BrokerHost(world, network, {
      ...options,
      topics: topics.map(declared),
      intercept,
    })
    this.rot = new Rot(this, world.random(`rot ${options.id}`))
    for (const { name, partitions, configs, keys } of topics) {
      for (let partition = 0; partition < partitions; partition++) {
        const ledger = new PartitionLedger(`${name}-${partition}`, {
          isDurable: configs['ottla.durability'] !== 'replicated',
          isCompacted: keys > 0,
          hasRetention: 'retention.bytes' in configs || 'retention.ms' in configs,
        })
        this.ledgers.set(ledger.name, ledger)
        this.#audits.set(ledger.name, new PartitionAudit(ledger))
      }
    }
    this.host.onPowerCut = () => {
      for (const ledger of this.ledgers.values()) ledger.onPowerCut()
    }
    this.host.onUp = () => {
      this.#watched = []
      this.#partitionCount = 0
      this.auditAll()
    }
  }

  /** What is to be committed may have been read only. */
  #onRequest({ api, apiVersion, clientId, request }: Parameters<Interceptor>[0]): void {
    this.world.note('request', apiVersion, `${clientId} ${api.name}`)
    if (api !== OffsetCommit) return
    const { groupId, topics } = request as RequestOf<typeof OffsetCommit>
    const group = this.groups.get(groupId)
    try {
      for (const { partitions } of topics) {
        for (const { partitionIndex, committedOffset } of partitions) {
          this.world.note('commit asked', committedOffset, `${groupId}/${partitionIndex}`)
          group?.onCommitAsked(partitionIndex, committedOffset)
        }
      }
    } catch (violation) {
      this.world.fail(violation as Error)
    }
  }

  ledger(topic: string, partition: number): PartitionLedger {
    const found = this.ledgers.get(`${topic}-${partition}`)
    if (found === undefined) throw new Error(`no ledger of ${topic}-${partition}`)
    return found
  }

  /** After each event. */
  checkStep(): void {
    const { broker } = this.host
    if (broker === null) return
    for (const watched of this.#watchedNow()) {
      const { partition } = watched
      const { log, highWatermark, leaderEpoch } = partition
      const isOrdered =
        log.logStartOffset <= log.writtenEndOffset &&
        log.syncedEndOffset <= log.writtenEndOffset &&
        log.writtenEndOffset <= log.logEndOffset
      if (!isOrdered) this.#violated('order', partition)
      if (highWatermark > log.writtenEndOffset)
        this.#violated('high watermark beyond end', partition)
      const isDurable = partition.config['ottla.durability'] === 'fsync'
      if (isDurable && highWatermark > log.syncedEndOffset) {
        this.#violated('high watermark beyond what is synced', partition)
      }
      if (leaderEpoch === watched.leaderEpoch && highWatermark < watched.highWatermark) {
        this.#violated(`high watermark back from ${watched.highWatermark}`, partition)
      }
      if (highWatermark !== watched.highWatermark) {
        watched.highWatermark = highWatermark
        this.ledgers.get(partition.name)?.onHighWatermark(highWatermark)
      }
      watched.leaderEpoch = leaderEpoch
    }
  }

  /** The partitions, found anew when there are others. */
  #watchedNow(): readonly Watched[] {
    if (this.world.eventCount % 64 !== 0 && this.#watched.length > 0) return this.#watched
    const partitions = [...this.host.partitions()]
    if (partitions.length === this.#partitionCount) return this.#watched
    this.#partitionCount = partitions.length
    this.#watched = partitions.map((partition) => ({
      partition,
      highWatermark: -1,
      leaderEpoch: partition.leaderEpoch,
    }))
    return this.#watched
  }

  #violated(what: string, { name, log, highWatermark }: Partition): void {
    const { logStartOffset, syncedEndOffset, writtenEndOffset, logEndOffset } = log
    throw new Violation(
      'invariant',
      `${name}: ${what}: start ${logStartOffset}, high watermark ${highWatermark}, synced ${syncedEndOffset}, written ${writtenEndOffset}, end ${logEndOffset}`,
    )
  }

  /** Reads what was added to the files since. */
  auditNew(): void {
    for (const partition of this.host.partitions()) {
      const audit = this.#audits.get(partition.name)
      const ledger = this.ledgers.get(partition.name)
      if (audit === undefined || ledger?.isRotten !== false || !partition.isServing) continue
      audit.scan(this.host.machine.disk, partition)
      ledger.onHighWatermark(partition.highWatermark)
    }
  }

  /** Reads everything, and holds it against all that clients were told. */
  auditAll({ isEnd = false } = {}): void {
    for (const partition of this.host.partitions()) {
      const { name, log } = partition
      const audit = this.#audits.get(name)
      const ledger = this.ledgers.get(name)
      if (audit === undefined || ledger === undefined) continue
      if (log.failure !== null) {
        if (ledger.isRotten || this.host.machine.faults.failureCount > 0) continue
        // Nothing to write to when it was loaded: the next start finds room, or says so again.
        if (isShortage(log.failure)) continue
        throw new Violation('damage', `${name} is offline: ${log.failure.message}`)
      }
      audit.reset()
      if (ledger.isRotten) continue
      audit.scan(this.host.machine.disk, partition)
      ledger.check(log.logStartOffset, log.writtenEndOffset)
      if (isEnd) ledger.checkEnd(log.logStartOffset)
    }
  }
}

function declared({ name, partitions, configs }: TopicPlan): string {
  const settings = Object.entries(configs).map(([key, value]) => `${key}=${value}`)
  return [name, partitions, ...(settings.length > 0 ? [settings.join(',')] : [])].join(':')
}
