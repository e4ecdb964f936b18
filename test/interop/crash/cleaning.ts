/**
 * Kills while the cleaner puts cleaned segments in the place of those they were made from. A compacted
 * topic is written all the time, and cleaned all the time; the broker is killed as soon as a file with
 * one of the names of a swap (storage/cleaner/swap.ts) is seen in the log's directory. Then each key
 * must have the last value that was acknowledged, or a later one, and nothing may be out of order.
 */

import { mkdtempSync, readdirSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../../../lib/client/client.ts'
import { Consumer } from '../../../lib/client/consumer.ts'
import { listOffsets } from '../../../lib/client/offsets.ts'
import { Producer } from '../../../lib/client/producer.ts'
import { type BrokerProcess, freePort, startBroker } from '../support/broker-process.ts'
import { type Checks, expectThat, pause, same } from '../support/checks.ts'

const topic = 'cleaned'
const keyCount = 200
const marks = ['.cleaned', '.swap', '.deleted'] as const
type Mark = (typeof marks)[number]
/** Nothing to be seen for so long is a failure. */
const waitMsMax = 30_000
const padding = 'x'.repeat(1000)

/** Writes numbered values to keys in turn, and knows the last number of each that was acknowledged. */
class KeyWriter {
  /** By key. */
  readonly acknowledged = new Map<number, number>()
  readonly #client: Client
  readonly #producer: Producer
  readonly #done: Promise<void>
  #isEnding = false
  #failure: Error | null = null
  written = 0

  constructor(address: string) {
    this.#client = new Client({ brokers: [address], retryForMs: 600_000 })
    this.#producer = new Producer(this.#client, {
      deliveryTimeoutMs: 600_000,
      requestTimeoutMs: 5000,
    })
    this.#producer.onDelivery = ({ error, tags }) => {
      if (error !== null) this.#failure ??= error
      else for (const number of tags) this.acknowledged.set(number % keyCount, number)
    }
    this.#done = this.#write()
  }

  async #write(): Promise<void> {
    while (!this.#isEnding) {
      for (let count = 0; count < 50; count++) {
        const number = this.written++
        const key = Buffer.from(`key ${number % keyCount}`)
        const record = { topic, partition: 0, key, value: Buffer.from(`${number} ${padding}`) }
        if (!this.#producer.append(record, number)) await this.#producer.drained()
      }
      await pause(10)
    }
  }

  async end(): Promise<void> {
    this.#isEnding = true
    await this.#done
    await this.#producer.close()
    this.#client.close()
    if (this.#failure !== null) throw this.#failure
  }
}

/** The last number of each key; throws for one that comes after a larger one. */
async function readLast(address: string): Promise<Map<number, number>> {
  const client = new Client({ brokers: [address] })
  const [end] = await listOffsets(client, [{ topic, partition: 0, at: 'latest' }])
  const consumer = new Consumer(client)
  consumer.assign([{ topic, partition: 0, from: 0, to: end?.offset ?? 0 }])
  const found = new Map<number, number>()
  let last = -1
  for await (const batch of consumer) {
    for (const { offset, key, value } of batch.records()) {
      const number = Number.parseInt(Buffer.from(value ?? []).toString('latin1'), 10)
      expectThat(number > last, `number ${number} at offset ${offset}, after ${last}`)
      same(`${Buffer.from(key ?? [])}`, `key ${number % keyCount}`, `key of number ${number}`)
      last = number
      found.set(number % keyCount, number)
    }
  }
  consumer.close()
  client.close()
  return found
}

/** Resolves when a file with `mark` appears, or the wait gets too long. */
function appearance(directory: string, mark: Mark): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      watcher.close()
      reject(new Error(`no ${mark} in ${directory} within ${waitMsMax} ms`))
    }, waitMsMax)
    const watcher = watch(directory, (_event, name) => {
      if (name?.endsWith(mark) !== true) return
      clearTimeout(timer)
      watcher.close()
      resolve()
    })
  })
}

function countOf(directory: string): Map<Mark, number> {
  const counts = new Map<Mark, number>()
  for (const name of readdirSync(directory)) {
    const mark = marks.find((one) => name.endsWith(one))
    if (mark !== undefined) counts.set(mark, (counts.get(mark) ?? 0) + 1)
  }
  return counts
}

/**
 * As many kills as `kills`. With a lossy disk (`args`) a kill is a power cut. Says how many of them
 * left a `.swap` behind, for the start to finish or to undo.
 */
export async function killCleanings(
  checks: Checks,
  { kills, port: portFrom, args = [] }: { kills: number; port: number; args?: readonly string[] },
): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-crash-cleaning-'))
  const port = await freePort(portFrom, portFrom + 19)
  const configs = ['cleanup.policy=compact', 'segment.bytes=1048576', 'min.cleanable.dirty.ratio=0']
  const settings = ['-c', 'log.cleaner.backoff.ms=20', '-c', 'log.segment.delete.delay.ms=200']
  const words = [...args, ...settings, '--topic', `${topic}:1:${configs.join(',')}`]
  const start = () => startBroker({ data, port, args: words })
  let broker: BrokerProcess = await start()
  const writer = new KeyWriter(broker.address)
  const directory = join(data, `${topic}-0`)
  const what = args.length > 0 ? `${args.join(' ')}: killed` : 'killed'
  let midSwap = 0
  for (let kill = 0; kill < kills; kill++) {
    const mark = marks[kill % marks.length] ?? '.swap'
    await checks.run(`${what} beside a ${mark}, ${kill + 1} of ${kills}`, async () => {
      await appearance(directory, mark)
      await pause(kill % 4)
      await broker.stop('SIGKILL')
      const left = countOf(directory)
      if (left.has('.swap')) midSwap++
      broker = await start()
      const before = new Map(writer.acknowledged)
      const last = await readLast(broker.address)
      for (const [key, number] of before) {
        const stored = last.get(key) ?? -1
        expectThat(stored >= number, `key ${key}: acknowledged ${number}, stored ${stored}`)
      }
      const files = [...left].map(([name, count]) => `${count} ${name}`).join(', ')
      return `${files || 'nothing'} left; ${before.size} keys of ${writer.written} records`
    })
  }
  await checks.run(`${what}: in the middle of a swap, some of the time`, async () => {
    await writer.end()
    same(await broker.stop(), 0, 'exit code')
    expectThat(midSwap > 0 || kills < 30, 'no kill left a .swap')
    return `${midSwap} of ${kills} kills left a .swap; ${writer.written} records`
  })
  rmSync(data, { recursive: true, force: true })
  rmSync(`${data}.lossy`, { recursive: true, force: true })
}
