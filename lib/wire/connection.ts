/**
 * A connection to a broker, from the side that asks: requests are pipelined, replies come in the
 * order of the requests and carry their correlation id; anything else ends the connection.
 *
 * Invariants: every request has a deadline; when one passes, the connection is closed, because the
 * replies behind it could never be told apart from it. At most `maxInFlight` requests wait. Once
 * closed, nothing is sent, and every waiting request has been rejected with a ConnectionError that
 * names host:port and the cause.
 *
 * Versions: ApiVersions is asked first, at the highest version we know. A broker that knows only
 * older ones answers 35 in the form of version 0 and says which it takes; one that closes the
 * connection instead is asked again at version 0. Source: KIP-35, KIP-511; KIP-219 (throttling).
 */

import { assert } from '../base/assert.ts'
import { type Chunks, sliceChunks } from '../base/bytes.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { DecodeError, errorCode, KafkaError } from '../base/errors.ts'
import type { Timer } from '../io/clock.ts'
import type { Env } from '../io/env.ts'
import { type Address, addressText, type Stream } from '../io/network.ts'
import { ApiVersions, type ApiVersionsResponse } from '../protocol/apis/api-versions.ts'
import { decodeResponse, encodeRequest } from '../protocol/codec.ts'
import type { Api, Encodable, RequestOf, ResponseOf } from '../protocol/schema.ts'
import { ConnectionError, connectionErrorOf } from './connection-error.ts'
import { FrameSplitter } from './frame.ts'

/** Opens the byte stream: plain TCP by default; TLS is another one of these. */
export type Transport = (address: Address, options: { timeoutMs: number }) => Promise<Stream>

export interface ConnectionOptions {
  readonly env: Env
  readonly address: Address
  readonly clientId: string | null
  /** For connecting, negotiating and authenticating together, in ms. */
  readonly connectTimeoutMs: number
  /** Requests that may wait for a reply at once (default 1000). */
  readonly maxInFlight?: number
  /** A reply larger than this ends the connection (default 512 MiB). */
  readonly maxResponseBytes?: number
  readonly transport?: Transport
  /** Runs after the versions are known and before anyone else may send: SASL. */
  readonly authenticate?: (connection: Connection) => Promise<void>
  /** Called once, when the connection is no longer usable. */
  readonly onClose?: (error: ConnectionError) => void
}

export interface RequestOptions {
  /** Until the reply, in ms. */
  readonly timeoutMs: number
  /** Instead of the highest common version. */
  readonly version?: number
}

/** What `request` takes: the schema of an API. */
export type AnyApi = Api

interface Waiting {
  readonly api: AnyApi
  readonly version: number
  readonly correlationId: number
  readonly deadlineMs: number
  readonly timeoutMs: number
  readonly settle: (error: ConnectionError | null, frame: Chunks) => void
}

export interface VersionRange {
  readonly min: number
  readonly max: number
}

/** Put in by the build: the version in package.json. */
declare const OTTLA_VERSION: string

/** Name and version that brokers show in their metrics (KIP-511). */
const software = { clientSoftwareName: 'ottla', clientSoftwareVersion: OTTLA_VERSION }

/**
 * Connects, negotiates versions and authenticates. Rejects with a ConnectionError within
 * `connectTimeoutMs`, or with whatever `authenticate` throws.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { env } = options
  const deadlineMs = env.clock.monotonicMs() + options.connectTimeoutMs
  const [, highest] = ApiVersions.versions
  try {
    return await openOnce(options, highest, deadlineMs)
  } catch (error) {
    const isHungUp = error instanceof ConnectionError && error.failure === 'closed' && error.wasSent
    if (!isHungUp || env.clock.monotonicMs() >= deadlineMs) throw error
    return await openOnce(options, 0, deadlineMs)
  }
}

async function openOnce(
  options: ConnectionOptions,
  version: number,
  deadlineMs: number,
): Promise<Connection> {
  const { env, address } = options
  const remainingMs = () => Math.max(1, Math.ceil(deadlineMs - env.clock.monotonicMs()))
  const plain: Transport = (to, limits) => env.network.connect(to, limits)
  const transport = options.transport ?? plain
  let stream: Stream
  try {
    stream = await transport(address, { timeoutMs: remainingMs() })
  } catch (error) {
    throw connectionErrorOf(address, error, 'unreachable')
  }
  const connection = new Connection(stream, options)
  try {
    await connection.negotiate(version, remainingMs)
    await options.authenticate?.(connection)
  } catch (error) {
    connection.close()
    throw error
  }
  return connection
}

export class Connection {
  readonly address: Address
  readonly #env: Env
  readonly #stream: Stream
  readonly #options: ConnectionOptions
  readonly #maxInFlight: number
  /** In the order of sending; `#head` is the oldest still without a reply. */
  #waiting: Waiting[] = []
  #head = 0
  #nextCorrelationId = 1
  #timer: Timer | null = null
  #timerDeadlineMs = Number.POSITIVE_INFINITY
  #error: ConnectionError | null = null
  #apiVersions: ApiVersionsResponse | null = null
  #ranges = new Map<number, VersionRange>()
  #throttledUntilMs = 0

  constructor(stream: Stream, options: ConnectionOptions) {
    this.#env = options.env
    this.#stream = stream
    this.#options = options
    this.address = options.address
    this.#maxInFlight = options.maxInFlight ?? 1000
    const splitter = new FrameSplitter(() => options.maxResponseBytes ?? 512 * 1024 * 1024)
    const onFrame = (frame: Chunks) => this.#onFrame(frame)
    stream.handle({
      onData: (chunk) => {
        if (this.#error !== null) return
        try {
          splitter.push(chunk, onFrame)
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error
          this.#failProtocol(error)
        }
      },
      onClose: (error) => this.#fail(this.#closedBy(error, splitter.isInsideFrame)),
    })
  }

  get isClosed(): boolean {
    return this.#error !== null
  }

  /** Requests that wait for a reply. */
  get inFlight(): number {
    return this.#waiting.length - this.#head
  }

  /** The broker handles nothing before this monotonic time: a quota was exceeded. */
  get throttledUntilMs(): number {
    return this.#throttledUntilMs
  }

  /** What the broker said it serves. */
  get apiVersions(): ApiVersionsResponse {
    assert(this.#apiVersions !== null, 'the versions are known once the connection is open')
    return this.#apiVersions
  }

  /** The versions that the broker serves of an API; null when none. */
  rangeOf(apiKey: number): VersionRange | null {
    return this.#ranges.get(apiKey) ?? null
  }

  /** Whether both sides know `api`, at `version` or later. */
  supports(api: AnyApi, version = 0): boolean {
    const range = this.#ranges.get(api.key)
    if (range === undefined) return false
    const highest = Math.min(range.max, api.versions[1])
    return highest >= version && highest >= range.min && highest >= api.versions[0]
  }

  /**
   * The highest version that both sides know, at most `limit` and at least `floor`.
   * Throws KafkaError UNSUPPORTED_VERSION, with both ranges, when there is none.
   */
  versionOf(api: AnyApi, { floor = 0, limit = Number.POSITIVE_INFINITY } = {}): number {
    const [ourMin, ourMax] = api.versions
    const range = this.#ranges.get(api.key)
    const least = Math.max(ourMin, floor)
    const most = Math.min(ourMax, limit)
    const version = Math.min(most, range?.max ?? -1)
    if (range !== undefined && version >= least && version >= range.min) return version
    const theirs = range === undefined ? 'not at all' : `in versions ${range.min}-${range.max}`
    throw new KafkaError(
      'UNSUPPORTED_VERSION',
      `${addressText(this.address)} serves ${api.name} ${theirs}; ${least}-${most} is needed`,
    )
  }

  /** Sends and resolves with the decoded reply. Rejects with ConnectionError, or UNSUPPORTED_VERSION. */
  request<A extends AnyApi>(
    api: A,
    body: Encodable<RequestOf<A>>,
    options: RequestOptions,
  ): Promise<ResponseOf<A>> {
    const reply: Deferred<ResponseOf<A>> = deferred()
    try {
      const version = options.version ?? this.versionOf(api)
      this.#send(api, body, {
        version,
        timeoutMs: options.timeoutMs,
        settle: (error, frame) => {
          if (error !== null) reply.reject(error)
          else reply.resolve(this.#decode(api, version, frame))
        },
      })
    } catch (error) {
      reply.reject(error)
    }
    return reply.promise
  }

  /**
   * Sends a request that has no reply (Produce with acks=0); `onFlushed` is called when the system
   * took its bytes, or the connection is gone. Throws as `request` rejects.
   */
  send<A extends AnyApi>(
    api: A,
    body: Encodable<RequestOf<A>>,
    { version = this.versionOf(api), onFlushed }: { version?: number; onFlushed?: () => void } = {},
  ): void {
    this.#send(api, body, { version, timeoutMs: 0, settle: null, onFlushed })
  }

  /** Bytes that the system has not taken yet. */
  get pendingBytes(): number {
    return this.#stream.pendingBytes
  }

  /** Ends it at once; waiting requests are rejected. */
  close(): void {
    this.#fail(new ConnectionError(this.address, 'aborted', { reason: 'closed by this client' }))
  }

  /** Asks for the versions; part of opening. */
  async negotiate(firstVersion: number, remainingMs: () => number): Promise<void> {
    const key = ApiVersions.key
    let version = firstVersion
    // 35 once may lead to one older version; a second 35 is a broker we cannot talk to.
    for (let attempt = 0; attempt < 2; attempt++) {
      const body = version >= 3 ? software : {}
      const answer = await this.request(ApiVersions, body, { timeoutMs: remainingMs(), version })
      if (answer.errorCode === 0) {
        this.#apiVersions = answer
        this.#ranges = new Map(
          answer.apiKeys.map((api) => [api.apiKey, { min: api.minVersion, max: api.maxVersion }]),
        )
        return
      }
      if (answer.errorCode !== errorCode('UNSUPPORTED_VERSION')) {
        throw new KafkaError(answer.errorCode)
      }
      const own = answer.apiKeys.find((api) => api.apiKey === key)
      version = Math.min(version - 1, own?.maxVersion ?? 0)
      if (version < 0) break
    }
    throw new ConnectionError(this.address, 'unsupported', {
      reason: `no version of ApiVersions in common (ours: ${ApiVersions.versions.join('-')})`,
    })
  }

  #send<A extends AnyApi>(
    api: A,
    body: Encodable<RequestOf<A>>,
    {
      version,
      timeoutMs,
      settle,
      onFlushed,
    }: Pick<Waiting, 'version' | 'timeoutMs'> & {
      settle: Waiting['settle'] | null
      onFlushed?: (() => void) | undefined
    },
  ): void {
    if (this.#error !== null) throw this.#error
    if (settle !== null && this.inFlight >= this.#maxInFlight) {
      throw new ConnectionError(this.address, 'aborted', {
        reason: `${this.inFlight} requests wait for a reply already, no more are sent`,
      })
    }
    const correlationId = this.#nextCorrelationId
    const header = { correlationId, clientId: this.#options.clientId }
    const frame = encodeRequest(api, version, header, body)
    this.#nextCorrelationId = correlationId === 0x7fffffff ? 1 : correlationId + 1
    if (settle !== null) {
      const nowMs = this.#env.clock.monotonicMs()
      const deadlineMs = Math.max(nowMs, this.#throttledUntilMs) + timeoutMs
      this.#waiting.push({ api, version, correlationId, deadlineMs, timeoutMs, settle })
      this.#arm(deadlineMs, nowMs)
    }
    this.#stream.write(frame, onFlushed)
  }

  #onFrame(frame: Chunks): void {
    if (this.#error !== null) return
    const waiting = this.#waiting[this.#head]
    if (waiting === undefined) throw new DecodeError('a reply to no request')
    const id = readInt(frame, 0, 4)
    if (id !== waiting.correlationId) {
      throw new DecodeError(
        `a reply with correlation id ${id} where ${waiting.correlationId} (${waiting.api.name}) was due`,
      )
    }
    this.#head++
    if (this.#head === this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
      this.#disarm()
    } else if (this.#head === 64) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    try {
      waiting.settle(null, frame)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      const reason = `its reply to ${waiting.api.name} v${waiting.version}: ${error.message}`
      const failure = new ConnectionError(this.address, 'protocol', { reason, cause: error })
      waiting.settle(failure.afterSending(), frame)
      this.#fail(failure)
    }
  }

  /** The body of a reply; notes how long the broker will be silent. */
  #decode<A extends AnyApi>(api: A, version: number, frame: Chunks): ResponseOf<A> {
    // An ApiVersions reply with error 35 has the form of version 0, whatever was asked (KIP-511).
    const isRefusal = api.key === ApiVersions.key && readInt(frame, 4, 2) === 35
    const { body } = decodeResponse(api, isRefusal ? 0 : version, frame)
    const throttleTimeMs = throttleOf(body)
    if (throttleTimeMs > 0) {
      this.#throttledUntilMs = this.#env.clock.monotonicMs() + throttleTimeMs
      this.#env.log.debug('connection-throttled', { api: api.name, throttleTimeMs })
    }
    return body
  }

  #arm(deadlineMs: number, nowMs: number): void {
    if (deadlineMs >= this.#timerDeadlineMs) return
    this.#timer?.cancel()
    this.#timerDeadlineMs = deadlineMs
    this.#timer = this.#env.clock.timer(Math.max(1, Math.ceil(deadlineMs - nowMs)), () => {
      this.#onTimer()
    })
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerDeadlineMs = Number.POSITIVE_INFINITY
  }

  #onTimer(): void {
    this.#disarm()
    const nowMs = this.#env.clock.monotonicMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (let index = this.#head; index < this.#waiting.length; index++) {
      const waiting = this.#waiting[index]
      if (waiting === undefined) continue
      const deadlineMs = Math.max(waiting.deadlineMs, this.#throttledUntilMs)
      if (deadlineMs <= nowMs) {
        const { api, timeoutMs } = waiting
        const reason = `no answer to ${api.name} within ${Math.round(timeoutMs)} ms`
        this.#fail(new ConnectionError(this.address, 'timeout', { reason }))
        return
      }
      nextMs = Math.min(nextMs, deadlineMs)
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs, nowMs)
  }

  #closedBy(error: Error | undefined, isInsideFrame: boolean): ConnectionError {
    if (error !== undefined) return connectionErrorOf(this.address, error, 'closed')
    const where = isInsideFrame ? ' in the middle of a reply' : ''
    return new ConnectionError(this.address, 'closed', {
      reason: `connection closed by the peer${where}`,
    })
  }

  #failProtocol(cause: DecodeError): void {
    const reason = `it does not speak Kafka's protocol: ${cause.message}`
    this.#fail(new ConnectionError(this.address, 'protocol', { reason, cause }))
  }

  #fail(error: ConnectionError): void {
    if (this.#error !== null) return
    this.#error = error
    this.#disarm()
    this.#stream.destroy()
    const waiting = this.#waiting.slice(this.#head)
    this.#waiting = []
    this.#head = 0
    const sent = error.afterSending()
    for (const { settle } of waiting) settle(sent, [])
    this.#options.onClose?.(error)
  }
}

/** Signed big-endian int of 2 or 4 bytes; DecodeError when the frame is shorter. */
function readInt(frame: Chunks, position: number, size: 2 | 4): number {
  const bytes = Buffer.concat(sliceChunks(frame, position, position + size))
  if (bytes.length < size) throw new DecodeError('a reply that is shorter than its header')
  return bytes.readIntBE(0, size)
}

function throttleOf(body: unknown): number {
  if (typeof body !== 'object' || body === null || !('throttleTimeMs' in body)) return 0
  return typeof body.throttleTimeMs === 'number' ? body.throttleTimeMs : 0
}
