/**
 * A broker on its machine, and whoever keeps it running: it is started, killed, cut off from power,
 * stopped, and started again when it gave up by itself. Says a violation when it gives up or finds
 * damage for which no fault was injected.
 */

import { Broker } from '../../lib/broker/broker.ts'
import type { Interceptor } from '../../lib/broker/dispatch.ts'
import type { Configs } from '../../lib/config/config.ts'
import type { LogFields } from '../../lib/io/logger.ts'
import type { Partition } from '../../lib/replication/partition.ts'
import { DataDirectoryError } from '../../lib/storage/log-dir.ts'
import { Violation } from './audit.ts'
import type { CutMode } from './disk-faults.ts'
import { Machine } from './machine.ts'
import type { SimNetwork } from './network.ts'
import type { World } from './world.ts'

export type CrashKind = 'kill' | 'power'

export interface BrokerHostOptions {
  readonly id: number
  readonly configs: Configs
  readonly topics: readonly string[]
  readonly intercept: Interceptor
}

const dataPath = '/data'
/** A start or stop that takes longer is stuck. */
const startMsMax = 120_000

export class BrokerHost {
  readonly machine: Machine
  readonly world: World
  readonly address: { host: string; port: number }
  /** The broker while it serves. */
  broker: Broker | null = null
  /** It serves again after a start. */
  onUp: () => void = () => {}
  /** Power was cut: what was only written may be gone. */
  onPowerCut: () => void = () => {}
  startCount = 0
  /** Bytes rotted on its disk: damage is to be expected. */
  hasRot = false
  readonly #options: BrokerHostOptions
  /** Counts lives, so that what an earlier one left behind says nothing. */
  #life = 0
  /** Disk operations that had failed when this life began. */
  #failuresBefore = 0
  #isStopping = false

  constructor(world: World, network: SimNetwork, options: BrokerHostOptions) {
    this.world = world
    this.#options = options
    this.machine = new Machine(`broker-${options.id}`, world, network)
    this.address = { host: '127.0.0.1', port: 9091 + options.id }
    this.machine.onLog = (level, event, fields) => this.#onLog(level, event, fields)
  }

  get isDown(): boolean {
    return this.machine.process === null
  }

  *partitions(): Iterable<Partition> {
    if (this.broker !== null) yield* this.broker.partitions
  }

  start(): void {
    if (!this.isDown) return
    const life = ++this.#life
    this.startCount++
    this.#failuresBefore = this.machine.faults.failureCount
    const { id, configs, topics, intercept } = this.#options
    this.world.note('start', id)
    const started = Broker.start({
      env: this.machine.start(),
      dataPath,
      nodeId: id,
      clusterId: null,
      configs,
      listen: this.address,
      advertise: null,
      topics,
      adopt: false,
      process: null,
      intercept,
    })
    const stuck = this.world.after(startMsMax, () => {
      this.world.fail(new Violation('liveness', `broker ${id} did not start in ${startMsMax} ms`))
    })
    started.then(
      (broker) => {
        stuck.cancel()
        this.#onStarted(broker, life)
      },
      (error: unknown) => {
        stuck.cancel()
        if (life === this.#life) this.#onStartFailed(error)
      },
    )
    this.#cancelStuck = () => stuck.cancel()
  }

  #cancelStuck: () => void = () => {}

  #onStarted(broker: Broker, life: number): void {
    if (life !== this.#life) return
    this.world.note('up', this.#options.id)
    this.broker = broker
    broker.failed.then(
      () => this.#onFailed(broker, life),
      () => {},
    )
    try {
      this.onUp()
    } catch (error) {
      this.world.fail(error as Error)
    }
  }

  #onStartFailed(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.world.note('start failed', this.#options.id, text.split('\n')[0])
    if (!this.#isExplained(error)) {
      this.world.fail(new Violation('start', `broker ${this.#options.id} does not start: ${text}`))
    }
    this.#end('kill')
    this.world.after(200, () => this.start())
  }

  /** Whether a fault that was injected in this life may be the reason. */
  #isExplained(error: unknown): boolean {
    if (this.machine.faults.failureCount > this.#failuresBefore) return true
    if (this.machine.disk.capacityBytes < 1 << 28 || /ENOSPC/.test(String(error))) return true
    return this.hasRot && error instanceof DataDirectoryError
  }

  /** The broker gave up: as `ottla broker start` does, it is stopped, and somebody starts it again. */
  #onFailed(broker: Broker, life: number): void {
    if (life !== this.#life) return
    const { failure } = broker
    this.world.note('gave up', this.#options.id, failure?.message)
    if (!this.#isExplained(failure)) {
      this.world.fail(
        new Violation('gave-up', `broker ${this.#options.id} gave up: ${failure?.stack}`),
      )
    }
    this.#startAnew(life)
  }

  /** As somebody does who sees that it serves nothing any more. */
  #startAnew(life: number): void {
    this.world.after(500, () => {
      if (life !== this.#life) return
      this.#end('kill')
      this.start()
    })
  }

  /** The process ends at once; with `power` the machine does, and un-synced data goes as `cut` says. */
  crash(
    kind: CrashKind,
    { cut = 'lost', isSilent = false }: { cut?: CutMode; isSilent?: boolean },
  ): void {
    if (this.isDown) return
    this.world.note(`crash ${kind} ${cut}`, this.#options.id)
    this.#end(kind, { cut, isSilent })
  }

  #end(
    kind: CrashKind,
    { cut = 'lost', isSilent = false }: { cut?: CutMode; isSilent?: boolean } = {},
  ): void {
    this.#life++
    this.#cancelStuck()
    this.broker = null
    this.#isStopping = false
    this.machine.kill({ isSilent })
    if (kind === 'kill') return
    this.machine.disk.cutPower(this.machine.faults.powerCut(cut))
    this.onPowerCut()
  }

  /** A clean stop; the process has ended when it resolves. */
  async stop(): Promise<void> {
    const { broker } = this
    const life = this.#life
    if (broker === null || this.#isStopping) return
    this.#isStopping = true
    this.world.note('stop', this.#options.id)
    const before = this.machine.faults.failureCount
    try {
      await broker.stop()
    } catch (error) {
      const isExplained =
        this.machine.faults.failureCount > before || this.#isExplained(error) || this.hasRot
      if (life === this.#life && !isExplained) {
        this.world.fail(new Violation('stop', `broker ${this.#options.id}: ${String(error)}`))
      }
    }
    if (life !== this.#life) return
    this.world.note('stopped', this.#options.id)
    this.#end('kill')
  }

  #onLog(level: string, event: string, fields: LogFields): void {
    if (event === 'log.dir.offline') this.#startAnew(this.#life)
    if (level !== 'error' || this.hasRot) return
    if (event === 'log.damaged' || event.endsWith('.unreadable')) {
      if (this.#isExplained(null)) return
      const text = `broker ${this.#options.id} found damage that no fault did: ${event} ${JSON.stringify(fields)}`
      this.world.fail(new Violation('damage', text))
    }
  }
}
