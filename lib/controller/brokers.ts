/**
 * A broker's registration: `brokers/<id>` lives as long as its session, and its createRevision is
 * the broker's epoch, so a new session is a new epoch. `brokerinfo/<id>` outlives it and says how the
 * last incarnation ended.
 *
 * Both keys change in one transaction. `cleanSince` chains orderly stops: it stays the same over any
 * number of them, and starts anew after a crash. A leader elected before it led under a process
 * whose last writes may be lost, so it gets a new leader epoch (elections.ts).
 */

import { KafkaError } from '../base/errors.ts'
import type { BrokerId } from '../base/types.ts'
import { sleep } from '../io/clock.ts'
import type { Env } from '../io/env.ts'
import type {
  BrokerInfoValue,
  BrokerState,
  BrokerValue,
  Keys,
  ListenerValue,
} from '../metadata/keys.ts'
import type { Compare, KeyValue, MetadataStore, Session } from '../metadata/store.ts'

export interface RegistrationOptions {
  readonly env: Env
  readonly store: MetadataStore
  readonly keys: Keys
  readonly session: Session
  readonly brokerId: BrokerId
  /** A uuid of this process. */
  readonly incarnation: string
  readonly listeners: readonly ListenerValue[]
  readonly rack: string | null
  /** Ids of its log directories. */
  readonly dirs: readonly string[]
  /** The log directories were closed in good order. */
  readonly isClean: boolean
  readonly state?: BrokerState
}

const pollMs = 100

/**
 * Registers the broker. When another incarnation still holds the id, waits one time-to-live for it
 * to go. Throws KafkaError DUPLICATE_BROKER_REGISTRATION when it stays.
 */
export async function registerBroker(options: RegistrationOptions): Promise<BrokerRegistration> {
  const { env, store, keys, session, brokerId, incarnation } = options
  const deadlineMs = env.clock.monotonicMs() + session.ttlMs + 2 * pollMs
  for (;;) {
    const found = await readOne(store, keys.broker(brokerId))
    const value = found && (JSON.parse(found.value) as BrokerValue)
    if (found && value?.incarnation === incarnation && found.session === session.id) {
      return new BrokerRegistration(options, found, value)
    }
    if (found && value && env.clock.monotonicMs() >= deadlineMs) throw inUse(brokerId, value)
    if (found) await sleep(env.clock, pollMs)
    else await putRegistration(options)
  }
}

function inUse(brokerId: BrokerId, { listeners }: BrokerValue): KafkaError {
  const hosts = listeners.map(({ host, port }) => `${host}:${port}`).join(', ')
  return new KafkaError(
    'DUPLICATE_BROKER_REGISTRATION',
    `broker id ${brokerId} is in use by ${hosts}; give this broker another --node-id`,
  )
}

/** One attempt; the caller reads what became of it, also when the answer was lost. */
async function putRegistration(options: RegistrationOptions): Promise<void> {
  const { store, keys, session, brokerId, incarnation, listeners, rack, dirs } = options
  const info = await readOne(store, keys.brokerInfo(brokerId))
  const before = info && (JSON.parse(info.value) as BrokerInfoValue)
  const isChained = options.isClean && before !== null && before.cleanShutdownEpoch !== null
  const cleanSince = isChained ? before.cleanSince : null
  const value: BrokerValue = {
    v: 1,
    incarnation,
    listeners,
    rack,
    dirs,
    state: options.state ?? 'starting',
    cleanSince,
  }
  const newInfo: BrokerInfoValue = {
    ...before,
    v: 1,
    incarnation,
    cleanShutdownEpoch: null,
    cleanSince,
    dirs,
  }
  await store.txn(
    [{ kind: 'absent', key: keys.broker(brokerId) }, sameAs(keys.brokerInfo(brokerId), info)],
    [
      { kind: 'put', key: keys.broker(brokerId), value: JSON.stringify(value), session },
      { kind: 'put', key: keys.brokerInfo(brokerId), value: JSON.stringify(newInfo) },
    ],
  )
}

function sameAs(key: string, found: KeyValue | null): Compare {
  return found ? { kind: 'modRevision', key, revision: found.modRevision } : { kind: 'absent', key }
}

async function readOne(store: MetadataStore, key: string): Promise<KeyValue | null> {
  const { keyValues } = await store.range(key)
  return keyValues.find((one) => one.key === key) ?? null
}

/** What a registered broker may do with its registration. */
export class BrokerRegistration {
  /** createRevision of the registration. */
  readonly epoch: number
  readonly incarnation: string
  readonly #options: RegistrationOptions
  #value: BrokerValue

  constructor(options: RegistrationOptions, found: KeyValue, value: BrokerValue) {
    this.#options = options
    this.#value = value
    this.epoch = found.createRevision
    this.incarnation = options.incarnation
  }

  get state(): BrokerState {
    return this.#value.state
  }

  /** Throws KafkaError STALE_BROKER_EPOCH when the registration is no longer this one. */
  async setState(state: BrokerState): Promise<void> {
    const { store, keys, session, brokerId } = this.#options
    const key = keys.broker(brokerId)
    for (let attempt = 0; attempt < 10; attempt++) {
      const found = await this.#read()
      const value: BrokerValue = { ...(JSON.parse(found.value) as BrokerValue), state }
      const result = await store.txn(
        [{ kind: 'modRevision', key, revision: found.modRevision }],
        [{ kind: 'put', key, value: JSON.stringify(value), session }],
      )
      this.#value = value
      if (result.outcome === 'ok') return
    }
    throw new KafkaError('REQUEST_TIMED_OUT', `state ${state} of broker ${brokerId} was not stored`)
  }

  async #read(): Promise<KeyValue> {
    const { store, keys, brokerId } = this.#options
    const found = await readOne(store, keys.broker(brokerId))
    if (found?.createRevision === this.epoch) return found
    throw new KafkaError(
      'STALE_BROKER_EPOCH',
      `broker ${brokerId} is not registered with epoch ${this.epoch} any more`,
    )
  }

  /**
   * Takes the broker out of the cluster. `isClean` = all logs are synced and closed: the next
   * registration may go on where this one stopped.
   */
  async end({ isClean }: { isClean: boolean }): Promise<void> {
    const { store, keys, brokerId } = this.#options
    const info = await readOne(store, keys.brokerInfo(brokerId))
    const before = info && (JSON.parse(info.value) as BrokerInfoValue)
    const value: BrokerInfoValue = {
      v: 1,
      incarnation: this.incarnation,
      dirs: this.#value.dirs,
      ...before,
      cleanShutdownEpoch: isClean ? this.epoch : null,
      cleanSince: this.#value.cleanSince ?? this.epoch,
    }
    await store.txn(
      [{ kind: 'createRevision', key: keys.broker(brokerId), revision: this.epoch }],
      [
        { kind: 'delete', key: keys.broker(brokerId) },
        { kind: 'put', key: keys.brokerInfo(brokerId), value: JSON.stringify(value) },
      ],
    )
  }
}
