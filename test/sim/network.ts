/**
 * The network between the machines. Bytes take a while, arrive in order and in pieces of any size.
 * A link (two machines, one direction) may be clogged for a while; a connection may be cut, at one end
 * only or with its last request arriving once more over another one.
 */

import { nativeError } from '../../lib/io/memory/disk.ts'
import {
  type Address,
  addressText,
  type Listener,
  type Network,
  type Stream,
} from '../../lib/io/network.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'
import { Produce } from '../../lib/protocol/apis/produce.ts'
import type { Process } from './machine.ts'
import { SimStream } from './stream.ts'
import { between, chance, type World } from './world.ts'

interface Listening {
  readonly process: Process
  readonly onStream: (stream: Stream) => void
}

export class SimNetwork {
  readonly world: World
  readonly random: Random
  /** Longest a piece travels, in ms; the shortest is a tenth. */
  delayMs = 1
  /** Share of the pieces that are cut in two or more. */
  splitShare = 0.1
  /** Until when answers of a machine are lost, most of them, with their connections. */
  readonly #losing = new Map<string, number>()
  readonly #listening = new Map<number, Listening>()
  readonly streams = new Set<SimStream>()
  /** Until when nothing passes, by `from>to`. */
  readonly #clogged = new Map<string, number>()
  #nextPort = 40_000

  constructor(world: World) {
    this.world = world
    this.random = world.random('network')
  }

  /** When something sent now arrives. */
  arrivalMs(from: Process, to: Process): number {
    const cloggedUntilMs = this.#clogged.get(`${from.machine.name}>${to.machine.name}`) ?? 0
    const startMs = Math.max(this.world.nowMs, cloggedUntilMs)
    return startMs + between(this.random, this.delayMs / 10, this.delayMs)
  }

  clog(from: string, to: string, ms: number): void {
    this.#clogged.set(`${from}>${to}`, this.world.nowMs + ms)
  }

  loseAnswers(from: string, ms: number): void {
    this.#losing.set(from, this.world.nowMs + ms)
  }

  /** Whether what this process writes now is lost. */
  losesAnswerOf({ machine }: Process): boolean {
    if ((this.#losing.get(machine.name) ?? 0) <= this.world.nowMs) return false
    return chance(this.random, 0.5)
  }

  heal(): void {
    this.#losing.clear()
    this.#clogged.clear()
    this.delayMs = 1
  }

  /**
   * Resets a connection at both ends; `replaysLast`: its last request reaches the broker once more, if
   * it is one that a broker must know again (Produce has sequences; a second CreateTopics is one more wish).
   */
  cut(stream: SimStream, { replaysLast = false }: { replaysLast?: boolean } = {}): void {
    const { peer } = stream
    const last = stream.lastWrite
    this.world.note('cut', last?.length ?? 0, addressText(stream.remote))
    stream.reset()
    peer?.reset()
    if (replaysLast && last !== null && isWholeProduce(last)) this.#replay(stream, last)
  }

  /** A request that was lost on its way comes after all, and nobody waits for its answer. */
  #replay({ remote, process }: SimStream, bytes: Uint8Array): void {
    this.world.after(between(this.random, 1, 3000), () => {
      const listening = this.#listening.get(remote.port)
      if (listening === undefined || !listening.process.isAlive) return
      this.world.note('replay', bytes.length, addressText(remote))
      const near = this.#pair(process, listening, remote)
      near.handle({ onData() {}, onClose() {} })
      near.write([bytes])
    })
  }

  closeAllOf(process: Process, isSilent: boolean): void {
    for (const [port, listening] of this.#listening) {
      if (listening.process === process) this.#listening.delete(port)
    }
    for (const stream of [...this.streams]) {
      if (stream.process === process) stream.die(isSilent)
    }
  }

  viewOf(process: Process): Network {
    return {
      listen: async (address, onStream) => this.#listen(process, address, onStream),
      connect: (address, options) => this.#connect(process, address, options),
    }
  }

  #listen(process: Process, address: Address, onStream: (stream: Stream) => void): Listener {
    const port = address.port === 0 ? this.#nextPort++ : address.port
    if (this.#listening.has(port)) throw nativeError('EADDRINUSE', 'listen', addressText(address))
    const listening = { process, onStream }
    this.#listening.set(port, listening)
    return {
      address: { host: address.host, port },
      close: async () => {
        if (this.#listening.get(port) === listening) this.#listening.delete(port)
      },
    }
  }

  #connect(
    process: Process,
    address: Address,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Stream> {
    return new Promise((resolve, reject) => {
      let isSettled = false
      const settle = (fn: () => void) => {
        if (isSettled || !process.isAlive) return
        isSettled = true
        timer.cancel()
        fn()
      }
      const fail = (code: string) =>
        settle(() => reject(nativeError(code, 'connect', addressText(address))))
      const timer = this.world.after(timeoutMs, () => fail('ETIMEDOUT'))
      signal?.addEventListener('abort', () => settle(() => reject(signal.reason)), { once: true })
      const target = this.#listening.get(address.port)
      const arrivalMs =
        target === undefined
          ? this.world.nowMs + between(this.random, 0.1, this.delayMs)
          : Math.max(
              this.arrivalMs(process, target.process),
              this.arrivalMs(target.process, process),
            )
      this.world.at(arrivalMs, () => {
        const listening = this.#listening.get(address.port)
        if (listening === undefined) fail('ECONNREFUSED')
        else settle(() => resolve(this.#pair(process, listening, address)))
      })
    })
  }

  /** Both ends of a new connection; the near one. */
  #pair(process: Process, listening: Listening, address: Address): SimStream {
    const from: Address = { host: '127.0.0.1', port: this.#nextPort++ }
    const near = new SimStream(this, process, { local: from, remote: address })
    const far = new SimStream(this, listening.process, { local: address, remote: from })
    near.peer = far
    far.peer = near
    this.streams.add(near)
    this.streams.add(far)
    this.world.note('connect', from.port, process.machine.name)
    listening.onStream(far)
    return near
  }

  /** Where `size` bytes are cut on their way. */
  pieceBytes(size: number): number {
    if (size < 2 || !chance(this.random, this.splitShare)) return size
    return 1 + randomBelow(this.random, size - 1)
  }
}

function isWholeProduce(bytes: Uint8Array): boolean {
  if (bytes.length < 8 || bytes.length > 64 * 1024) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return view.getInt32(0) === bytes.length - 4 && view.getInt16(4) === Produce.key
}
