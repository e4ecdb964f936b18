/** Cleanings in real threads, on the real disk; what they do to a log is tested in log-cleaner.test.ts. */

import { mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUuid } from '../../../lib/base/uuid.ts'
import type { Env } from '../../../lib/io/env.ts'
import { nodeDisk } from '../../../lib/io/node/disk.ts'
import { nodeEnv } from '../../../lib/io/node/env.ts'
import { nodeThreads } from '../../../lib/io/node/threads.ts'
import type { Thread, Threads } from '../../../lib/io/threads.ts'
import { LogCleaner } from '../../../lib/storage/cleaner/log-cleaner.ts'
import type { Log } from '../../../lib/storage/log.ts'
import { logConfigWith } from '../../../lib/storage/log-config.ts'
import { LogDir } from '../../../lib/storage/log-dir.ts'
import { assert, suite } from '../../support/suite.ts'
import { cleanerConfig } from '../support/cleaning.ts'
import { batchOf } from '../support/scenario.ts'

const test = suite('cleaner thread')
const folder = mkdtempSync(join(tmpdir(), 'ottla-cleaner-thread-'))
test.after(() => rm(folder, { recursive: true, force: true }))

interface World {
  readonly log: Log
  readonly cleaner: LogCleaner
  readonly directory: string
  /** What was logged: events with their fields. */
  readonly told: Map<string, Readonly<Record<string, unknown>>>
  close(): Promise<void>
}

let folders = 0

/** A log of some 2.5 MB in segments of 256 KiB, each key of 100 written 20 times. */
async function filled(threads: Threads): Promise<World> {
  const told: World['told'] = new Map()
  const note = (event: string, fields = {}) => void told.set(event, fields)
  const env: Env = {
    ...nodeEnv({ log: { error: note, warn: note, info: note, debug() {} } }),
    disk: { ...nodeDisk, threads },
  }
  const path = join(folder, String(folders++))
  const config = {
    'log.retention.check.interval.ms': 300_000,
    'ottla.disk.floor.bytes': 0,
    'producer.id.expiration.ms': 86_400_000,
  }
  const dir = await LogDir.open({ env, path, nodeId: 1, config })
  const settings = logConfigWith({
    'cleanup.policy': ['compact'],
    'internal.segment.bytes': 256 * 1024,
    'min.cleanable.dirty.ratio': 0,
    'ottla.durability': 'replicated',
  })
  const id = randomUuid((count) => env.random.bytes(count))
  const log = await dir.create({ topic: 'dirty', partition: 0 }, id, settings)
  dir.highWatermarks = () => [[log.topicPartition, log.writtenEndOffset]]
  const keys = Array.from({ length: 100 }, (_, n) => `key ${n}`)
  for (let round = 0; round < 20; round++) {
    const values = keys.map((key) => `${key} ${round}`.padEnd(1200, '.'))
    await log.append(batchOf({ keys, values }), { leaderEpoch: 0 }).written
  }
  await log.sync()
  // Closed segments are synced beside the appends.
  await eventually(() => log.recoveryPoint >= (log.segments.at(-1)?.baseOffset ?? 0))
  const cleaner = await LogCleaner.start(dir, cleanerConfig)
  const close = async () => {
    await cleaner.close()
    await dir.close()
  }
  return { log, cleaner, directory: join(path, 'dirty-0'), told, close }
}

/** The machine's threads, and how many were started. */
function counted(): Threads & { count: number } {
  const threads = nodeThreads()
  if (threads === null) throw new Error('the program of threads is missing beside the tests')
  return {
    count: 0,
    workBytesMin: threads.workBytesMin,
    start(...task) {
      this.count++
      return threads.start(...task)
    },
  }
}

async function eventually(isSo: () => boolean): Promise<void> {
  for (const untilMs = performance.now() + 20_000; !isSo() && performance.now() < untilMs; ) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(isSo())
}

const marked = (directory: string) =>
  readdirSync(directory).filter((name) => /\.(cleaned|swap)$/.test(name))

test('a large log is cleaned in a thread', async () => {
  const threads = counted()
  const { log, cleaner, told, directory, close } = await filled(threads)
  const { sizeBytes } = log
  assert.ok(await cleaner.cleanDirtiest())
  assert.is(threads.count, 1)
  const cleaned = told.get('log.cleaned')
  assert.is(cleaned?.['keys'], 100)
  assert.ok(Number(cleaned?.['recordsAfter']) < 300)
  assert.ok(log.sizeBytes < sizeBytes / 2, `${log.sizeBytes} of ${sizeBytes}`)
  assert.equal(marked(directory), [])
  assert.is(await cleaner.cleanDirtiest(), false)
  await close()
})

test('a cleaner that is closed ends its thread, and leaves the log as it is', async () => {
  const threads = counted()
  const { log, cleaner, told, directory, close } = await filled(threads)
  const { sizeBytes } = log
  const done = cleaner.cleanDirtiest()
  await eventually(() => threads.count > 0)
  await cleaner.close()
  assert.is(await done, false)
  assert.is(told.has('log.cleaned'), false)
  assert.is(log.sizeBytes, sizeBytes)
  assert.equal(marked(directory), [])
  await close()
})

/** Ways for a thread not to be had. */
const failures: [what: string, start: Threads['start']][] = [
  [
    'cannot be made',
    () => {
      throw new Error('no more threads')
    },
  ],
  ['ends at once', () => endedBy(null)],
  ['is out of memory', () => endedBy(new Error('out of memory'))],
]

function endedBy(cause: Error | null): Thread {
  const ended = Promise.resolve(cause)
  return { post: () => {}, end: () => {}, ended }
}

for (const [what, start] of failures) {
  test(`a thread that ${what} is told of, and the log is cleaned without it`, async () => {
    const { log, cleaner, told, close } = await filled({ workBytesMin: 0, start })
    assert.is(await cleaner.cleanDirtiest(), false)
    assert.ok(told.has('log.cleaner.thread.failed'))
    assert.is(log.failure, null)
    assert.ok(await cleaner.cleanDirtiest())
    assert.ok(told.has('log.cleaned'))
    await close()
  })
}
