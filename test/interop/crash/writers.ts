/**
 * Producers that go on while their broker is killed under them. Each writes numbered values
 * ("name number padding") to one partition, idempotently, and knows what was acknowledged.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { Client } from '../../../lib/client/client.ts'
import { Producer } from '../../../lib/client/producer.ts'
import { ottla } from '../support/broker-process.ts'
import { pause } from '../support/checks.ts'

export interface Acknowledged {
  /** By number; -1 = acknowledged, the offset is not told. */
  readonly offsets: Map<number, number>
}

export interface Writer extends Acknowledged {
  readonly name: string
  readonly partition: number
  readonly written: number
  /** Ends the input and waits for everything; throws when anything was not delivered. */
  end(): Promise<void>
}

interface Place {
  readonly name: string
  readonly address: string
  readonly topic: string
  readonly partition: number
  /** Records written every 10 ms (60 unless it says so). */
  readonly perTick?: number
}

const padding = 'x'.repeat(80)
const recordsPerTick = 60
const tickMs = 10
const recordValue = (name: string, number: number) => `${name} ${number} ${padding}`

/** The client library, in this process: knows at once what was acknowledged. */
export class LibraryWriter implements Writer {
  readonly name: string
  readonly partition: number
  readonly offsets = new Map<number, number>()
  written = 0
  readonly #perTick: number
  readonly #client: Client
  readonly #producer: Producer
  readonly #done: Promise<void>
  #isEnding = false
  #failure: Error | null = null

  constructor({ name, address, topic, partition, perTick = recordsPerTick }: Place) {
    this.#perTick = perTick
    this.name = name
    this.partition = partition
    this.#client = new Client({ brokers: [address], retryForMs: 600_000 })
    this.#producer = new Producer(this.#client, {
      deliveryTimeoutMs: 600_000,
      requestTimeoutMs: 5000,
    })
    this.#producer.onDelivery = ({ error, tags, baseOffset }) => {
      if (error !== null) this.#failure ??= error
      else
        for (const [index, number] of tags.entries()) this.offsets.set(number, baseOffset + index)
    }
    this.#done = this.#write(topic)
  }

  async #write(topic: string): Promise<void> {
    while (!this.#isEnding) {
      for (let count = 0; count < this.#perTick; count++) {
        const value = Buffer.from(recordValue(this.name, this.written))
        const record = { topic, partition: this.partition, value }
        if (!this.#producer.append(record, this.written)) await this.#producer.drained()
        this.written++
      }
      await pause(tickMs)
    }
  }

  async end(): Promise<void> {
    this.#isEnding = true
    await this.#done
    await this.#producer.close()
    this.#client.close()
    if (this.#failure !== null) throw this.#failure
    if (this.offsets.size !== this.written)
      throw new Error(`${this.name}: ${this.offsets.size} reports for ${this.written} records`)
  }
}

/** Another program, fed through a pipe. */
abstract class ProcessWriter implements Writer {
  readonly name: string
  readonly partition: number
  readonly offsets = new Map<number, number>()
  written = 0
  readonly #perTick: number
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  readonly #done: Promise<void>
  #isEnding = false
  #stderr = ''

  constructor(
    { name, partition, perTick = recordsPerTick }: Place,
    commandLine: readonly string[],
  ) {
    this.#perTick = perTick
    this.name = name
    this.partition = partition
    const [program = '', ...args] = commandLine
    this.#child = spawn(program, args, { stdio: 'pipe' })
    this.#ended = new Promise((resolve) => this.#child.on('close', resolve))
    let rest = ''
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.onLine(line)
    })
    this.#child.stderr?.on('data', (chunk) => (this.#stderr = (this.#stderr + chunk).slice(-4000)))
    this.#child.stdin?.on('error', () => {})
    this.#done = this.#write()
  }

  /** A line of its standard output. */
  protected abstract onLine(line: string): void
  /** All is delivered. */
  protected onSuccess(): void {}

  async #write(): Promise<void> {
    while (!this.#isEnding && this.#child.exitCode === null) {
      let text = ''
      for (let count = 0; count < this.#perTick; count++)
        text += `${recordValue(this.name, this.written++)}\n`
      const hasRoom = this.#child.stdin?.write(text)
      if (hasRoom === false)
        await new Promise<void>((resolve) => {
          this.#child.stdin?.once('drain', resolve)
          void this.#ended.then(() => resolve())
        })
      await pause(tickMs)
    }
  }

  async end(): Promise<void> {
    this.#isEnding = true
    await this.#done
    this.#child.stdin?.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 60_000)
    const code = await this.#ended
    clearTimeout(timer)
    if (code !== 0) throw new Error(`${this.name} ended with ${code}: ${this.#stderr}`)
    this.onSuccess()
    if (this.offsets.size !== this.written)
      throw new Error(`${this.name}: ${this.offsets.size} reports for ${this.written} records`)
  }
}

/** `ottla produce --report json`: a line for each record that was acknowledged. */
export class CommandWriter extends ProcessWriter {
  constructor(place: Place) {
    const { address, topic, partition } = place
    const options = ['--report', 'json', '--delivery-timeout', '10m', '--retry-for', '10m']
    super(place, [...ottla, 'produce', topic, '-b', address, '-p', String(partition), ...options])
  }

  protected override onLine(line: string): void {
    const { offset, line: at, error } = JSON.parse(line) as Record<string, unknown>
    if (error === undefined) this.offsets.set(Number(at) - 1, Number(offset))
  }
}

/** kcat, idempotent: exit code 0 says that everything was acknowledged. */
export class KcatWriter extends ProcessWriter {
  constructor(place: Place) {
    const { address, topic, partition } = place
    const settings = [
      'enable.idempotence=true',
      'message.timeout.ms=600000',
      'reconnect.backoff.max.ms=300',
      'retry.backoff.ms=50',
      'linger.ms=5',
    ]
    const options = settings.flatMap((setting) => ['-X', setting])
    super(place, [
      'kcat',
      '-P',
      '-E',
      '-q',
      '-b',
      address,
      '-t',
      topic,
      '-p',
      String(partition),
      ...options,
    ])
  }

  protected override onLine(): void {}

  protected override onSuccess(): void {
    for (let number = 0; number < this.written; number++) this.offsets.set(number, -1)
  }
}
