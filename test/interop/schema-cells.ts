/** What other people's clients see of a topic with a schema, which only ottla has. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApacheKafka } from './apache-kafka.ts'
import { type Cell, expect, type Target, topicNames } from './cells.ts'
import { output, run } from './process.ts'
import { readValues } from './reader.ts'
import { ottla } from './support/broker-process.ts'

const schema = '{"type":"object","properties":{"price":{"type":"number"}},"required":["price"]}'
const [good, bad] = ['{"price":1}', '{"price":"x"}']

interface Bench {
  readonly target: Target
  readonly kafka: ApacheKafka | null
}

export function schemaCells(
  target: Target,
  kafka: ApacheKafka | null,
  createTopic: (topic: string) => Promise<void>,
): Cell[] {
  const next = topicNames('schema')
  const bench = { target, kafka }
  const cell = (
    client: string,
    what: string,
    use: (bench: Bench, topic: string) => Promise<void>,
  ): Cell => ({
    client,
    group: 'schema',
    what,
    run: async () => {
      const topic = next()
      await createTopic(topic)
      await use(bench, topic)
    },
  })
  return [
    cell('kcat', 'is refused, and goes on', kcatIsRefused),
    ...(kafka === null
      ? []
      : [
          cell('producer-perf-test', 'hears which record is at fault', javaIsTold),
          cell('kafka-configs', 'sets a schema, and hears what is wrong with one', configsTool),
        ]),
  ]
}

function setSchema({ target }: Bench, topic: string): Promise<string> {
  const set = ['config', 'set', 'topic', topic, `ottla.value.schema=${schema}`]
  return output([...ottla, '-b', target.address, ...set])
}

async function kcatIsRefused(bench: Bench, topic: string): Promise<void> {
  await setSchema(bench, topic)
  const kcat = (input: string) =>
    run(['kcat', '-P', '-b', bench.target.address, '-t', topic], { input })
  const refused = await kcat(`${good}\n${bad}\n`)
  expect([refused.code, /failed to validate record/.test(refused.stderr)], [1, true], 'kcat')
  expect((await kcat(`${good}\n`)).code, 0, 'kcat with a record that fits')
  expect(await readValues(bench.target.address, topic), [good], 'records read back')
}

/** KIP-467: the record that was named gets its own message, the others one about their batch. */
async function javaIsTold({ target, kafka }: Bench, topic: string): Promise<void> {
  await setSchema({ target, kafka }, topic)
  const folder = mkdtempSync(join(tmpdir(), 'ottla-interop-'))
  const payload = join(folder, 'payload.txt')
  writeFileSync(payload, `${good}\n${bad}\n`)
  const args = ['--topic', topic, '--num-records', '40', '--throughput', '-1']
  const properties = [`bootstrap.servers=${target.address}`, 'linger.ms=200']
  const done = await kafka?.tryTool('kafka-producer-perf-test', [
    ...args,
    ...['--payload-file', payload, '--command-property', ...properties],
  ])
  rmSync(folder, { recursive: true })
  const said = `${done?.stdout}\n${done?.stderr}`
  const named = /InvalidRecordException: value: \/price must be number/.test(said)
  expect([named, /it was part of a batch which had/.test(said)], [true, true], said.slice(0, 500))
  expect(await readValues(target.address, topic), [], 'records read back')
}

async function configsTool({ target, kafka }: Bench, topic: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-interop-'))
  const file = join(folder, 'topic.properties')
  // On its command line the tool takes no value with both commas and brackets.
  const alter = (value: string) => {
    writeFileSync(file, `ottla.value.schema=${value}\n`)
    const args = ['--bootstrap-server', target.address, '--alter', '--topic', topic]
    return kafka?.tryTool('kafka-configs', [...args, '--add-config-file', file])
  }
  const refused = await alter('{"type":"strng"}')
  const said = `${refused?.stdout}\n${refused?.stderr}`
  expect(/at \/type: must be equal to one of the allowed values/.test(said), true, said)
  expect((await alter(schema))?.code, 0, 'kafka-configs with a schema')
  rmSync(folder, { recursive: true })
  const shown = await kafka?.tool('kafka-configs', [
    ...['--bootstrap-server', target.address, '--describe', '--topic', topic],
  ])
  expect(shown?.includes(schema), true, shown ?? '')
}
