import { readFile, writeFileAtomic } from '../../../lib/io/disk.ts'
import { batchAt, isControl, patchOffsetAndEpoch } from '../../../lib/record/batch.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import { buildControlBatch } from '../../../lib/record/control.ts'
import {
  encodeTransactionIndex,
  transactionIndexEntries,
} from '../../../lib/storage/transaction-index.ts'
import { assert, suite } from '../../support/suite.ts'
import { CleaningScenario } from '../support/cleaning.ts'

const test = suite('cleaned transactions')
const directory = '/data/events-0'
const first = '00000000000000000000'
const retentionMs = 60_000

const marker = (type: 'commit' | 'abort', producerId: number) =>
  buildControlBatch({ type, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1e12 })

function data(key: string, value: string, producerId: number): Uint8Array {
  const builder = new BatchBuilder()
  builder.append(1e12, Buffer.from(key), Buffer.from(value))
  const fields = producerId < 0 ? {} : { producerId, producerEpoch: 0, baseSequence: 0 }
  return builder.build({ ...fields, isTransactional: producerId >= 0 })
}

/** A log whose first segment holds these batches, as Kafka with transactions would have left it. */
async function logOf(
  batches: readonly Uint8Array[],
  { hasIndex }: { hasIndex: boolean },
): Promise<CleaningScenario> {
  const scenario = await new CleaningScenario({ 'delete.retention.ms': retentionMs }).open()
  await scenario.close()
  const { disk } = scenario.env
  const parts = batches.map((bytes, offset) => {
    const batch = batchAt(Buffer.from(bytes))
    patchOffsetAndEpoch(batch, offset, 0)
    return batch.chunks[0] ?? new Uint8Array(0)
  })
  await disk.remove('/data/.kafka_cleanshutdown')
  await writeFileAtomic(disk, `${directory}/${first}.log`, Buffer.concat(parts))
  const aborted = { version: 0, producerId: 2, firstOffset: 1, lastOffset: 3, lastStableOffset: 4 }
  const index = encodeTransactionIndex([aborted])
  if (hasIndex) await writeFileAtomic(disk, `${directory}/${first}.txnindex`, index)
  await scenario.open()
  await pad(scenario)
  return scenario
}

/** Enough that the segments before are closed. */
async function pad(scenario: CleaningScenario): Promise<void> {
  for (let n = 0; n < 20; n++) await scenario.put({ rows: [[`pad${n % 2}`, 'x'.repeat(60)]] })
}

/** Offsets of what is left of the first five batches: `d` data, `m` markers. */
async function left(scenario: CleaningScenario): Promise<string> {
  const batches = (await scenario.batches()).filter(({ baseOffset }) => baseOffset < 5)
  return batches
    .filter(({ recordCount }) => recordCount > 0)
    .map(({ baseOffset, attributes }) => `${isControl(attributes) ? 'm' : 'd'}${baseOffset}`)
    .join(' ')
}

const batches = [
  data('a', 'committed', 1),
  data('a', 'aborted', 2),
  marker('commit', 1),
  marker('abort', 2),
  data('b', 'plain', -1),
]

test('aborted records go and do not count as the newest; markers stay until their data is gone', async () => {
  const scenario = await logOf(batches, { hasIndex: true })
  scenario.log.producers.clear()
  await scenario.clean()
  assert.is(await left(scenario), 'd0 m2 m3 d4')
  const bytes = await readFile(scenario.env.disk, `${directory}/${first}.txnindex`)
  assert.equal(
    transactionIndexEntries(bytes ?? new Uint8Array(0)).map(({ producerId }) => producerId),
    [2],
  )
  // Now the abort has no data left: it gets its horizon, and goes when that has passed.
  await pad(scenario)
  await scenario.clean()
  assert.is(await left(scenario), 'd0 m2 m3 d4')
  await scenario.env.clock.advance(retentionMs)
  await pad(scenario)
  await scenario.clean()
  assert.is(await left(scenario), 'd0 m2 d4')
})

test('a marker of a commit goes after its last record, by its own horizon', async () => {
  const scenario = await logOf(batches, { hasIndex: true })
  scenario.log.producers.clear()
  await scenario.put({ rows: [['a', 'newer']] })
  for (const expected of ['m2 m3 d4', 'm2 m3 d4', 'd4']) {
    await pad(scenario)
    await scenario.clean()
    assert.is(await left(scenario), expected)
    await scenario.env.clock.advance(retentionMs)
  }
})

test('without its index an abort is kept with its data: nothing aborted turns into committed', async () => {
  const scenario = await logOf(batches, { hasIndex: false })
  scenario.log.producers.clear()
  for (let round = 0; round < 3; round++) {
    await pad(scenario)
    await scenario.clean()
    await scenario.env.clock.advance(retentionMs)
  }
  assert.is(await left(scenario), 'd1 m3 d4')
})

test('nothing of an open transaction, or after it began, is cleaned', async () => {
  const scenario = await logOf([data('a', '1', 1), marker('commit', 1), data('a', '2', 2)], {
    hasIndex: false,
  })
  await pad(scenario)
  await scenario.clean()
  assert.is(scenario.cleanedOffset, 0)
  assert.is(await left(scenario), 'd0 m1 d2 d3 d4')
})
