/**
 * An elected controller's right to write. Every transaction compares the `controller` key's
 * createRevision with the epoch of the election (C1 of the rules), so a controller that was replaced
 * can change nothing any more. A lost answer is resolved by reading: each value that is written
 * carries a nonce of its writer.
 */

import { assert } from '../base/assert.ts'
import { KafkaError } from '../base/errors.ts'
import type { BrokerId } from '../base/types.ts'
import { uuidFromBytes } from '../base/uuid.ts'
import type { Env } from '../io/env.ts'
import type { Keys, WriterValue } from '../metadata/keys.ts'
import type { Compare, MetadataStore, Operation, Revision } from '../metadata/store.ts'

/** A write before its writer's mark is put on it; value null = delete. */
export interface Write {
  readonly key: string
  readonly value: object | null
}

export interface OfficeOptions {
  readonly env: Env
  readonly store: MetadataStore
  readonly keys: Keys
  readonly brokerId: BrokerId
  /** createRevision of the `controller` key. */
  readonly epoch: number
}

export class Office {
  readonly epoch: number
  readonly #options: OfficeOptions

  constructor(options: OfficeOptions) {
    this.#options = options
    this.epoch = options.epoch
  }

  /**
   * The revision of the transaction, or null when a compare did not hold: what was read is out of
   * date. Throws NOT_CONTROLLER when the office is lost.
   */
  async commit(compares: readonly Compare[], writes: readonly Write[]): Promise<Revision | null> {
    assert(writes.length > 0, 'a transaction without writes')
    const { store, keys } = this.#options
    const writer = this.#writer()
    const result = await store.txn(
      [{ kind: 'createRevision', key: keys.controller, revision: this.epoch }, ...compares],
      writes.map((write) => operation(write, writer)),
      [keys.controller],
    )
    switch (result.outcome) {
      case 'ok':
        return result.revision
      case 'failed':
        if (result.reads[0]?.createRevision !== this.epoch) throw notController()
        return null
      case 'unknown':
        return this.#resolve(writes, writer)
    }
  }

  #writer(): WriterValue {
    const { env, brokerId } = this.#options
    return { broker: brokerId, epoch: this.epoch, nonce: uuidFromBytes(env.random.bytes(6)) }
  }

  /** What became of a transaction whose answer was lost. */
  async #resolve(writes: readonly Write[], writer: WriterValue): Promise<Revision | null> {
    const { store } = this.#options
    const probe = writes.find(({ value }) => value !== null) ?? writes[0]
    assert(probe !== undefined, 'a transaction without writes')
    const { revision, keyValues } = await store.range(probe.key)
    const found = keyValues.find(({ key }) => key === probe.key)
    if (probe.value === null) return found ? null : revision
    const nonce = found && (JSON.parse(found.value) as { writer?: WriterValue }).writer?.nonce
    return found && nonce === writer.nonce ? found.modRevision : null
  }
}

function operation({ key, value }: Write, writer: WriterValue): Operation {
  if (value === null) return { kind: 'delete', key }
  return { kind: 'put', key, value: JSON.stringify({ ...value, writer }) }
}

export function notController(): KafkaError {
  return new KafkaError('NOT_CONTROLLER', 'this broker is not the controller at the moment')
}

/** The compare for "as I read it"; null = it was not there. */
export function unchanged(key: string, modRevision: Revision | null): Compare {
  return modRevision === null
    ? { kind: 'absent', key }
    : { kind: 'modRevision', key, revision: modRevision }
}
