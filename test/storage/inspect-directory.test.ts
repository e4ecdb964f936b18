import { joinChunks } from '../../lib/base/bytes.ts'
import { randomUuid } from '../../lib/base/uuid.ts'
import { readFile, writeFileAtomic } from '../../lib/io/disk.ts'
import { checkPartition } from '../../lib/storage/inspect.ts'
import { inspectDirectory } from '../../lib/storage/inspect-directory.ts'
import { type Ran, run } from '../commands/support/session.ts'
import { assert, suite } from '../support/suite.ts'
import { JournalWorld } from './support/journal-world.ts'
import { batchOf } from './support/scenario.ts'

const test = suite('storage/inspect-directory')

const topics = ['a', 'b', 'c', 'd', 'e', 'f']
const journalled = 10

/** Twenty records of each log in its segments, and ten that only the journal has after the power cut. */
async function withTails(
  more: (world: JournalWorld) => Promise<void> = async () => undefined,
): Promise<JournalWorld> {
  const world = new JournalWorld({ 'internal.segment.bytes': 1_000_000 })
  await world.open(topics)
  for (let round = 0; round < 20; round++) await world.round(`warm ${round}`)
  await world.dir.commits.checkpoint()
  await world.env.clock.advance(6_000)
  for (let round = 0; round < journalled; round++) await world.round(`journal ${round}`)
  await more(world)
  world.cut((durable) => durable)
  return world
}

async function check(world: JournalWorld, topic = 'a') {
  const { disk } = world.env
  const inspected = await inspectDirectory(disk, world.path)
  const log = await checkPartition(disk, `${world.path}/${topic}-0`, inspected)
  return { directory: inspected, log }
}

const severities = (findings: readonly { severity: string }[]) =>
  findings.map(({ severity }) => severity)

test('records that only the journal has are counted, and the next start has them', async () => {
  const world = await withTails()
  for (const topic of topics) {
    const { directory, log } = await check(world, topic)
    assert.equal(directory.findings, [])
    assert.ok(directory.journal.fileCount > 0 && directory.journal.blockCount > 0)
    assert.is(log.endOffset + log.journal.recordCount, 20 + journalled, topic)
    assert.is(log.journal.batchCount, log.journal.recordCount)
    assert.ok(log.journal.recordCount > 0)
    assert.equal(severities(log.findings), ['warning'])
    assert.match(log.findings[0]?.message ?? '', /the journal holds \d+ batches with \d+ records/)
  }
  await world.open()
  await world.verify('after the start')
  const { log } = await check(world)
  assert.equal([log.endOffset, log.journal.recordCount, log.findings.length], [30, 0, 0])
})

test('beside a running broker the journal is nothing that the segments lack', async () => {
  const world = await withTails()
  await world.open()
  await world.round('more')
  const { directory, log } = await check(world)
  assert.ok(directory.journal.blockCount > 0)
  assert.equal([log.endOffset, log.journal.recordCount, log.findings], [31, 0, []])
})

test('after a clean stop there is nothing to say', async () => {
  const world = await withTails()
  await world.open()
  await world.dir.close()
  const { directory, log } = await check(world)
  assert.equal([directory.journal.fileCount, directory.findings, log.findings], [0, [], []])
})

/** What happens to the journal, and what is then said of the directory and of one of its logs. */
const damages: readonly (readonly [
  name: string,
  change: (bytes: Buffer) => Buffer,
  directory: RegExp,
  log: RegExp | null,
])[] = [
  // The first block: its payload begins behind the head and six entries.
  [
    'a bit of a payload',
    (bytes) => bytes.fill((bytes[470] ?? 0) ^ 1, 470, 471),
    /^warning .*a log that lacks these records says so/,
    null,
  ],
  [
    'the head of a block',
    (bytes) => bytes.fill((bytes[40] ?? 0) ^ 1, 40, 41),
    /^error .*whose records it had is not known/,
    null,
  ],
  ['everything', (bytes) => bytes.fill(0), /^$/, null],
]

for (const [name, change, expected] of damages) {
  test(`a damaged journal is told of: ${name}`, async () => {
    const world = await withTails()
    for (const [path, bytes] of await world.journalFiles()) {
      await writeFileAtomic(world.env.disk, path, change(Buffer.from(bytes)))
    }
    const { directory } = await check(world)
    const told = directory.findings.map(({ severity, message }) => `${severity} ${message}`)
    assert.match(told.join('\n'), expected)
  })
}

test('records whose block in the journal is damaged are an error of their log', async () => {
  const world = await withTails()
  const files = [...(await world.journalFiles())]
  const [path, bytes] = files.at(-1) ?? ['', new Uint8Array()]
  const value = Buffer.from(bytes).indexOf('b journal 4')
  assert.ok(value > 0)
  await writeFileAtomic(world.env.disk, path, bytes.with(value, 1))
  const { directory, log } = await check(world)
  assert.equal(severities(directory.findings), ['warning'])
  assert.ok(severities(log.findings).includes('error'))
  assert.match(log.findings.map(({ message }) => message).join(), /a start leaves the log offline/)
  await world.open()
  assert.ok(world.log('a').failure !== null)
})

test('the journal of another directory, and one that cannot be read, are errors', async () => {
  const world = await withTails()
  const other = randomUuid((count) => new Uint8Array(count).fill(7))
  const path = `${world.path}/meta.properties`
  const text = Buffer.from((await readFile(world.env.disk, path)) ?? []).toString()
  await writeFileAtomic(
    world.env.disk,
    path,
    Buffer.from(text.replace(/directory\.id=.*/, `directory.id=${other}`)),
  )
  const foreign = (await check(world)).directory
  assert.match(foreign.findings[0]?.message ?? '', /another data directory/)
  await writeFileAtomic(world.env.disk, path, Buffer.from(text))
  const [file = ''] = [...(await world.journalFiles()).keys()]
  await world.env.disk.remove(file)
  await world.env.disk.mkdir(file)
  assert.match((await check(world)).directory.findings[0]?.message ?? '', /cannot be read: EISDIR/)
})

test('records below the recovery point that are gone are an error', async () => {
  const world = await withTails()
  const path = `${world.path}/a-0/00000000000000000000.log`
  const bytes = (await readFile(world.env.disk, path)) ?? new Uint8Array()
  await writeFileAtomic(world.env.disk, path, bytes.subarray(0, bytes.length >> 2))
  const { log } = await check(world)
  assert.match(log.findings.map(({ message }) => message).join(), /those up to \d+ were synced/)
  await world.open()
  assert.match(world.log('a').failure?.message ?? '', /were synced/)
  await world.dir.close()
  // What the journal had of it is kept beside it, and still counts.
  const offline = (await check(world)).log
  assert.is(offline.journal.recordCount, log.journal.recordCount)
  assert.match(offline.findings.map(({ message }) => message).join(), /until the log is repaired/)
})

test('a log that ends within a batch of its journal is another one, which is an error', async () => {
  const world = await withTails(async (running) => {
    const log = running.log('a')
    const { written } = log.append(batchOf({ values: ['1', '2', '3'] }), { leaderEpoch: 0 })
    const others = running.round('others', ['b', 'c', 'd'])
    await Promise.all([others, written.then(() => log.sync())])
  })
  const { chunks } = batchOf({ values: Array.from({ length: 31 }, (_, at) => `${at}`) })
  const path = `${world.path}/a-0/00000000000000000000.log`
  await writeFileAtomic(world.env.disk, path, joinChunks(chunks))
  const { log } = await check(world)
  assert.is(log.findings[0]?.severity, 'error')
  assert.match(log.findings[0]?.message ?? '', /the journal has no batches for it: a batch at 30/)
  await world.open()
  assert.match(world.log('a').failure?.message ?? '', /the journal has no batches for it/)
})

test('a log that cannot say whose it is, and one that is gone, are told of', async () => {
  const world = await withTails()
  await writeFileAtomic(world.env.disk, '/data/a-0/partition.metadata', Buffer.from('nonsense'))
  await world.env.disk.remove('/data/b-0')
  const { directory, log } = await check(world)
  assert.match(directory.findings[0]?.message ?? '', /names b-0, synced up to offset \d+/)
  assert.equal(log.findings.at(-1)?.file, 'partition.metadata')
  assert.is(log.findings.at(-1)?.severity, 'error')
})

test('log check shows it: a column, findings, and the directory under --json', async () => {
  const world = await withTails()
  const command = (...words: string[]): Promise<Ran> =>
    run(['log', 'check', ...words, '/data'], { env: world.env })
  const plain = await command()
  assert.is(plain.exit, 0)
  const [titles = '', first = ''] = plain.stdout.toString().split('\n')
  assert.is(first.split('\t')[titles.split('\t').indexOf('JOURNAL')], String(journalled))
  assert.match(plain.stderr, /warning: \/data\/a-0\/0{20}\.log: the journal holds 10 batches/)
  const { stdout } = await command('--json')
  const { directories, logs } = JSON.parse(stdout.toString())
  assert.is(directories.length, 1)
  assert.is(directories[0].directory, '/data')
  assert.ok(directories[0].journalBlocks > 0)
  assert.is(logs[0].journalRecords, journalled)
  await world.env.disk.remove('/data/b-0')
  assert.match((await command()).stderr, /recovery-point-offset-checkpoint: names b-0/)
})

test('a swap that cannot be finished, and a gap that no compaction left, are errors', async () => {
  const world = await withTails()
  await world.open()
  await world.dir.close()
  const log = '/data/a-0/00000000000000000000.log'
  await writeFileAtomic(world.env.disk, '/data/b-0/00000000000000000000.log.swap', Buffer.alloc(99))
  const bytes = Buffer.from((await readFile(world.env.disk, log)) ?? [])
  const second = 12 + bytes.readInt32BE(8)
  const rest = bytes.subarray(second + 12 + bytes.readInt32BE(second + 8))
  await writeFileAtomic(world.env.disk, log, Buffer.concat([bytes.subarray(0, second), rest]))
  const [a, b] = [(await check(world, 'a')).log, (await check(world, 'b')).log]
  assert.match(a.findings[0]?.message ?? '', /a batch at offset 2, expected 1; only compaction/)
  assert.match(b.findings[0]?.message ?? '', /is not whole/)
  await world.env.disk.remove(log)
  await world.env.disk.mkdir(log)
  assert.match(
    (await check(world, 'a')).log.findings.at(-1)?.message ?? '',
    /cannot be read: EISDIR/,
  )
})
