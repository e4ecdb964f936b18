/**
 * `npm run interop`: other people's clients against one ottla broker, as a table. Says what is
 * missing and how to install it; what cannot be asked without a missing client is counted as
 * skipped. `--against kafka` runs the same cells against Apache Kafka, to check the cells themselves.
 * Ends with `N passed, N failed, N skipped`.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApacheKafka, apacheKafka } from './apache-kafka.ts'
import type { Cell, Target } from './cells.ts'
import { javaCells } from './java-cells.ts'
import { kcatCells } from './kcat-cells.ts'
import { nodeCells } from './node-cells.ts'
import { isInstalled, output, run, start } from './process.ts'
import { schemaCells } from './schema-cells.ts'
import { ottla } from './support/broker-process.ts'

const against = process.argv.includes('kafka') ? 'kafka' : 'ottla'
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--') && word !== 'kafka')

/** A broker to be asked; `close` stops it and removes its data. */
async function startTarget(
  kafka: ApacheKafka | null,
): Promise<Target & { close(): Promise<void> }> {
  if (against === 'kafka') {
    if (!kafka) throw new Error('Apache Kafka is not at hand')
    const broker = await kafka.startBroker()
    return { ...broker, close: async () => (await broker.stop(), broker.remove()) }
  }
  const data = mkdtempSync(join(tmpdir(), 'ottla-interop-'))
  const { value, stop } = await start(
    [
      ...ottla,
      'broker',
      'start',
      '--listen',
      '127.0.0.1:0',
      '--data',
      data,
      '-c',
      'group.initial.rebalance.delay.ms=0',
    ],
    (line) => /^BROKERS=(.+)$/.exec(line)?.[1],
  )
  return {
    address: value,
    data,
    close: async () => (await stop(), rmSync(data, { recursive: true })),
  }
}

async function installNodeClients(): Promise<string | null> {
  if (existsSync('test/interop/clients/node_modules/kafkajs')) return null
  const { code, stderr } = await run(
    ['npm', 'ci', '--ignore-scripts', '--prefix', 'test/interop/clients'],
    { timeoutMs: 300_000 },
  )
  return code === 0 ? null : `npm ci in test/interop/clients failed: ${stderr.slice(-300)}`
}

const kafka = await apacheKafka()
const missing: string[] = []
if (typeof kafka === 'string') missing.push(`Java client and tools: ${kafka}`)
const hasKcat = await isInstalled('kcat')
if (!hasKcat)
  missing.push(
    'kcat is missing, which also reads back what the others wrote; Debian: apt-get install kcat',
  )
const nodeClients = await installNodeClients()
if (nodeClients) missing.push(nodeClients)
for (const line of missing) console.log(`skipped: ${line}`)

const target = await startTarget(typeof kafka === 'string' ? null : kafka)
const createTopic = async (topic: string, partitions = 1) => {
  if (against === 'ottla')
    await output([
      ...ottla,
      '-b',
      target.address,
      'topic',
      'create',
      topic,
      '-p',
      String(partitions),
    ])
  else if (typeof kafka !== 'string') {
    const many = ['--partitions', String(partitions)]
    const at = ['--bootstrap-server', target.address]
    await kafka.tool('kafka-topics', [...at, '--create', '--topic', topic, ...many])
    await untilLed(topic)
  }
}

/** Apache Kafka says that it made a topic before it leads it. */
async function untilLed(topic: string): Promise<void> {
  const ask = [
    'kcat',
    '-b',
    target.address,
    '-L',
    '-J',
    '-t',
    topic,
    '-X',
    'allow.auto.create.topics=false',
  ]
  for (let attempt = 0; attempt < 50; attempt++) {
    if (/"leader":\d/.test(await output(ask))) return
  }
  throw new Error(`${topic} got no leader`)
}

const cells: Cell[] = []
if (hasKcat) {
  cells.push(...kcatCells(target, createTopic))
  if (!nodeClients)
    cells.push(
      ...nodeCells('kafkajs', target, createTopic),
      ...nodeCells('platformatic', target, createTopic),
    )
  if (typeof kafka !== 'string') cells.push(...javaCells(target, kafka, createTopic))
  if (against === 'ottla') {
    cells.push(...schemaCells(target, typeof kafka === 'string' ? null : kafka, createTopic))
  }
}

const results: { client: string; group: string; what: string; result: string; seconds: number }[] =
  []
for (const { client, group, what, run: runCell } of cells) {
  if (wanted.length > 0 && !wanted.some((part) => `${client} ${group} ${what}`.includes(part)))
    continue
  const began = performance.now()
  let result = 'pass'
  try {
    result = (await runCell()) ?? 'pass'
  } catch (error) {
    result = `FAIL ${error instanceof Error ? error.message : String(error)}`
  }
  results.push({ client, group, what, result, seconds: (performance.now() - began) / 1000 })
  const { length } = results
  console.log(
    `${String(length).padStart(3)} ${client.padEnd(20)} ${group.padEnd(10)} ${what.padEnd(46)} ${result}`,
  )
}
await target.close()

const count = (test: (result: string) => boolean) =>
  results.filter(({ result }) => test(result)).length
const passed = count((result) => result === 'pass')
const failed = count((result) => result.startsWith('FAIL'))
printTable()
if (process.env['OTTLA_INTEROP_JSON'])
  writeFileSync(process.env['OTTLA_INTEROP_JSON'], JSON.stringify(results, null, 2))
console.log(
  `${passed} passed, ${failed} failed, ${results.length - passed - failed + missing.length} skipped`,
)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

/** Clients by groups of cells: `pass`, `3/5`, `n/a`. */
function printTable(): void {
  const groups = [
    'produce',
    'consume',
    'group',
    'codec',
    'acks',
    'headers',
    'tombstone',
    'timestamp',
    'admin',
    'schema',
  ]
  console.log(
    `\n${'against ' + against}`.padEnd(23) + groups.map((name) => name.padEnd(11)).join(''),
  )
  for (const client of new Set(results.map((result) => result.client))) {
    const texts = groups.map((group) => {
      const some = results.filter((result) => result.client === client && result.group === group)
      const passes = some.filter(({ result }) => result === 'pass').length
      const notes = [
        ...new Set(some.map(({ result }) => result).filter((result) => result !== 'pass')),
      ].map((result) => result.split(/[ :]/)[0])
      return [
        some.length === 0
          ? ''
          : passes === some.length
            ? 'pass'
            : passes > 0
              ? `${passes}/${some.length}`
              : '',
        ...notes,
      ]
        .filter(Boolean)
        .join(' ')
    })
    console.log(client.padEnd(21) + texts.map((text) => ` ${text.padEnd(10)}`).join(''))
  }
  console.log()
}
