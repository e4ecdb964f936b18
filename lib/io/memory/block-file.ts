/**
 * The bytes of one file in memory: blocks of equal size, so growing never copies what is there. Only
 * a file of a single block grows in place, so that a small file takes little.
 */

const blockBytes = 256 * 1024
const smallestBytes = 512

export class BlockFile {
  #blocks: Uint8Array[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Copies into `target` from `position`; gives the bytes copied, fewer only at the end. */
  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.#size)
    let at = position
    while (at < end) {
      const offset = at % blockBytes
      const count = Math.min(blockBytes - offset, end - at)
      const block = this.#blocks[Math.floor(at / blockBytes)]
      if (block) target.set(block.subarray(offset, offset + count), at - position)
      at += count
    }
    return Math.max(at - position, 0)
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.#size) this.resize(end)
    let at = position
    while (at < end) {
      const offset = at % blockBytes
      const count = Math.min(blockBytes - offset, end - at)
      this.#blocks[Math.floor(at / blockBytes)]?.set(
        bytes.subarray(at - position, at - position + count),
        offset,
      )
      at += count
    }
  }

  /** New bytes read as zero. */
  resize(sizeBytes: number): void {
    const blocks = Math.ceil(sizeBytes / blockBytes)
    if (sizeBytes < this.#size) {
      this.#blocks.length = blocks
      this.#blocks[blocks - 1]?.fill(0, sizeBytes - (blocks - 1) * blockBytes)
    }
    if (blocks > 0) this.#growFirst(blocks === 1 ? sizeBytes : blockBytes)
    while (this.#blocks.length < blocks) this.#blocks.push(new Uint8Array(blockBytes))
    this.#size = sizeBytes
  }

  /** Makes the first block hold `needed` bytes at least, doubling it. */
  #growFirst(needed: number): void {
    const [first = new Uint8Array(0)] = this.#blocks
    if (first.length >= needed) return
    let capacity = Math.max(first.length, smallestBytes)
    while (capacity < needed) capacity *= 2
    const grown = new Uint8Array(Math.min(capacity, blockBytes))
    grown.set(first)
    this.#blocks[0] = grown
  }

  /** A copy of all of it. */
  bytes(): Uint8Array {
    const copy = new Uint8Array(this.#size)
    this.read(copy, 0)
    return copy
  }
}
