/**
 * Frames: an int32 size, then that many bytes. Used by both sides of a connection.
 *
 *   | size: int32 | header + body: size bytes |
 *
 * A frame is a list of views over the chunks that the socket gave: bytes are never joined or copied
 * here. Sizes below 0 or above the limit are an error as soon as the four bytes are there, before
 * anything is allocated. Source: Kafka protocol guide, "Network".
 */

import type { Chunks } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'

export class FrameSplitter {
  readonly #maxFrameBytes: () => number
  #chunks: Uint8Array[] = []
  /** Bytes of the open frame's body still to come; -1 while its size field is incomplete. */
  #missing = -1
  #sizeField = 0
  #sizeBytes = 0

  /** `maxFrameBytes` is asked for each frame: the limit grows with authentication. */
  constructor(maxFrameBytes: () => number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Whether a frame has begun and is not complete: such a peer must go on within a deadline. */
  get isInsideFrame(): boolean {
    return this.#missing !== -1 || this.#sizeBytes !== 0
  }

  /** Takes a chunk and calls `onFrame` for every frame it completes. Throws DecodeError for a bad size. */
  push(chunk: Uint8Array, onFrame: (frame: Chunks) => void): void {
    let position = 0
    while (position < chunk.length) {
      if (this.#missing === -1) {
        this.#sizeField = (this.#sizeField << 8) | (chunk[position] ?? 0) | 0
        position++
        this.#sizeBytes++
        if (this.#sizeBytes < 4) continue
        const size = this.#sizeField
        if (size < 0 || size > this.#maxFrameBytes()) {
          throw new DecodeError(`frame of ${size} bytes, at most ${this.#maxFrameBytes()} allowed`)
        }
        this.#missing = size
      }
      const end = Math.min(position + this.#missing, chunk.length)
      if (end > position) this.#chunks.push(chunk.subarray(position, end))
      this.#missing -= end - position
      position = end
      if (this.#missing === 0) this.#emit(onFrame)
    }
  }

  #emit(onFrame: (frame: Chunks) => void): void {
    const frame = this.#chunks
    this.#chunks = []
    this.#missing = -1
    this.#sizeField = 0
    this.#sizeBytes = 0
    onFrame(frame)
  }
}
