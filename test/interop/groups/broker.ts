/** A broker for the scripts about groups: ottla or Apache Kafka, asked in raw frames, and killed. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OffsetFetch } from '../../../lib/protocol/apis/offset-fetch.ts'
import type { ApacheKafka } from '../apache-kafka.ts'
import { Peer, type PeerName } from '../differential/peer.ts'
import { freePort, startBroker } from '../support/broker-process.ts'
import { until } from '../support/checks.ts'

export interface GroupBroker {
  readonly name: PeerName
  readonly address: string
  readonly peer: Peer
  /** SIGKILL, and a new start on the same data and port. */
  crash(): Promise<void>
  close(): Promise<void>
}

export interface GroupBrokerOptions {
  readonly settings?: Readonly<Record<string, string>>
}

/** A round of the checks takes seconds; sessions of the new protocol last 45 s by default. */
const common = {
  'group.consumer.session.timeout.ms': '6000',
  'group.consumer.min.session.timeout.ms': '6000',
  'group.consumer.heartbeat.interval.ms': '1000',
  'group.consumer.min.heartbeat.interval.ms': '1000',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'auto.create.topics.enable': 'false',
}

export async function startOttla({ settings = {} }: GroupBrokerOptions = {}): Promise<GroupBroker> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-groups-'))
  const port = await freePort(19_600, 19_699)
  const all = { ...common, ...settings }
  const args = Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  let broker = await startBroker({ data, port, args })
  const peer = await Peer.connect('ottla', broker.address)
  return {
    name: 'ottla',
    address: broker.address,
    peer,
    async crash() {
      await broker.stop('SIGKILL')
      broker = await startBroker({ data, port, args })
      await answers(peer)
    },
    async close() {
      peer.close()
      await broker.stop()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

export async function startKafka(
  kafka: ApacheKafka,
  { settings = {} }: GroupBrokerOptions = {},
): Promise<GroupBroker> {
  const broker = await kafka.startBroker({ ...common, ...settings })
  const peer = await Peer.connect('kafka', broker.address)
  return {
    name: 'kafka',
    address: broker.address,
    peer,
    async crash() {
      await broker.stop('SIGKILL')
      await broker.restart()
      await answers(peer)
    },
    async close() {
      peer.close()
      await broker.stop()
      broker.remove()
    },
  }
}

/** The connection from before is gone; the next one is answered. */
async function answers(peer: Peer): Promise<void> {
  const asked = { groupId: 'none', topics: [] }
  await until(
    async () => typeof (await peer.ask(OffsetFetch, 7, asked).catch(() => 'closed')) !== 'string',
    `${peer.name} answers`,
    60_000,
  )
}

/** The committed offsets of a topic's partitions, -1 where there is none. */
export async function committedOffsets(
  peer: Peer,
  groupId: string,
  { topic, partitions }: { topic: string; partitions: number },
): Promise<number[]> {
  const partitionIndexes = Array.from({ length: partitions }, (_, index) => index)
  for (let attempt = 0; ; attempt++) {
    const { errorCode, topics } = await peer.call(OffsetFetch, 7, {
      groupId,
      topics: [{ name: topic, partitionIndexes }],
    })
    const found = topics[0]?.partitions ?? []
    if (errorCode === 0 && found.every((partition) => partition.errorCode === 0)) {
      return partitionIndexes.map(
        (index) => found.find((one) => one.partitionIndex === index)?.committedOffset ?? -1,
      )
    }
    // Loading, or its coordinator is not made yet.
    if (attempt > 500) throw new Error(`${peer.name}: OffsetFetch of ${groupId}: ${errorCode}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
