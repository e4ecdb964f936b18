/**
 * The compiled schemas of the topics that have any: made when a topic's settings come to name them,
 * shared by its partitions, and kept until the texts change. A topic without schemas costs nothing
 * here, and the libraries behind them are not even read.
 */

import { SettingError } from '../base/setting.ts'
import { compileSchema, type SchemaValidator } from '../config/schema-validator.ts'
import type { TopicConfig } from '../config/topic.ts'
import type { Logger } from '../io/logger.ts'
import { type RecordCheck, recordCheckOf, refuseAll } from '../storage/record-check.ts'

type SchemaConfig = Pick<TopicConfig, 'ottla.key.schema' | 'ottla.value.schema'>

interface Known {
  readonly keySchema: string | null
  readonly valueSchema: string | null
  readonly check: RecordCheck | null
}

export class TopicSchemas {
  readonly #log: Logger
  readonly #known = new Map<string, Known>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** The check of a topic under these settings; null without schemas. */
  async checkOf(topic: string, config: SchemaConfig): Promise<RecordCheck | null> {
    const { 'ottla.key.schema': keySchema, 'ottla.value.schema': valueSchema } = config
    if (keySchema === null && valueSchema === null) {
      this.#known.delete(topic)
      return null
    }
    const known = this.#known.get(topic)
    if (known?.keySchema === keySchema && known.valueSchema === valueSchema) return known.check
    const check = await this.#compile(topic, config)
    this.#known.set(topic, { keySchema, valueSchema, check })
    return check
  }

  /** The topic is gone. */
  forget(topic: string): void {
    this.#known.delete(topic)
  }

  /** A schema that was stored, and cannot be used here, lets nothing pass. */
  async #compile(topic: string, config: SchemaConfig): Promise<RecordCheck | null> {
    try {
      return recordCheckOf({
        key: await compiled(config['ottla.key.schema']),
        value: await compiled(config['ottla.value.schema']),
      })
    } catch (error) {
      if (!(error instanceof SettingError)) throw error
      const { message } = error
      this.#log.error('schema cannot be used', { topic, reason: message })
      return refuseAll(`its schema cannot be used: ${message}`)
    }
  }
}

async function compiled(text: string | null): Promise<SchemaValidator | null> {
  return text === null ? null : compileSchema(text)
}
