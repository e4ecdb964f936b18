/**
 * Settings that hold a JSON Schema are compiled before they are stored, so that whoever sets one
 * hears at once what is wrong with it, and where.
 */

import { KafkaError } from '../base/errors.ts'
import { SettingError } from '../base/setting.ts'
import { compileSchema } from '../config/schema-validator.ts'
import { isInternalTopic } from './topic-names.ts'

export const schemaSettings = ['ottla.key.schema', 'ottla.value.schema'] as const

type Texts = Readonly<Record<string, string | null>>

/** Throws INVALID_CONFIG. `before`: what was stored already is not looked at again. */
export async function checkSchemas(topic: string, configs: Texts, before: Texts): Promise<void> {
  for (const name of schemaSettings) {
    const text = configs[name]
    if (text === undefined || text === null || text === before[name]) continue
    if (isInternalTopic(topic)) {
      throw new KafkaError('INVALID_CONFIG', `${name}: ${topic} is internal and takes no schema`)
    }
    try {
      await compileSchema(text)
    } catch (error) {
      if (!(error instanceof SettingError)) throw error
      throw new KafkaError('INVALID_CONFIG', `${name}: ${error.message}`, { cause: error })
    }
  }
}
