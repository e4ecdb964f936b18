/** The `meta` key: which cluster a store holds. Written once, when the store is still empty. */

import type { Env } from '../io/env.ts'
import { DamageError } from './embedded/frame.ts'
import { clustersPrefix, Keys, type MetaValue } from './keys.ts'
import type { MetadataStore } from './store.ts'

/**
 * Makes sure that the store is the one of this cluster. `isNew` = the store held nothing: a data
 * directory that has logs already then does not belong to it. Throws Error when it holds another cluster.
 */
export async function ensureCluster(options: {
  env: Env
  store: MetadataStore
  clusterId: string
  /** Where the store's files are, for messages. */
  path?: string
  /** Throws when there must be no new store here. */
  mayBegin?: () => Promise<void>
}): Promise<{ meta: MetaValue; isNew: boolean }> {
  const { env, store, clusterId, path = 'the metadata store', mayBegin } = options
  const key = new Keys(clusterId).meta
  const meta: MetaValue = {
    v: 1,
    clusterId,
    createdAt: env.clock.nowMs(),
    featureLevel: 1,
    generation: 1,
  }
  for (let attempt = 0; attempt < 10; attempt++) {
    const { keyValues } = await store.range(clustersPrefix)
    const found = keyValues.find((one) => one.key === key)
    if (found) return { meta: JSON.parse(found.value) as MetaValue, isNew: attempt > 0 }
    const other = keyValues[0]?.key.slice(clustersPrefix.length).split('/')[0]
    if (other !== undefined && other !== clusterId) {
      throw new DamageError(
        `${path} belongs to cluster ${other}, the meta.properties beside it to cluster ${clusterId}; restore the one that belongs here from a backup`,
      )
    }
    if (other === clusterId) {
      throw new DamageError(
        'the metadata store was never finished: taking over the directory of Apache Kafka was cut short; start with --adopt once more',
      )
    }
    await mayBegin?.()
    await store.txn([{ kind: 'absent', key }], [{ kind: 'put', key, value: JSON.stringify(meta) }])
  }
  throw new Error(`the metadata store does not keep ${key}`)
}
