/**
 * A growing buffer for output: records are written into it one after another, and what is there is
 * handed on in large pieces, always cut at the end of a record. Text that is not known to be ASCII
 * goes through `utf8`.
 */

const initialBytes = 64 * 1024
/** A buffer that once had to grow further begins with this again. */
const capacityMax = 1024 * 1024

export class ByteWriter {
  #buffer: Buffer
  #size = 0

  constructor(capacity = initialBytes) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity)
  }

  get size(): number {
    return this.#size
  }

  byte(value: number): void {
    if (this.#size === this.#buffer.length) this.#grow(1)
    this.#buffer[this.#size++] = value
  }

  bytes(bytes: Uint8Array): void {
    const end = this.#size + bytes.length
    if (end > this.#buffer.length) this.#grow(bytes.length)
    this.#buffer.set(bytes, this.#size)
    this.#size = end
  }

  /** Bytes [start, end) of `source`, without a view for them. */
  slice(source: Buffer, start: number, end: number): void {
    const next = this.#size + end - start
    if (next > this.#buffer.length) this.#grow(end - start)
    source.copy(this.#buffer, this.#size, start, end)
    this.#size = next
  }

  /**
   * Puts a copy of `bytes` behind what was written, as raw material for `moveDown`; it does not
   * count as written. Returns where it lies. One copy of many records, and moving each within the
   * same memory, costs a third of copying each from elsewhere (a view would be made for each).
   */
  stage(bytes: Uint8Array): number {
    if (this.#size + bytes.length > this.#buffer.length) this.#grow(bytes.length)
    this.#buffer.set(bytes, this.#size)
    return this.#size
  }

  /**
   * Writes staged bytes [start, end) and then `last`. What is written must not overtake what is
   * still to be moved: at least one staged byte that is not moved goes with each `last`.
   */
  moveDown(start: number, end: number, last: number): void {
    this.#buffer.copyWithin(this.#size, start, end)
    this.#size += end - start
    this.#buffer[this.#size++] = last
  }

  /** `text` must be ASCII. */
  ascii(text: string): void {
    const end = this.#size + text.length
    if (end > this.#buffer.length) this.#grow(text.length)
    if (text.length > 24) this.#buffer.write(text, this.#size, 'latin1')
    else for (let i = 0; i < text.length; i++) this.#buffer[this.#size + i] = text.charCodeAt(i)
    this.#size = end
  }

  utf8(text: string): void {
    const worst = text.length * 3
    if (this.#size + worst > this.#buffer.length) this.#grow(worst)
    this.#size += this.#buffer.write(text, this.#size)
  }

  /** An integer in decimal. */
  integer(value: number | bigint): void {
    if (typeof value === 'bigint' || value < 0 || value > 999_999_999) {
      this.ascii(String(value))
      return
    }
    let digits = 1
    for (let limit = 10; value >= limit; limit *= 10) digits++
    if (this.#size + digits > this.#buffer.length) this.#grow(digits)
    let rest = value
    for (let at = this.#size + digits - 1; at >= this.#size; at--) {
      const next = (rest / 10) | 0
      this.#buffer[at] = 48 + (rest - next * 10)
      rest = next
    }
    this.#size += digits
  }

  /** What was written, as a view over memory that is then no longer the writer's. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#size)
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(this.#buffer.length, capacityMax))
    this.#size = 0
    return taken
  }

  #grow(moreBytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#size + moreBytes))
    larger.set(this.#buffer.subarray(0, this.#size))
    this.#buffer = larger
  }
}
