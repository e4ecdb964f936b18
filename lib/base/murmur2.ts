/**
 * Murmur2 as Kafka's Java client computes it: what decides the partition of a key. Not the reference
 * implementation's result: the seed is Kafka's and the arithmetic is Java's int32.
 * Source: apache/kafka: clients/.../common/utils/Utils.java (murmur2, toPositive).
 */

const seed = 0x9747b28c
const multiplier = 0x5bd1e995

/** The hash as Java's int: -2^31 to 2^31 - 1. */
export function murmur2(bytes: Uint8Array): number {
  const size = bytes.length
  let hash = seed ^ size
  let at = 0
  for (; at + 4 <= size; at += 4) {
    let word =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)
    word = Math.imul(word, multiplier)
    word ^= word >>> 24
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier)
  }
  const rest = size - at
  if (rest === 3) hash ^= (bytes[at + 2] ?? 0) << 16
  if (rest >= 2) hash ^= (bytes[at + 1] ?? 0) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), multiplier)
  hash ^= hash >>> 13
  hash = Math.imul(hash, multiplier)
  return (hash ^ (hash >>> 15)) | 0
}

/**
 * The partition of a record with this key among `partitionCount`. The sign bit is cut off, not the
 * absolute value taken: -2^31 has none.
 */
export function partitionOfKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitionCount
}
