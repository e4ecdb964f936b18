/** The bytes of one file in memory: blocks of equal size, so growing never copies what is there. */

const blockBytes = 256 * 1024

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
    while (this.#blocks.length < blocks) this.#blocks.push(new Uint8Array(blockBytes))
    this.#size = sizeBytes
  }

  /** A copy of all of it. */
  bytes(): Uint8Array {
    const copy = new Uint8Array(this.#size)
    this.read(copy, 0)
    return copy
  }
}
