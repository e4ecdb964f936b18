/** Byte streams, as a parameter. One stream has one owner, who gives its handlers once. */

export interface Address {
  readonly host: string
  readonly port: number
}

export interface StreamHandlers {
  /** Bytes as they arrived, at any boundary. The chunk belongs to the owner from then on. */
  onData(chunk: Uint8Array): void
  /** `pendingBytes` has fallen to 0 after it had been above the stream's high-water mark. */
  onDrain?(): void
  /** The peer will send no more; writing is still possible. Without it the stream is then ended. */
  onEnd?(): void
  /** Last call of all. `error` when it ended other than in order. */
  onClose(error?: Error): void
}

export interface Stream {
  /** The peer, as host:port. */
  readonly remote: Address
  readonly local: Address
  /** Bytes given to `write` that the system has not taken yet. */
  readonly pendingBytes: number
  /** To be called once, in the same turn in which the stream was got. */
  handle(handlers: StreamHandlers): void
  /** Queues all chunks as one write; they must not change until `onFlushed` (called also on failure). */
  write(chunks: readonly Uint8Array[], onFlushed?: () => void): void
  /** No more onData until resume; the peer is slowed down. */
  pause(): void
  resume(): void
  /** Sends what is queued, then closes. */
  end(): void
  /** Closes at once. */
  destroy(error?: Error): void
}

export interface Listener {
  /** With the real port, also when 0 was asked for. */
  readonly address: Address
  /** Accepts no more; open streams go on. */
  close(): Promise<void>
}

export interface Network {
  /** Throws native errors: EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOTFOUND. */
  listen(address: Address, onStream: (stream: Stream) => void): Promise<Listener>
  /** Throws native errors, ETIMEDOUT after `timeoutMs`. */
  connect(address: Address, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Stream>
}

/** `host:port`, with brackets round an IPv6 address. */
export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
