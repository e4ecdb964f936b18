/**
 * Hash of a record's key, 128 bits: two runs of HalfSipHash-2-4 (64 bits each) under keys of their
 * own. It stands for the key in the offset map, so two keys with one hash would make one of them
 * look superseded. That cannot be arranged from outside: the hash keys are drawn for each cleaning
 * and never leave the process. By chance, five million keys meet once in 2^84 cleanings. (Kafka
 * takes MD5, for which anybody can make two keys that collide.)
 *
 * Source: J.-P. Aumasson, D. J. Bernstein: SipHash, a fast short-input PRF; HalfSipHash is its form
 * for 32-bit words.
 */

/** Bytes of chance that a hash is keyed with. */
export const hashKeyBytes = 16

/** HalfSipHash-2-4 with 64 bits of result. */
export class HalfSipHash {
  /** The last hash: its first and its second word. */
  low = 0
  high = 0
  readonly #key0: number
  readonly #key1: number

  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  /** Hashes `bytes` from `start` to `end` into `low` and `high`. */
  hash(bytes: Uint8Array, start: number, end: number): void {
    let v0 = this.#key0
    let v1 = this.#key1 ^ 0xee
    let v2 = this.#key0 ^ 0x6c796765
    let v3 = this.#key1 ^ 0x74656462
    const wholeEnd = end - ((end - start) & 3)
    // The words of the input, one with the rest and the length, and two empty ones: the ends.
    let rounds = 2
    let word = 0
    for (let at = start; ; at += 4) {
      if (at < wholeEnd) {
        word =
          (bytes[at] as number) |
          ((bytes[at + 1] as number) << 8) |
          ((bytes[at + 2] as number) << 16) |
          ((bytes[at + 3] as number) << 24)
      } else if (at === wholeEnd) word = lastWord(bytes, start, end)
      else {
        word = 0
        rounds = 4
        if (at === wholeEnd + 4) v2 ^= 0xee
        else v1 ^= 0xdd
      }
      v3 ^= word
      for (let round = 0; round < rounds; round++) {
        v0 = (v0 + v1) | 0
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
        v0 = (v0 << 16) | (v0 >>> 16)
        v2 = (v2 + v3) | 0
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
        v0 = (v0 + v3) | 0
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
        v2 = (v2 + v1) | 0
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
        v2 = (v2 << 16) | (v2 >>> 16)
      }
      v0 ^= word
      if (at === wholeEnd + 4) this.low = v1 ^ v3
      if (at === wholeEnd + 8) break
    }
    this.high = v1 ^ v3
  }
}

/** What is left after the last whole word, and the length in the highest byte. */
function lastWord(bytes: Uint8Array, start: number, end: number): number {
  const size = end - start
  let word = (size & 0xff) << 24
  for (let at = end - (size & 3), shift = 0; at < end; at++, shift += 8) {
    word |= (bytes[at] as number) << shift
  }
  return word
}

/** The 128 bits that stand for a key. */
export class KeyHash {
  readonly first: HalfSipHash
  readonly second: HalfSipHash

  /** `key`: hashKeyBytes bytes of chance. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, hashKeyBytes)
    this.first = new HalfSipHash(view.getInt32(0, true), view.getInt32(4, true))
    this.second = new HalfSipHash(view.getInt32(8, true), view.getInt32(12, true))
  }

  hash(bytes: Uint8Array, start: number, end: number): void {
    this.first.hash(bytes, start, end)
    this.second.hash(bytes, start, end)
  }
}
