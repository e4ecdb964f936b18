/** kcat (librdkafka) against a broker. */

import { type Cell, codecs, expect, type Target, topicNames } from './cells.ts'
import { output } from './process.ts'
import { readAll, readValues } from './reader.ts'
import { storedBatches, storedCodecs } from './stored.ts'

const lines = Array.from({ length: 200 }, (_, index) => `line ${index} ${'x'.repeat(40)}`)

export function kcatCells(
  target: Target,
  createTopic: (topic: string, partitions?: number) => Promise<void>,
): Cell[] {
  const next = topicNames('kcat')
  const kcat = (args: readonly string[], input = '') =>
    output(['kcat', '-b', target.address, ...args], { input })
  const cell = (
    group: string,
    what: string,
    run: (topic: string) => Promise<void | string>,
  ): Cell => ({
    client: 'kcat',
    group,
    what,
    run: async () => {
      const topic = next()
      await createTopic(topic)
      return (await run(topic)) ?? undefined
    },
  })
  const produceAndCheck = (args: readonly string[]) => async (topic: string) => {
    await kcat(['-P', '-t', topic, '-p', '0', ...args], `${lines.join('\n')}\n`)
    expect(await readValues(target.address, topic), lines, 'records read back')
  }
  return [
    cell('produce', 'plain', produceAndCheck([])),
    cell('produce', 'idempotent', async (topic) => {
      await produceAndCheck(['-X', 'enable.idempotence=true'])(topic)
      expect(
        storedBatches(target, topic).every(({ producerId }) => producerId >= 0),
        true,
        'producer id stored',
      )
    }),
    ...codecs.map((codec) =>
      cell('codec', codec, async (topic) => {
        await produceAndCheck(['-z', codec, '-X', 'linger.ms=50'])(topic)
        expect(storedCodecs(target, topic), [codec], 'codec of the stored batches')
      }),
    ),
    cell('acks', '0', async (topic) => {
      await kcat(['-P', '-t', topic, '-p', '0', '-X', 'acks=0'], `${lines.join('\n')}\n`)
      for (
        let attempt = 0;
        attempt < 20 && (await readValues(target.address, topic)).length < lines.length;
        attempt++
      );
      expect(await readValues(target.address, topic), lines, 'records read back')
    }),
    cell('acks', '1', produceAndCheck(['-X', 'acks=1'])),
    cell('acks', 'all', produceAndCheck(['-X', 'acks=all'])),
    cell('headers', 'write, read', async (topic) => {
      await kcat(['-P', '-t', topic, '-p', '0', '-H', 'a=1', '-H', 'n', '-H', 'a='], 'v\n')
      const [record] = await readAll(target.address, topic)
      expect(record?.headers, ['a', '1', 'n', null, 'a', ''], 'headers in order, null and empty')
    }),
    cell('tombstone', 'write, read', async (topic) => {
      await kcat(['-P', '-t', topic, '-p', '0', '-K', ':', '-Z'], 'k:\nk:v\n')
      expect(
        (await readAll(target.address, topic)).map(({ key, value }) => [key, value]),
        [
          ['k', null],
          ['k', 'v'],
        ],
        'null value',
      )
    }),
    cell('timestamp', 'read, seek', async (topic) => {
      await kcat(['-P', '-t', topic, '-p', '0'], 'first\n')
      const [first] = await readAll(target.address, topic)
      expect(Math.abs((first?.timestamp ?? 0) - Date.now()) < 60_000, true, 'timestamp of now')
      expect(
        await kcat(['-Q', '-t', `${topic}:0:${first?.timestamp}`]),
        `${topic} [0] offset 0\n`,
        'offset by time',
      )
    }),
    cell('consume', 'from, to, tail', async (topic) => {
      await kcat(['-P', '-t', topic, '-p', '0'], 'a\nb\nc\nd\n')
      expect(
        await kcat(['-C', '-t', topic, '-p', '0', '-o', '1', '-c', '2', '-q', '-e']),
        'b\nc\n',
        'from an offset',
      )
      expect(
        await kcat(['-C', '-t', topic, '-p', '0', '-o', '-1', '-q', '-e']),
        'd\n',
        'the last one',
      )
    }),
    cell('admin', 'metadata (-L)', async (topic) => {
      const { topics, brokers } = JSON.parse(await kcat(['-L', '-J', '-t', topic])) as {
        topics: { topic: string; partitions: unknown[] }[]
        brokers: unknown[]
      }
      expect(
        [topics[0]?.topic, topics[0]?.partitions.length, brokers.length],
        [topic, 1, 1],
        'metadata',
      )
    }),
    cell('group', '-G: all, then only what is new', async (topic) => {
      const group = ['-G', `group-${topic}`, topic, '-X', 'auto.offset.reset=earliest', '-q']
      await kcat(['-P', '-t', topic, '-p', '0'], 'a\nb\nc\n')
      expect(await kcat([...group, '-c', '3']), 'a\nb\nc\n', 'the first time')
      await kcat(['-P', '-t', topic, '-p', '0'], 'd\n')
      expect(await kcat([...group, '-e']), 'd\n', 'the second time')
    }),
    cell('group', '-G: cooperative-sticky, static member', async (topic) => {
      const group = ['-G', `group-${topic}`, topic, '-X', 'auto.offset.reset=earliest', '-q']
      const more = ['partition.assignment.strategy=cooperative-sticky', 'group.instance.id=me']
      await kcat(['-P', '-t', topic, '-p', '0'], 'a\nb\n')
      const options = more.flatMap((text) => ['-X', text])
      expect(await kcat([...group, ...options, '-e']), 'a\nb\n', 'records')
    }),
  ]
}
