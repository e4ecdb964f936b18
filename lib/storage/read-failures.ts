/**
 * What a failed read of a log is to the one who asked. Damage is logged once for each kind: clients
 * ask for the same bad batch again and again, and anybody may store one (the records of a batch are
 * passed on unread), so the log file must not grow with every question.
 */

import { DecodeError, KafkaError } from '../base/errors.ts'
import type { Logger } from '../io/logger.ts'
import { asError } from './disk-failure.ts'

const reportsMax = 20

export class ReadFailures {
  readonly #log: Logger
  readonly #name: string
  readonly #reported = new Set<string>()

  constructor(log: Logger, name: string) {
    this.#log = log
    this.#name = name
  }

  /** For anything but a failure of the disk itself. */
  asKafkaError(cause: unknown): KafkaError {
    if (cause instanceof KafkaError) return cause
    const { message } = asError(cause)
    const isDamage = cause instanceof DecodeError
    if (isDamage) this.#report(message)
    const name = isDamage ? 'CORRUPT_MESSAGE' : 'KAFKA_STORAGE_ERROR'
    return new KafkaError(name, `${this.#name}: ${message}`, { cause })
  }

  #report(error: string): void {
    if (this.#reported.has(error) || this.#reported.size >= reportsMax) return
    this.#reported.add(error)
    this.#log.error('log.read.damaged', { log: this.#name, error })
  }
}
