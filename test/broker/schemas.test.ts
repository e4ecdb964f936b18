/** Topics with schemas: what producers are told, and what reaches the log. */

import { gzipSync } from 'node:zlib'
import { errorCode, errorName } from '../../lib/base/errors.ts'
import { compileSchema } from '../../lib/config/schema-validator.ts'
import { silentLogger } from '../../lib/io/logger.ts'
import { CreateTopics } from '../../lib/protocol/apis/create-topics.ts'
import { DescribeConfigs } from '../../lib/protocol/apis/describe-configs.ts'
import { IncrementalAlterConfigs } from '../../lib/protocol/apis/incremental-alter-configs.ts'
import { Produce } from '../../lib/protocol/apis/produce.ts'
import { batchAt, batchCrc, headerSize } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { codecs } from '../../lib/record/compression.ts'
import { TopicSchemas } from '../../lib/replication/topic-schemas.ts'
import { assert, suite } from '../support/suite.ts'
import { batch, oldMessage, Scenario } from './support/scenario.ts'

const test = suite('schemas')
/** Loads the libraries: the broker's own clock stands still, and reading files takes a while. */
test.before(async () => void (await compileSchema('{"pattern":"a"}')))

const priced = JSON.stringify({
  type: 'object',
  properties: { price: { type: 'number' } },
  required: ['price'],
})
const good = '{"price":1}'
const bad = '{"price":"x"}'
const op = { set: 0, delete: 1 }

async function withTopic(
  configs: Readonly<Record<string, string>>,
  use: (world: Scenario) => Promise<void>,
): Promise<void> {
  const world = await Scenario.start()
  assert.is((await create(world, 'a', configs)).errorCode, 0)
  await use(world)
  await world.stop()
}

async function create(
  world: Scenario,
  name: string,
  configs: Readonly<Record<string, string>>,
  validateOnly = false,
) {
  const topic = {
    name,
    numPartitions: 2,
    replicationFactor: 1,
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  }
  const body = { topics: [topic], timeoutMs: 1000, validateOnly }
  const { topics } = await world.call(CreateTopics, 7, body)
  const [found] = topics
  if (found === undefined) throw new Error('no answer')
  return found
}

async function alter(world: Scenario, name: string, value: string | null, validateOnly = false) {
  const configOperation = value === null ? op.delete : op.set
  const configs = [{ name, configOperation, value }]
  const resources = [{ resourceType: 2, resourceName: 'a', configs }]
  const { responses } = await world.call(IncrementalAlterConfigs, 1, { resources, validateOnly })
  const [found] = responses
  if (found === undefined) throw new Error('no answer')
  return found
}

/** Where the log of partition 0 ends. */
async function logEnd(world: Scenario): Promise<number> {
  return (await world.fetch('a', 0)).highWatermark
}

interface Sent {
  readonly key?: string | null
  readonly value: string | Uint8Array | null
}

function recordBatch(records: readonly Sent[]): Uint8Array {
  const builder = new BatchBuilder({ codec: 'none' })
  const bytes = (text: string | Uint8Array | null) =>
    typeof text === 'string' ? Buffer.from(text) : text
  for (const { key = null, value } of records) {
    builder.append(Date.UTC(2026, 0, 1), bytes(key), bytes(value), [])
  }
  return builder.build({})
}

const valueCases: readonly (readonly [what: string, value: Sent['value'], problem: RegExp | null])[] = [
  ['a value that fits', good, null],
  ['another type', bad, /^value: \/price must be number$/],
  ['a missing property', '{}', /^value: must have required property 'price'$/],
  ['a tombstone', null, null],
  ['JSON null, which is no tombstone', 'null', /^value: must be object$/],
  ['an empty value', '', /^value: not JSON/],
  ['a text', 'hello', /^value: not JSON/],
  ['a schema registry prefix', Buffer.from([0, 0, 0, 0, 1, 123, 125]), /^value: not JSON/],
  ['what is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /^value: not UTF-8$/],
  ['spaces around', ` ${good}\n`, null],
  ['a byte order mark', `\ufeff${good}`, null],
  ['a property named __proto__', '{"__proto__":{"price":1}}', /required property 'price'$/],
  ['JSON that nests deeply', '['.repeat(200_000) + ']'.repeat(200_000), /^value: must be object$/],
] // biome-ignore format: a table
for (const [what, value, problem] of valueCases) {
  test(`values: ${what}`, () =>
    withTopic({ 'ottla.value.schema': priced }, async (world) => {
      const answer = await world.produce('a', recordBatch([{ value }]))
      assert.is(errorName(answer.errorCode), problem === null ? 'NONE' : 'INVALID_RECORD')
      const [error] = answer.recordErrors
      if (problem !== null) assert.match(error?.batchIndexErrorMessage ?? '', problem)
      assert.is(await logEnd(world), problem === null ? 1 : 0)
    }))
}

const userKey = JSON.stringify({ type: 'string', pattern: '^user-\\d+$' })
const digits = JSON.stringify({ type: 'string', pattern: '^\\d+$' })
const maybe = JSON.stringify({ type: ['string', 'null'] })
const keyCases: readonly (readonly [schema: string, key: string | null, problem: RegExp | null])[] = [
  [userKey, 'user-1', null],
  [userKey, '"user-1"', null],
  [userKey, 'user-x', /^key: must match pattern/],
  [userKey, '', /^key: must match pattern/],
  [userKey, null, /^key: there is none, and it must be string$/],
  [maybe, null, null],
  [digits, '42', null],
  ['{"type":"integer"}', '42', null],
  ['{"type":"integer"}', 'x', /^key: must be integer$/],
  ['{"type":"object","required":["id"]}', '{"id":1}', null],
  ['{"type":"object","required":["id"]}', '{}', /^key: must have required property 'id'$/],
] // biome-ignore format: a table
for (const [schema, key, problem] of keyCases) {
  test(`keys: ${key} with ${schema}`, () =>
    withTopic({ 'ottla.key.schema': schema }, async (world) => {
      const answer = await world.produce('a', recordBatch([{ key, value: 'whatever' }]))
      assert.is(errorName(answer.errorCode), problem === null ? 'NONE' : 'INVALID_RECORD')
      const [error] = answer.recordErrors
      if (problem !== null) assert.match(error?.batchIndexErrorMessage ?? '', problem)
    }))
}

for (const codec of codecs) {
  test(`records at fault are named by their index, in a batch of ${codec}`, () =>
    withTopic({ 'ottla.value.schema': priced }, async (world) => {
      const answer = await world.produce('a', batch([good, bad, good, '{}', null], { codec }))
      assert.is(answer.errorCode, errorCode('INVALID_RECORD'))
      assert.is(
        answer.errorMessage,
        '2 of 5 records do not fit the schema of a-0; record 1: value: /price must be number',
      )
      assert.equal(answer.recordErrors, [
        { batchIndex: 1, batchIndexErrorMessage: 'value: /price must be number' },
        { batchIndex: 3, batchIndexErrorMessage: "value: must have required property 'price'" },
      ])
      assert.is(await logEnd(world), 0)
      assert.is((await world.produce('a', batch([good, good], { codec }))).baseOffset, 0)
    }))
}

test('partitions beside the refused one are written', () =>
  withTopic({ 'ottla.value.schema': priced }, async (world) => {
    const partitionData = [bad, good].map((value, index) => ({ index, records: [batch([value])] }))
    const body = { acks: -1, timeoutMs: 1000, topicData: [{ name: 'a', partitionData }] }
    const { responses } = await world.call(Produce, 9, body)
    const codes = responses[0]?.partitionResponses.map((each) => each.errorCode)
    assert.equal(codes, [errorCode('INVALID_RECORD'), 0])
  }))

test('at most a thousand records are named, and all are counted', () =>
  withTopic({ 'ottla.value.schema': priced }, async (world) => {
    const answer = await world.produce('a', batch(Array.from({ length: 1500 }, () => bad)))
    assert.is(answer.recordErrors.length, 1000)
    assert.match(answer.errorMessage ?? '', /^1500 of 1500 records/)
  }))

test('before version 8 there is only the code', () =>
  withTopic({ 'ottla.value.schema': priced }, async (world) => {
    const answer = await world.produce('a', batch([bad]), { version: 7 })
    assert.equal([answer.errorCode, answer.recordErrors], [errorCode('INVALID_RECORD'), []])
  }))

test('of the messages of an old client none is appended when one does not fit', () =>
  withTopic({ 'ottla.value.schema': priced }, async (world) => {
    const records = Buffer.concat([oldMessage(1, good), batch([bad])])
    const answer = await world.produce('a', records, { version: 2 })
    assert.is(answer.errorCode, errorCode('INVALID_RECORD'))
    assert.is(await logEnd(world), 0)
  }))

test('with acks=0 a refusal closes the connection', () =>
  withTopic({ 'ottla.value.schema': priced }, async (world) => {
    const client = await world.connect()
    const partitionData = [{ index: 0, records: [batch([bad])] }]
    client.send(Produce, 9, { acks: 0, timeoutMs: 1000, topicData: [{ name: 'a', partitionData }] })
    for (let turn = 0; turn < 10 && !client.isClosed; turn++) await world.env.clock.settle()
    assert.ok(client.isClosed)
  }))

test('a batch that is sent again is known again, whatever the schema is by then', () =>
  withTopic({}, async (world) => {
    const producer = { producerId: 7, producerEpoch: 0, baseSequence: 0 }
    assert.is((await world.produce('a', batch([bad], producer))).baseOffset, 0)
    assert.is((await alter(world, 'ottla.value.schema', priced)).errorCode, 0)
    const again = await world.produce('a', batch([bad], producer))
    assert.equal([again.errorCode, again.baseOffset], [0, 0])
    const next = await world.produce('a', batch([bad], { ...producer, baseSequence: 1 }))
    assert.is(next.errorCode, errorCode('INVALID_RECORD'))
    // What was refused left no trace in the producer's sequence.
    const fits = await world.produce('a', batch([good], { ...producer, baseSequence: 1 }))
    assert.equal([fits.errorCode, fits.baseOffset], [0, 1])
  }))

test('schemas come, change and go at once, and are there after a restart', () =>
  withTopic({}, async (world) => {
    const codeOf = async (value: string) => (await world.produce('a', batch([value]))).errorCode
    assert.is(await codeOf(bad), 0)
    await alter(world, 'ottla.value.schema', priced)
    assert.is(await codeOf(bad), errorCode('INVALID_RECORD'))
    await alter(world, 'ottla.value.schema', '{"required":["name"]}')
    assert.is(await codeOf(good), errorCode('INVALID_RECORD'))
    assert.is(await codeOf('{"name":1}'), 0)
    await world.restart()
    assert.is(await codeOf(good), errorCode('INVALID_RECORD'))
    await alter(world, 'ottla.value.schema', null)
    assert.is(await codeOf('anything'), 0)
  }))

const badSchemas: readonly (readonly [text: string, message: RegExp])[] = [
  ['', /^ottla\.value\.schema: expected a JSON Schema, got what is not JSON/],
  ['{"properties":{"a":{"type":"strng"}}}', /^ottla\.value\.schema: at \/properties\/a\/type: must/],
  [`{"title":"${'x'.repeat(65_536)}"}`, /^ottla\.value\.schema: a schema of \d+ bytes, at most 65536/],
] // biome-ignore format: a table
for (const [text, message] of badSchemas) {
  test(`a bad schema is refused where it is set: ${text.slice(0, 40)}`, () =>
    withTopic({}, async (world) => {
      const configs = { 'ottla.value.schema': text }
      const answers = [
        await create(world, 'b', configs),
        await create(world, 'b', configs, true),
        await alter(world, 'ottla.value.schema', text),
        await alter(world, 'ottla.value.schema', text, true),
      ]
      for (const { errorCode: code, errorMessage } of answers) {
        assert.is(code, errorCode('INVALID_CONFIG'))
        assert.match(errorMessage ?? '', message)
      }
      assert.is((await world.produce('a', batch(['anything']))).errorCode, 0)
    }))
}

test('a large schema is stored, and shown as it was set', () =>
  withTopic({}, async (world) => {
    const text = JSON.stringify({ description: 'x'.repeat(60_000), required: ['id'] })
    assert.is((await alter(world, 'ottla.value.schema', text, true)).errorCode, 0)
    assert.is((await alter(world, 'ottla.value.schema', text)).errorCode, 0)
    const resources = [
      { resourceType: 2, resourceName: 'a', configurationKeys: ['ottla.value.schema'] },
    ]
    const { results } = await world.call(DescribeConfigs, 4, { resources })
    assert.is(results[0]?.configs[0]?.value, text)
    assert.is((await world.produce('a', batch(['{}']))).errorCode, errorCode('INVALID_RECORD'))
  }))

test('internal topics take no schema', async () => {
  const world = await Scenario.start()
  const answer = await create(world, '__consumer_offsets', { 'ottla.value.schema': priced })
  assert.is(answer.errorCode, errorCode('INVALID_CONFIG'))
  assert.match(answer.errorMessage ?? '', /__consumer_offsets is internal/)
  await world.stop()
})

test('a value that is too large to be parsed is refused before it is', () =>
  withTopic({ 'ottla.value.schema': '{"type":"array"}' }, async (world) => {
    const value = `[${'1,'.repeat(8_500_000)}1]`
    const answer = await world.produce('a', batch([value], { codec: 'gzip' }))
    assert.match(answer.errorMessage ?? '', /value: 17000003 bytes, at most 16777216/)
  }))

test('a batch that grows beyond all bounds is refused', () =>
  withTopic({ 'ottla.value.schema': '{}' }, async (world) => {
    const bytes = Buffer.from(batch(['x'], { codec: 'gzip' }))
    const bomb = gzipSync(Buffer.alloc(129 * 1024 * 1024))
    const answer = await world.produce('a', withBody(bytes, bomb))
    assert.is(answer.errorCode, errorCode('INVALID_RECORD'))
    assert.match(answer.errorMessage ?? '', /the records cannot be read/)
  }))

/** The header of a batch over another body. */
function withBody(bytes: Buffer, body: Uint8Array): Uint8Array {
  const whole = Buffer.concat([bytes.subarray(0, headerSize), body])
  whole.writeInt32BE(whole.length - 12, 8)
  whole.writeUInt32BE(batchCrc(batchAt(whole)), 17)
  return whole
}

test('a record that takes too long is refused, and those behind it are not tried', () =>
  withTopic({ 'ottla.value.schema': '{"pattern":"(?:xy?){100}z"}' }, async (world) => {
    const values = Array.from({ length: 30 }, () => `"${'x'.repeat(300_000)}z"`)
    const answer = await world.produce('a', batch(values, { codec: 'gzip' }))
    assert.match(
      answer.errorMessage ?? '',
      /records do not fit.*value: takes too long to be checked/,
    )
    assert.is(answer.recordErrors.length, 1)
  }))

test('a schema that was stored and cannot be used here lets nothing pass', async () => {
  const schemas = new TopicSchemas(silentLogger)
  const config = { 'ottla.key.schema': null, 'ottla.value.schema': '{"type":"strng"}' }
  const check = await schemas.checkOf('a', config)
  assert.throws(() => check?.(batchAt(batch([good])), 'a-0'), /a-0 takes no records: its schema/)
  assert.is(await schemas.checkOf('a', config), check)
  const none = { 'ottla.key.schema': null, 'ottla.value.schema': null }
  assert.is(await schemas.checkOf('a', none), null)
})
