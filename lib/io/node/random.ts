/** The machine's cryptographic randomness, drawn in blocks so that one number costs no system call. */

import type { Random } from '../random.ts'

/** node:crypto costs every start of a command 4 ms; most commands draw no number. */
function randomFillSync<T extends Uint8Array>(target: T): T {
  return process.getBuiltinModule('node:crypto').randomFillSync(target)
}

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
