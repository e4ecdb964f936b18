/** The two Node clients against a broker: kafkajs 2.2.4 and @platformatic/kafka 1.x. */

import { type Cell, codecs, expect, type Target, topicNames } from './cells.ts'
import { output } from './process.ts'
import { readAll } from './reader.ts'
import { storedBatches, storedCodecs } from './stored.ts'

type Message = {
  key?: string
  value: string | null
  headers?: Record<string, string>
  timestamp?: string
  partition?: number
}

const folder = 'test/interop/clients'
const values = Array.from({ length: 50 }, (_, index) => `value ${index} ${'y'.repeat(60)}`)

export function nodeCells(
  name: 'kafkajs' | 'platformatic',
  target: Target,
  createTopic: (topic: string) => Promise<void>,
): Cell[] {
  const client = name === 'kafkajs' ? 'kafkajs' : '@platformatic/kafka'
  const next = topicNames(name)
  const ask = async (topic: string, request: object) =>
    JSON.parse(
      await output([
        process.execPath,
        `${folder}/${name}.mjs`,
        target.address,
        topic,
        JSON.stringify(request),
      ]),
    ) as Record<string, unknown>
  const cell = (
    group: string,
    what: string,
    run: (topic: string) => Promise<void | string>,
  ): Cell => ({
    client,
    group,
    what,
    run: async () => {
      const topic = next()
      if (group !== 'admin') await createTopic(topic)
      return (await run(topic)) ?? undefined
    },
  })
  const produce =
    (options: object, messages: Message[] = values.map((value) => ({ key: 'k', value }))) =>
    async (topic: string) => {
      await ask(topic, { do: 'produce', ...options, messages })
      for (let attempt = 0; attempt < 20; attempt++) {
        const seen = await readAll(target.address, topic)
        if (seen.length < messages.length) continue
        return expect(
          seen.map(({ key, value }) => [key, value]),
          messages.map(({ key = null, value }) => [key, value]),
          'records read back',
        )
      }
      throw new Error('the records did not arrive')
    }
  return [
    cell('produce', 'plain', produce({})),
    cell('produce', 'idempotent', async (topic) => {
      await produce({ idempotent: true })(topic)
      expect(
        storedBatches(target, topic).every(({ producerId }) => producerId >= 0),
        true,
        'producer id stored',
      )
    }),
    ...codecs.map((codec) =>
      cell('codec', codec, async (topic) => {
        if (
          codec === 'zstd' &&
          name === 'platformatic' &&
          Number(process.versions.node.split('.')[0]) < 22
        )
          return 'n/a: this client needs Node 22 for zstd'
        await produce({ codec })(topic)
        return expect(storedCodecs(target, topic), [codec], 'codec of the stored batches')
      }),
    ),
    ...([0, 1, -1] as const).map((acks) =>
      cell('acks', acks === -1 ? 'all' : String(acks), produce({ acks })),
    ),
    cell('headers', 'write', async (topic) => {
      await produce({}, [{ key: 'k', value: 'v', headers: { trace: 'abc', empty: '' } }])(topic)
      expect(
        (await readAll(target.address, topic))[0]?.headers,
        ['trace', 'abc', 'empty', ''],
        'headers',
      )
    }),
    cell('tombstone', 'write', produce({}, [{ key: 'k', value: null }])),
    cell('timestamp', 'write', async (topic) => {
      await produce({}, [{ key: 'k', value: 'v', timestamp: '1700000000123' }])(topic)
      expect((await readAll(target.address, topic))[0]?.timestamp, 1_700_000_000_123, 'timestamp')
    }),
    cell(
      'admin',
      name === 'kafkajs'
        ? 'create, grow, configs, offsets, trim, delete'
        : 'create, metadata, list, delete',
      async (topic) => {
        const seen = await ask(topic, { do: 'admin' })
        const expected =
          name === 'kafkajs'
            ? {
                created: true,
                partitions: 4,
                brokers: 1,
                retention: '86400000',
                offsets: { partition: 0, offset: '10', high: '10', low: '4' },
                isGone: true,
              }
            : { created: 1, partitions: 3, wasListed: true, isGone: true, brokers: 1 }
        expect(seen, expected, 'admin calls')
      },
    ),
    cell('group', 'all, then only what is new', async (topic) => {
      const consume = async (count: number) =>
        (await ask(topic, { do: 'consume', groupId: `group-${topic}`, count }))['values']
      const [first, second] = [values.slice(0, 30), values.slice(30)]
      const message = (value: string) => ({ key: 'k', value })
      await ask(topic, { do: 'produce', messages: first.map(message) })
      expect(await consume(30), first, 'the first time')
      await ask(topic, { do: 'produce', messages: second.map(message) })
      expect(await consume(20), second, 'the second time')
    }),
  ]
}
