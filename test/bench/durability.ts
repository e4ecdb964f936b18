/**
 * What durability costs: our client produces records of 1 KiB with acks=all to 1, 16 and 128 partitions
 * of a broker process: ours with no sync, a sync per log, and the journal; Apache Kafka, when it is at
 * hand, as it comes (no sync), and with flush.messages=1. At a steady rate (of which the latencies are
 * worth reading), and as much as goes.
 * `npm run bench:durability -- [SECONDS] [ROUNDS] [PARTITIONS,...]` prints a table; it never fails by a
 * timing. The modes take turns; of their rounds the middle one counts.
 */

import { Admin } from '../../lib/client/admin.ts'
import { Client } from '../../lib/client/client.ts'
import { Producer } from '../../lib/client/producer.ts'
import { type ApacheKafka, apacheKafka } from '../interop/apache-kafka.ts'
import { startKafka, startOttla, type Target } from './compare/target.ts'

const seconds = Number(process.argv[2] ?? 3)
const rounds = Number(process.argv[3] ?? 3)
const partitionCounts = (process.argv[4] ?? '1,16,128').split(',').map(Number)
/** Unanswered records of a partition, as a bound on what a client has under way. */
const openMax = 200
const topic = 'bench'

interface Mode {
  readonly name: string
  readonly start: () => Promise<Target>
  readonly topicConfigs?: Readonly<Record<string, string>>
}

const ottlaModes: readonly Mode[] = [
  { name: 'ottla, no sync', start: () => startOttla('', ['-c', 'ottla.durability=replicated']) },
  { name: 'ottla, plain', start: () => startOttla('', ['-c', 'ottla.journal.max.bytes=0']) },
  { name: 'ottla, journal', start: () => startOttla('', ['-c', 'ottla.durability=fsync']) },
]

function kafkaModes(kafka: ApacheKafka): Mode[] {
  const start = () => startKafka('', kafka)
  return [
    { name: 'Kafka, no sync', start },
    { name: 'Kafka, flush.messages=1', start, topicConfigs: { 'flush.messages': '1' } },
  ]
}

/** Records per second, over all partitions. */
const rates = [1000, Number.POSITIVE_INFINITY]

/** Sends for `seconds` to a broker of its own, after a while to get going. */
async function measure(
  { name, start, topicConfigs = {} }: Mode,
  { partitions, rate }: { partitions: number; rate: number },
) {
  const target = await start()
  const client = new Client({ brokers: [target.address] })
  const lingerMs = Number.isFinite(rate) ? 0 : 5
  const producer = new Producer(client, { deliveryTimeoutMs: 120_000, lingerMs })
  try {
    const admin = new Admin(client)
    const [result] = await admin.createTopics([
      { name: topic, partitions, replicationFactor: 1, configs: topicConfigs },
    ])
    if (result?.error) throw result.error
    await admin.waitForLeaders([topic])
    const load = new Load(producer, { partitions, rate })
    await load.drive(2000)
    load.begin()
    await load.drive(seconds * 1000)
    const row = { broker: name, partitions, rate, ...load.end() }
    await producer.close()
    return row
  } finally {
    client.close()
    await target.close()
  }
}

class Load {
  readonly #producer: Producer
  readonly #partitions: number
  readonly #rate: number
  readonly #value = Buffer.alloc(1024, 'x')
  readonly #sentMs: number[] = []
  readonly #failures: Error[] = []
  #times: number[] = []
  #startMs = Number.POSITIVE_INFINITY
  #open = 0

  constructor(producer: Producer, load: { partitions: number; rate: number }) {
    this.#producer = producer
    this.#partitions = load.partitions
    this.#rate = load.rate
    producer.onDelivery = ({ error, tags }) => {
      if (error !== null) this.#failures.push(error)
      const nowMs = performance.now()
      this.#open -= tags.length
      if (nowMs < this.#startMs) return
      for (const tag of tags) this.#times.push(nowMs - (this.#sentMs[tag] ?? nowMs))
    }
  }

  async drive(ms: number): Promise<void> {
    const beginMs = performance.now()
    let sent = 0
    while (performance.now() < beginMs + ms) {
      for (let count = 0; count < this.#partitions; count++) {
        const isAhead = sent >= ((performance.now() - beginMs) / 1000) * this.#rate
        if (isAhead || this.#open >= this.#partitions * openMax) break
        const tag = this.#sentMs.push(performance.now()) - 1
        this.#open++
        const partition = sent++ % this.#partitions
        const hasRoom = this.#producer.append({ topic, partition, value: this.#value }, tag)
        if (!hasRoom) await this.#producer.drained()
      }
      await new Promise((resolve) => setImmediate(resolve))
      const [failure] = this.#failures
      if (failure !== undefined) throw failure
    }
  }

  begin(): void {
    this.#times = []
    this.#startMs = performance.now()
  }

  end() {
    const tookMs = performance.now() - this.#startMs
    const times = this.#times.sort((a, b) => a - b)
    const at = (share: number) => Number((times[Math.floor(times.length * share)] ?? 0).toFixed(1))
    return {
      'records/s': Math.round((times.length / tookMs) * 1000),
      'MB/s': Number(((times.length * 1024) / 1000 / tookMs).toFixed(1)),
      'p50 ms': at(0.5),
      'p99 ms': at(0.99),
    }
  }
}

const kafka = await apacheKafka({ forSpeed: true })
if (typeof kafka === 'string') console.log(`without Apache Kafka: ${kafka}`)
const modes = [...ottlaModes, ...(typeof kafka === 'string' ? [] : kafkaModes(kafka))]
const rows: Awaited<ReturnType<typeof measure>>[] = []
for (const rate of rates) {
  for (const partitions of partitionCounts) {
    const groups = modes.map((): typeof rows => [])
    for (let round = 0; round < rounds; round++) {
      for (const [index, mode] of modes.entries()) {
        groups[index]?.push(await measure(mode, { partitions, rate }))
      }
    }
    for (const group of groups) {
      const middle = group.sort((a, b) => a['p99 ms'] - b['p99 ms'])[group.length >> 1]
      if (middle !== undefined) rows.push(middle)
    }
  }
}
console.table(rows)
