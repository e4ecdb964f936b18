/**
 * A map that is never changed: `with` gives a new one and copies one bucket in 256. An image with
 * 10,000 topics follows a change by copying some forty entries instead of all. Iteration goes by
 * bucket, in an order of its own.
 */

const bucketCount = 256

type Key = string | number

export class BucketMap<K extends Key, V> implements ReadonlyMap<K, V> {
  readonly #buckets: readonly (ReadonlyMap<K, V> | undefined)[]
  readonly size: number

  constructor(buckets: readonly (ReadonlyMap<K, V> | undefined)[] = [], size = 0) {
    this.#buckets = buckets
    this.size = size
  }

  /** A copy with these changes; undefined removes. */
  with(changes: ReadonlyMap<K, V | undefined>): BucketMap<K, V> {
    if (changes.size === 0) return this
    const buckets = this.#buckets.slice()
    const owned = new Map<number, Map<K, V>>()
    let { size } = this
    for (const [key, value] of changes) {
      const index = bucketOf(key)
      let bucket = owned.get(index)
      if (bucket === undefined) {
        bucket = new Map(buckets[index])
        owned.set(index, bucket)
        buckets[index] = bucket
      }
      size -= bucket.size
      if (value === undefined) bucket.delete(key)
      else bucket.set(key, value)
      size += bucket.size
    }
    return new BucketMap(buckets, size)
  }

  get(key: K): V | undefined {
    return this.#buckets[bucketOf(key)]?.get(key)
  }

  has(key: K): boolean {
    return this.#buckets[bucketOf(key)]?.has(key) ?? false
  }

  *entries(): MapIterator<[K, V]> {
    for (const bucket of this.#buckets) if (bucket) yield* bucket.entries()
  }

  *keys(): MapIterator<K> {
    for (const bucket of this.#buckets) if (bucket) yield* bucket.keys()
  }

  *values(): MapIterator<V> {
    for (const bucket of this.#buckets) if (bucket) yield* bucket.values()
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  forEach(callback: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this) callback(value, key, this)
  }
}

function bucketOf(key: Key): number {
  if (typeof key === 'number') return key & (bucketCount - 1)
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (hash * 31 + key.charCodeAt(index)) | 0
  return (hash ^ (hash >>> 16)) & (bucketCount - 1)
}
