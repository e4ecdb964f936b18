/** The producer id of an idempotent producer (KIP-98): asked for once, of any broker, before the first batch. */

import { KafkaError } from '../base/errors.ts'
import type { ProducerEpoch, ProducerId } from '../base/types.ts'
import { InitProducerId } from '../protocol/apis/init-producer-id.ts'
import { backoffMs, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import { UnavailableError } from './errors.ts'

export interface Identity {
  readonly id: ProducerId
  readonly epoch: ProducerEpoch
}

export class ProducerIdentity {
  readonly #client: Client
  readonly #onChange: () => void
  #isAsking = false
  /** null until it is known, and after `reset`. */
  current: Identity | null = null
  #failure: Error | null = null

  /** `onChange` is called when it is known, or known to fail. */
  constructor(client: Client, onChange: () => void) {
    this.#client = client
    this.#onChange = onChange
  }

  /** Asks, unless it is known or asked for already. */
  request(): void {
    if (this.#isAsking || this.current !== null) return
    this.#isAsking = true
    this.#failure = null
    void this.#ask()
  }

  /** Why the last attempt brought none, once. */
  takeFailure(): Error | null {
    const failure = this.#failure
    this.#failure = null
    return failure
  }

  /** The id is used up; the next `request` brings another. */
  reset(): void {
    this.current = null
  }

  async #ask(): Promise<void> {
    try {
      this.current = await this.#attempts()
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
    }
    this.#isAsking = false
    this.#onChange()
  }

  async #attempts(): Promise<Identity> {
    const client = this.#client
    const deadlineMs = client.deadline()
    for (let attempt = 1; ; attempt++) {
      const body = { transactionalId: null, transactionTimeoutMs: 60_000 }
      const answer = await client.request(InitProducerId, () => body)
      if (answer.errorCode === 0) return { id: answer.producerId, epoch: answer.producerEpoch }
      const error = new KafkaError(answer.errorCode)
      const pauseMs = backoffMs(client.env.random, retryBackoff, attempt)
      if (!error.isRetriable) throw refused(error)
      if (client.env.clock.monotonicMs() + pauseMs > deadlineMs) {
        throw new UnavailableError(`no producer id: ${error.name}: ${error.message}`, {
          cause: error,
        })
      }
      await client.pause(pauseMs)
    }
  }
}

function refused(error: KafkaError): KafkaError {
  const hint = 'the broker gives no producer id; an idempotent producer needs one'
  return new KafkaError(error.code, `${hint}: ${error.message}`, { cause: error })
}
