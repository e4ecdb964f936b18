/**
 * How long one record takes through a broker that runs already: `node build/test/bench/latency.mjs
 * HOST:PORT [RECORDS]`. From send to acknowledgement (acks=all), and from send to a consumer that waits
 * for it; one at a time, 100-byte values.
 */

import { Admin, Client, Consumer, Producer } from '../../lib/index.ts'

const [address = '127.0.0.1:9092', count = '3000'] = process.argv.slice(2)
const records = Number(count)
const topic = `bench-latency-${process.pid}`
const value = Buffer.alloc(100, 'x')
const client = new Client({ brokers: [address] })
const admin = new Admin(client)
await admin.createTopics([{ name: topic, partitions: 1 }])
await admin.waitForLeaders([topic])
const producer = new Producer(client, { lingerMs: 0, acks: 'all' })
const send = () => producer.send({ topic, value })

await measure('(warming up)', send)
await measure('send to acknowledgement', send)

const consumer = new Consumer(client)
consumer.assign([{ topic, partition: 0, from: 2 * records }])
let next = consumer.next()
await measure('send to receive', async () => {
  const sent = send()
  await next
  next = consumer.next()
  await sent
})
next.catch(() => {})
consumer.close()
await producer.close()
await admin.deleteTopics([topic])
client.close()

async function measure(what: string, once: () => Promise<unknown>): Promise<void> {
  const elapsed: number[] = []
  for (let index = 0; index < records; index++) {
    const begin = performance.now()
    await once()
    elapsed.push(performance.now() - begin)
  }
  elapsed.sort((a, b) => a - b)
  const mean = elapsed.reduce((sum, each) => sum + each, 0) / records
  const at = (part: number) => (elapsed[Math.floor(records * part)] ?? 0).toFixed(3)
  console.log(
    `${what.padEnd(24)} mean ${mean.toFixed(3)}, median ${at(0.5)}, p99 ${at(0.99)}, p99.9 ${at(0.999)} ms`,
  )
}
