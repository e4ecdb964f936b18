/**
 * Buffers for reads, by size class, used again and again: a reply's bytes go back when the socket
 * has taken them. What is kept unused is bounded; beyond the largest class a buffer is made for one
 * read only.
 */

const classes = [16 * 1024, 128 * 1024, 1024 * 1024 + 16 * 1024, 2 * 1024 * 1024]

export class BufferPool {
  readonly #free: Buffer[][] = classes.map(() => [])
  readonly #keptBytesMax: number
  #keptBytes = 0

  constructor(keptBytesMax = 16 * 1024 * 1024) {
    this.#keptBytesMax = keptBytesMax
  }

  /** At least `size` bytes, with anything in them. */
  take(size: number): Buffer {
    const index = classes.findIndex((bytes) => bytes >= size)
    if (index === -1) return Buffer.allocUnsafeSlow(size)
    const buffer = this.#free[index]?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(classes[index] ?? size)
    this.#keptBytes -= buffer.length
    return buffer
  }

  /** To be called once for what `take` gave, when nobody looks at its bytes any more. */
  give(buffer: Buffer): void {
    const index = classes.indexOf(buffer.length)
    if (index === -1 || this.#keptBytes + buffer.length > this.#keptBytesMax) return
    this.#free[index]?.push(buffer)
    this.#keptBytes += buffer.length
  }
}
