/**
 * A network in memory. Bytes are copied when written and arrive at the end of the turn, in order,
 * cut into pieces of `pieceBytes` at most; a paused reader holds them back and the writer's
 * `pendingBytes` grows, as with a full socket buffer. Hosts are names only: the port decides.
 */

import type { Clock } from '../clock.ts'
import {
  type Address,
  addressText,
  type Listener,
  type Network,
  type Stream,
  type StreamHandlers,
} from '../network.ts'
import { nativeError } from './disk.ts'

const highWaterBytes = 64 * 1024

export class MemoryNetwork implements Network {
  /** Largest piece in which bytes arrive; 1 cuts at every byte. */
  pieceBytes = 64 * 1024
  /** Where connections that are made now come from. */
  localHost = '127.0.0.1'
  /** A port that accepts and then never answers, or refuses, is made by not listening on it or not handling. */
  readonly #clock: Clock
  readonly #listeners = new Map<number, (stream: Stream) => void>()
  readonly #open = new Set<MemoryStream>()
  #nextPort = 40_000

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async listen(address: Address, onStream: (stream: Stream) => void): Promise<Listener> {
    const port = address.port === 0 ? this.#nextPort++ : address.port
    if (this.#listeners.has(port)) throw nativeError('EADDRINUSE', 'listen', addressText(address))
    this.#listeners.set(port, onStream)
    return {
      address: { host: address.host, port },
      close: async () => void this.#listeners.delete(port),
    }
  }

  async connect(address: Address): Promise<Stream> {
    const onStream = this.#listeners.get(address.port)
    if (!onStream) throw nativeError('ECONNREFUSED', 'connect', addressText(address))
    const from: Address = { host: this.localHost, port: this.#nextPort++ }
    const near = new MemoryStream(from, address, this.#clock, () => this.pieceBytes)
    const far = new MemoryStream(address, from, this.#clock, () => this.pieceBytes)
    near.peer = far
    far.peer = near
    this.#open.add(near)
    near.whenClosed = () => this.#open.delete(near)
    this.#clock.endOfTurn(() => onStream(far))
    return near
  }

  /** Resets every connection to `port`, or all. */
  cut(port?: number): void {
    for (const stream of this.#open) {
      if (port !== undefined && stream.remote.port !== port) continue
      stream.peer?.destroy(nativeError('ECONNRESET', 'read', addressText(stream.local)))
      stream.destroy(nativeError('ECONNRESET', 'read', addressText(stream.remote)))
    }
  }
}

class MemoryStream implements Stream {
  readonly local: Address
  readonly remote: Address
  peer: MemoryStream | undefined
  whenClosed: () => void = () => {}
  readonly #clock: Clock
  readonly #pieceBytes: () => number
  #handlers: StreamHandlers | undefined
  /** Bytes written by the peer that this side has not taken, each with its writer's callback. */
  #inbox: { bytes: Uint8Array; onFlushed: (() => void) | undefined }[] = []
  #inboxBytes = 0
  #isPaused = false
  #isPumping = false
  #hasEnded = false
  #peerHasEnded = false
  #closeError: Error | undefined
  #isClosed = false
  #wantsDrain = false

  constructor(local: Address, remote: Address, clock: Clock, pieceBytes: () => number) {
    this.local = local
    this.remote = remote
    this.#clock = clock
    this.#pieceBytes = pieceBytes
  }

  get pendingBytes(): number {
    return this.peer?.inboxBytes ?? 0
  }

  get inboxBytes(): number {
    return this.#inboxBytes
  }

  handle(handlers: StreamHandlers): void {
    this.#handlers = handlers
    this.#pump()
  }

  write(chunks: readonly Uint8Array[], onFlushed?: () => void): void {
    const { peer } = this
    if (!peer || this.#isClosed || this.#hasEnded || peer.#isClosed) {
      if (onFlushed) this.#clock.endOfTurn(onFlushed)
      return
    }
    const bytes = Uint8Array.from(Buffer.concat(chunks))
    peer.#inbox.push({ bytes, onFlushed })
    peer.#inboxBytes += bytes.length
    if (peer.#inboxBytes > highWaterBytes) this.#wantsDrain = true
    peer.#pump()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#pump()
  }

  end(): void {
    if (this.#hasEnded || this.#isClosed) return
    this.#hasEnded = true
    const { peer } = this
    if (peer) {
      peer.#peerHasEnded = true
      peer.#pump()
    }
  }

  destroy(error?: Error): void {
    if (this.#isClosed) return
    this.#close(error)
    // What this side wrote is let go of, as a socket does: the peer has copies.
    this.peer?.forgetWriter()
    this.peer?.destroyByPeer()
  }

  forgetWriter(): void {
    for (const sent of this.#inbox) {
      if (sent.onFlushed) this.#clock.endOfTurn(sent.onFlushed)
      sent.onFlushed = undefined
    }
  }

  destroyByPeer(): void {
    this.#peerHasEnded = true
    this.#hasEnded = true
    this.#pump()
  }

  /** The other side has taken all that was written here. */
  inboxDrained(): void {
    if (!this.#wantsDrain) return
    this.#wantsDrain = false
    this.#handlers?.onDrain?.()
  }

  closeIfEnded(): void {
    if (this.#hasEnded) this.#close(undefined)
  }

  /** Delivers what waits, a piece a turn, then the end. */
  #pump(): void {
    if (this.#isPumping || !this.#handlers) return
    this.#isPumping = true
    this.#clock.endOfTurn(() => {
      this.#isPumping = false
      if (this.#isClosed || !this.#handlers || this.#isPaused) return
      if (this.#inbox.length > 0) this.#deliverPiece(this.#handlers)
      else if (this.#peerHasEnded) return this.#deliverEnd(this.#handlers)
      if (this.#inbox.length > 0 || this.#peerHasEnded) this.#pump()
    })
  }

  #deliverPiece(handlers: StreamHandlers): void {
    const [first] = this.#inbox
    if (!first) return
    const piece = first.bytes.subarray(0, this.#pieceBytes())
    first.bytes = first.bytes.subarray(piece.length)
    this.#inboxBytes -= piece.length
    if (first.bytes.length === 0) {
      this.#inbox.shift()
      first.onFlushed?.()
    }
    handlers.onData(piece)
    const { peer } = this
    if (this.#inboxBytes === 0) peer?.inboxDrained()
  }

  #deliverEnd(handlers: StreamHandlers): void {
    if (this.#hasEnded) this.#close(this.#closeError)
    else if (handlers.onEnd) {
      this.#peerHasEnded = false
      handlers.onEnd()
    } else {
      this.end()
      this.#close(undefined)
    }
    const { peer } = this
    if (this.#hasEnded) peer?.closeIfEnded()
  }

  #close(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#closeError = error
    for (const { onFlushed } of this.#inbox) if (onFlushed) this.#clock.endOfTurn(onFlushed)
    this.#inbox = []
    this.#inboxBytes = 0
    this.whenClosed()
    this.#clock.endOfTurn(() => this.#handlers?.onClose(error))
  }
}
