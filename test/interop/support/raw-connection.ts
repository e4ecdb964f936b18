/** A socket that writes what no client would, and notes what comes back. */

import { createConnection, type Socket } from 'node:net'
import { joinChunks } from '../../../lib/base/bytes.ts'
import { FrameSplitter } from '../../../lib/wire/frame.ts'

const frameBytesMax = 200 * 1024 * 1024

export class RawConnection {
  readonly socket: Socket
  /** Answers, without their size fields. */
  readonly frames: Uint8Array[] = []
  isClosed = false
  readonly #splitter = new FrameSplitter(() => frameBytesMax)
  readonly #waiting: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) =>
      this.#splitter.push(chunk, (frame) => {
        this.frames.push(joinChunks(frame))
        this.#wake()
      }),
    )
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  static open(address: string): Promise<RawConnection> {
    const at = address.lastIndexOf(':')
    const socket = createConnection({
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
    })
    socket.setNoDelay(true)
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', () => resolve(new RawConnection(socket)))
    })
  }

  write(bytes: Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(bytes)
  }

  /** Waits for so many answers, or the end: `answered`, `closed`, `silent`. */
  async outcome({ frames = 1, withinMs = 5000 } = {}): Promise<'answered' | 'closed' | 'silent'> {
    const deadline = performance.now() + withinMs
    while (this.frames.length < frames && !this.isClosed) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return 'silent'
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    return this.frames.length >= frames ? 'answered' : 'closed'
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  close(): void {
    this.socket.destroy()
  }
}
