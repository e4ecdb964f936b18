/** Apache Kafka's Java client and command-line tools against a broker. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApacheKafka, ToolName } from './apache-kafka.ts'
import { type Cell, codecs, expect, type Target, topicNames } from './cells.ts'
import { readAll } from './reader.ts'
import { storedBatches, storedCodecs } from './stored.ts'

const lines = Array.from({ length: 100 }, (_, index) => `java line ${index} ${'z'.repeat(50)}`)

/** What the cells share: a broker, the tools, and topics of their own. */
interface Bench {
  readonly target: Target
  tool(name: ToolName, args: readonly string[], input?: string): Promise<string>
  cell(
    client: string,
    group: string,
    what: string,
    run: (topic: string) => Promise<void | string>,
  ): Cell
}

export function javaCells(
  target: Target,
  kafka: ApacheKafka,
  createTopic: (topic: string) => Promise<void>,
): Cell[] {
  const next = topicNames('java')
  const bench: Bench = {
    target,
    tool: (name, args, input) =>
      kafka.tool(
        name,
        [
          ...(name === 'kafka-producer-perf-test' ? [] : ['--bootstrap-server', target.address]),
          ...args,
        ],
        input,
      ),
    cell: (client, group, what, run) => ({
      client,
      group,
      what,
      run: async () => {
        const topic = next()
        if (group !== 'admin' || client !== 'kafka-topics') await createTopic(topic)
        return (await run(topic)) ?? undefined
      },
    }),
  }
  return [
    ...producerCells(bench),
    ...consumerCells(bench),
    ...adminCells(bench),
    ...perfCells(bench),
  ]
}

function producerCells({ target, tool, cell }: Bench): Cell[] {
  const client = 'console-producer'
  const produce = (args: readonly string[]) => async (topic: string) => {
    await tool('kafka-console-producer', ['--topic', topic, ...args], `${lines.join('\n')}\n`)
    expect(
      (await readAll(target.address, topic)).map(({ value }) => value),
      lines,
      'records read back',
    )
  }
  return [
    cell(client, 'produce', 'idempotent (default)', async (topic) => {
      await produce([])(topic)
      expect(
        storedBatches(target, topic).every(({ producerId }) => producerId >= 0),
        true,
        'producer id stored',
      )
    }),
    cell(
      client,
      'produce',
      'not idempotent',
      produce(['--command-property', 'enable.idempotence=false']),
    ),
    ...codecs.map((codec) =>
      cell(client, 'codec', codec, async (topic) => {
        await produce(['--compression-codec', codec])(topic)
        expect(storedCodecs(target, topic), [codec], 'codec of the stored batches')
      }),
    ),
    ...(['0', '1', 'all'] as const).map((acks) =>
      cell(
        client,
        'acks',
        acks,
        produce([
          '--command-property',
          `acks=${acks}`,
          '--command-property',
          'enable.idempotence=false',
        ]),
      ),
    ),
    cell(client, 'headers', 'write', async (topic) => {
      await tool(
        'kafka-console-producer',
        [
          '--topic',
          topic,
          '--reader-property',
          'parse.headers=true',
          '--reader-property',
          'parse.key=true',
          '--reader-property',
          'null.marker=NULL',
        ],
        'a:1,b:2\tk\tv\n',
      )
      const [record] = await readAll(target.address, topic)
      expect(
        [record?.headers, record?.key, record?.value],
        [['a', '1', 'b', '2'], 'k', 'v'],
        'headers, key and value',
      )
    }),
    cell(client, 'tombstone', 'write', async (topic) => {
      await tool(
        'kafka-console-producer',
        [
          '--topic',
          topic,
          '--reader-property',
          'parse.key=true',
          '--reader-property',
          'null.marker=NULL',
        ],
        'k\tNULL\n',
      )
      expect(
        (await readAll(target.address, topic)).map(({ key, value }) => [key, value]),
        [['k', null]],
        'null value',
      )
    }),
  ]
}

function consumerCells({ target, tool, cell }: Bench): Cell[] {
  const client = 'console-consumer'
  const consume = (topic: string, args: readonly string[]) =>
    tool('kafka-console-consumer', [
      '--topic',
      topic,
      '--partition',
      '0',
      '--timeout-ms',
      '20000',
      ...args,
    ])
  const fill = (topic: string, args: readonly string[] = []) =>
    tool('kafka-console-producer', ['--topic', topic, ...args], `${lines.join('\n')}\n`)
  return [
    cell(client, 'consume', '--partition, from the start', async (topic) => {
      await fill(topic)
      expect(
        (await consume(topic, ['--offset', 'earliest', '--max-messages', '100']))
          .trim()
          .split('\n'),
        lines,
        'records',
      )
    }),
    cell(client, 'consume', '--offset N', async (topic) => {
      await fill(topic)
      expect(
        (await consume(topic, ['--offset', '97', '--max-messages', '3'])).trim().split('\n'),
        lines.slice(97),
        'records',
      )
    }),
    cell(client, 'codec', 'reads zstd, read_committed', async (topic) => {
      await fill(topic, ['--compression-codec', 'zstd'])
      expect(storedCodecs(target, topic), ['zstd'], 'codec of the stored batches')
      const args = [
        '--offset',
        'earliest',
        '--max-messages',
        '100',
        '--isolation-level',
        'read_committed',
      ]
      expect((await consume(topic, args)).trim().split('\n'), lines, 'records')
    }),
    cell(client, 'headers', 'read, with key and timestamp', async (topic) => {
      await tool(
        'kafka-console-producer',
        [
          '--topic',
          topic,
          '--reader-property',
          'parse.headers=true',
          '--reader-property',
          'parse.key=true',
        ],
        'a:1\tk\tv\n',
      )
      const [record] = await readAll(target.address, topic)
      const properties = ['print.timestamp', 'print.key', 'print.headers', 'print.offset'].flatMap(
        (name) => ['--formatter-property', `${name}=true`],
      )
      const text = await consume(topic, [
        '--offset',
        'earliest',
        '--max-messages',
        '1',
        ...properties,
      ])
      expect(text.trim(), `CreateTime:${record?.timestamp}\tOffset:0\ta:1\tk\tv`, 'what it printed')
    }),
    ...['classic', 'consumer'].map((protocol) =>
      cell(client, 'group', `${protocol}: all, then only what is new`, async (topic) => {
        const read = async (count: number) => {
          const text = await tool('kafka-console-consumer', [
            ...['--topic', topic, '--group', `group-${topic}`, '--from-beginning'],
            ...['--max-messages', String(count), '--timeout-ms', '20000'],
            ...['--command-property', `group.protocol=${protocol}`],
          ])
          return text.trim().split('\n')
        }
        await fill(topic)
        expect(await read(100), lines, 'the first time')
        await tool('kafka-console-producer', ['--topic', topic], 'one more\n')
        expect(await read(1), ['one more'], 'the second time')
      }),
    ),
  ]
}

function adminCells({ target, tool, cell }: Bench): Cell[] {
  const has = (text: string, part: string) =>
    expect(text.includes(part), true, `${JSON.stringify(text.slice(0, 300))} has ${part}`)
  return [
    cell('kafka-topics', 'admin', 'create, list, describe, alter, delete', async (topic) => {
      await tool('kafka-topics', [
        '--create',
        '--topic',
        topic,
        '--partitions',
        '2',
        '--config',
        'retention.ms=1000000',
      ])
      has(await tool('kafka-topics', ['--list']), topic)
      const described = await tool('kafka-topics', ['--describe', '--topic', topic])
      has(described, 'PartitionCount: 2')
      has(described, 'retention.ms=1000000')
      await tool('kafka-topics', ['--alter', '--topic', topic, '--partitions', '3'])
      has(await tool('kafka-topics', ['--describe', '--topic', topic]), 'PartitionCount: 3')
      await tool('kafka-topics', ['--delete', '--topic', topic])
      expect((await tool('kafka-topics', ['--list'])).includes(`${topic}\n`), false, 'still listed')
    }),
    cell('kafka-configs', 'admin', 'describe, alter topic and broker', async (topic) => {
      await tool('kafka-configs', [
        '--entity-type',
        'topics',
        '--entity-name',
        topic,
        '--alter',
        '--add-config',
        'retention.ms=7200000,max.message.bytes=2000000',
      ])
      has(
        await tool('kafka-configs', [
          '--entity-type',
          'topics',
          '--entity-name',
          topic,
          '--describe',
        ]),
        'retention.ms=7200000',
      )
      await tool('kafka-configs', [
        '--entity-type',
        'topics',
        '--entity-name',
        topic,
        '--alter',
        '--delete-config',
        'retention.ms',
      ])
      const all = await tool('kafka-configs', [
        '--entity-type',
        'topics',
        '--entity-name',
        topic,
        '--describe',
        '--all',
      ])
      has(all, 'retention.ms=604800000')
      await tool('kafka-configs', [
        '--entity-type',
        'brokers',
        '--entity-default',
        '--alter',
        '--add-config',
        'log.retention.ms=360000000',
      ])
      has(
        await tool('kafka-configs', ['--entity-type', 'brokers', '--entity-default', '--describe']),
        'log.retention.ms=360000000',
      )
      await tool('kafka-configs', [
        '--entity-type',
        'brokers',
        '--entity-default',
        '--alter',
        '--delete-config',
        'log.retention.ms',
      ])
    }),
    cell('kafka-get-offsets', 'admin', 'latest, earliest, max, by time', async (topic) => {
      await tool('kafka-console-producer', ['--topic', topic], 'a\nb\nc\n')
      const [first] = await readAll(target.address, topic)
      const expected: [time: string, offset: string][] = [
        ['-1', '3'],
        ['-2', '0'],
        ['-3', '2'],
        [String(first?.timestamp), '0'],
      ]
      for (const [time, offset] of expected) {
        const text = await tool('kafka-get-offsets', ['--topic', topic, '--time', time])
        if (time === '-3')
          expect(/:0:[0-2]$/.test(text.trim()), true, `offset of the newest: ${text}`)
        else expect(text.trim(), `${topic}:0:${offset}`, `offset at ${time}`)
      }
    }),
    cell('kafka-delete-records', 'admin', 'raise the start', async (topic) => {
      await tool('kafka-console-producer', ['--topic', topic], `${lines.join('\n')}\n`)
      const folder = mkdtempSync(join(tmpdir(), 'ottla-interop-'))
      const file = join(folder, 'offsets.json')
      writeFileSync(
        file,
        JSON.stringify({ partitions: [{ topic, partition: 0, offset: 40 }], version: 1 }),
      )
      has(await tool('kafka-delete-records', ['--offset-json-file', file]), 'low_watermark: 40')
      rmSync(folder, { recursive: true })
      has(await tool('kafka-get-offsets', ['--topic', topic, '--time', '-2']), `${topic}:0:40`)
    }),
  ]
}

function perfCells({ target, tool, cell }: Bench): Cell[] {
  const produce = (topic: string, extra: readonly string[]) =>
    tool('kafka-producer-perf-test', [
      '--topic',
      topic,
      '--num-records',
      '200000',
      '--record-size',
      '100',
      '--throughput',
      '-1',
      '--command-property',
      `bootstrap.servers=${target.address}`,
      ...extra,
    ])
  return [
    cell('producer-perf-test', 'produce', 'acks=all idempotent', async (topic) => {
      expect(
        (await produce(topic, [])).includes('200000 records sent'),
        true,
        '200000 records sent',
      )
      expect(
        (await tool('kafka-get-offsets', ['--topic', topic])).trim(),
        `${topic}:0:200000`,
        'end offset',
      )
    }),
    cell('producer-perf-test', 'codec', 'lz4, acks=1', async (topic) => {
      expect(
        (
          await produce(topic, ['acks=1', 'compression.type=lz4', 'enable.idempotence=false'])
        ).includes('200000 records sent'),
        true,
        '200000 records sent',
      )
      expect(storedCodecs(target, topic), ['lz4'], 'codec of the stored batches')
    }),
    cell('consumer-perf-test', 'group', 'reads all', async (topic) => {
      await produce(topic, [])
      const text = await tool('kafka-consumer-perf-test', [
        ...['--topic', topic, '--num-records', '200000', '--timeout', '30000'],
        ...['--group', `group-${topic}`],
      ])
      const [, , , , count] = text.trim().split('\n').at(-1)?.split(',') ?? []
      expect(count?.trim(), '200000', 'records read')
    }),
  ]
}
