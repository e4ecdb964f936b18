/** The machine's cryptographic randomness, drawn in blocks so that one number costs no system call. */

import { randomFillSync } from 'node:crypto'
import type { Random } from '../random.ts'

export function nodeRandom(): Random {
  const block = Buffer.alloc(1024)
  let position = block.length
  return {
    u32() {
      if (position + 4 > block.length) {
        randomFillSync(block)
        position = 0
      }
      const value = block.readUInt32LE(position)
      position += 4
      return value
    },
    bytes: (count) => randomFillSync(new Uint8Array(count)),
  }
}
