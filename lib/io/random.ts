/** Chance, as a parameter. */

export interface Random {
  /** Uniform in [0, 2^32). */
  u32(): number
  bytes(count: number): Uint8Array
}

/** Uniform in [0, bound), for bound up to 2^32. */
export function randomBelow(random: Random, bound: number): number {
  return Math.floor((random.u32() / 0x1_0000_0000) * bound)
}
