/**
 * Buffers that a cleaning writes changed batches into, used again and again: made anew for each batch
 * they would be garbage outside V8's heap, which it answers with collections of everything.
 */

/** Batches are gathered up to here before they are written; a larger one gets a buffer of its own. */
const gatheredBytes = 256 * 1024

export class CleanerOutput {
  #scratch = Buffer.allocUnsafeSlow(64 * 1024)
  readonly #batches = Buffer.allocUnsafeSlow(gatheredBytes)
  #usedBytes = 0

  /** Bytes for the records of a batch; valid until the next call. */
  scratch(sizeBytes: number): Buffer {
    if (sizeBytes > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(sizeBytes * 2)
    return this.#scratch.subarray(0, sizeBytes)
  }

  /** Bytes for a batch; valid until `clear`. */
  batch(sizeBytes: number): Buffer {
    const start = this.#usedBytes
    if (start + sizeBytes > gatheredBytes) return Buffer.allocUnsafeSlow(sizeBytes)
    this.#usedBytes += sizeBytes
    return this.#batches.subarray(start, this.#usedBytes)
  }

  /** All batches are written, or copied. */
  clear(): void {
    this.#usedBytes = 0
  }
}
