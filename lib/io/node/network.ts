/**
 * TCP. Nagle's delay is off: what one `write` is given goes out as one writev, so there is nothing
 * to gather. A stream that nobody handles yet is paused, so no byte is lost.
 */

import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import {
  type Address,
  addressText,
  type Listener,
  type Network,
  type Stream,
  type StreamHandlers,
} from '../network.ts'

class NodeStream implements Stream {
  readonly remote: Address
  readonly local: Address
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
    this.remote = { host: socket.remoteAddress ?? '?', port: socket.remotePort ?? 0 }
    this.local = { host: socket.localAddress ?? '?', port: socket.localPort ?? 0 }
    socket.pause()
    // Without a listener an early reset would be an uncaught exception; `handle` reports it later.
    socket.on('error', () => {})
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  handle(handlers: StreamHandlers): void {
    const socket = this.#socket
    let failure: Error | undefined
    socket.on('data', (chunk: Buffer) => handlers.onData(chunk))
    socket.on('drain', () => handlers.onDrain?.())
    socket.on('end', () => (handlers.onEnd ? handlers.onEnd() : socket.end()))
    socket.on('error', (error) => (failure = error))
    socket.on('close', () => handlers.onClose(failure))
    if (socket.destroyed) queueMicrotask(() => handlers.onClose(socket.errored ?? undefined))
    else socket.resume()
  }

  write(chunks: readonly Uint8Array[], onFlushed?: () => void): void {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded || chunks.length === 0) {
      if (onFlushed) queueMicrotask(onFlushed)
      return
    }
    const last = chunks.length - 1
    if (last > 0) socket.cork()
    for (let index = 0; index < last; index++) socket.write(chunks[index] ?? empty)
    socket.write(chunks[last] ?? empty, onFlushed ? () => onFlushed() : undefined)
    if (last > 0) socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error)
  }
}

const empty = new Uint8Array(0)

export const nodeNetwork: Network = {
  listen(address, onStream) {
    return new Promise<Listener>((resolve, reject) => {
      const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
        onStream(new NodeStream(socket))
      })
      server.once('error', reject)
      server.listen({ host: address.host, port: address.port, backlog: 511 }, () => {
        server.removeListener('error', reject)
        // Accept failures (out of file handles) are not fatal: the next accept may work.
        server.on('error', () => {})
        const bound = server.address()
        const port = typeof bound === 'object' && bound ? bound.port : address.port
        resolve({
          address: { host: address.host, port },
          close: () => new Promise((done) => server.close(() => done())),
        })
      })
    })
  },

  connect(address, { timeoutMs, signal }) {
    return new Promise<Stream>((resolve, reject) => {
      const socket = tcpConnect({ host: address.host, port: address.port, noDelay: true })
      const fail = (error: Error) => {
        settle()
        socket.destroy()
        reject(error)
      }
      const timer = setTimeout(() => {
        fail(
          Object.assign(
            new Error(`no answer from ${addressText(address)} within ${timeoutMs} ms`),
            { code: 'ETIMEDOUT' },
          ),
        )
      }, timeoutMs)
      const onAbort = () =>
        fail(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
      const settle = () => {
        clearTimeout(timer)
        socket.removeListener('error', fail)
        signal?.removeEventListener('abort', onAbort)
        socket.on('error', () => {})
      }
      socket.once('error', fail)
      socket.once('connect', () => {
        settle()
        resolve(new NodeStream(socket))
      })
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
}
