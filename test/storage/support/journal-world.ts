/**
 * Several logs of one log dir on a memory disk, all written at once so that the journal serves them,
 * with a record of what was acknowledged. The process can die before any operation of the disk; what
 * the disk then keeps of unsynced bytes is chosen by the caller.
 */

import { joinChunks } from '../../../lib/base/bytes.ts'
import { randomUuid } from '../../../lib/base/uuid.ts'
import { readFile } from '../../../lib/io/disk.ts'
import type { DiskOperation } from '../../../lib/io/memory/disk.ts'
import { type MemoryEnv, memoryEnv } from '../../../lib/io/memory/env.ts'
import { splitBatches } from '../../../lib/record/batch.ts'
import { readRecords } from '../../../lib/record/record.ts'
import type { Log } from '../../../lib/storage/log.ts'
import { type LogConfig, logConfigWith } from '../../../lib/storage/log-config.ts'
import { LogDir, type LogDirConfig } from '../../../lib/storage/log-dir.ts'
import { assert } from '../../support/suite.ts'
import { batchOf } from './scenario.ts'

export const pageBytes = 4096

/** What is known of one log: by offset, what was appended last, and up to where it was acknowledged. */
interface Known {
  values: string[]
  acknowledgedEnd: number
  /** Below this offset nothing need be there. */
  start: number
  /** Beyond it anything goes: a cut was under way. */
  isUncertain: boolean
}

export type Keep = (durable: Uint8Array, current: Uint8Array, path: string) => Uint8Array

/** What a power cut leaves of the bytes that were not synced. */
export const keeps: Record<string, (world: JournalWorld) => Keep> = {
  'nothing unsynced': () => (durable) => durable,
  'everything written': () => (_, current) => current,
  'some pages': (world) => (durable, current) => {
    const bytes = new Uint8Array(world.chance(2) ? current.length : durable.length)
    for (let at = 0; at < bytes.length; at += pageBytes) {
      const from = world.chance(2) ? current : durable
      bytes.set(from.subarray(at, Math.min(at + pageBytes, bytes.length)), at)
    }
    return bytes
  },
}

export class JournalWorld {
  readonly env: MemoryEnv
  readonly known = new Map<string, Known>()
  readonly path = '/data'
  config: LogConfig
  readonly dirConfig: LogDirConfig
  #dir: LogDir | null = null
  /** Operations of the disk so far. */
  operations = 0
  /** Before which one the process dies. */
  diesBefore: (operation: DiskOperation, path: string) => boolean = () => false
  /** Which operations never come back, or fail. */
  hinders: (operation: DiskOperation, path: string) => 'hang' | Error | undefined = () => undefined
  readonly logged: string[] = []
  #onDeath: () => void = () => {}
  isDead = false
  #seed = 1

  constructor(config: Partial<LogConfig> = {}, dirConfig: Partial<LogDirConfig> = {}) {
    const note = (event: string) => void this.logged.push(event)
    this.env = memoryEnv({ log: { error: note, warn: note, info() {}, debug() {} } })
    this.config = logConfigWith({ 'internal.segment.bytes': 6_000, ...config })
    this.dirConfig = {
      'log.retention.check.interval.ms': 300_000,
      'ottla.disk.floor.bytes': 0,
      'producer.id.expiration.ms': 86_400_000,
      'ottla.journal.file.bytes': 65_536,
      'ottla.journal.max.bytes': 3 * 65_536,
      'ottla.journal.checkpoint.interval.ms': 1_000_000,
      ...dirConfig,
    }
  }

  get dir(): LogDir {
    if (this.#dir === null) throw new Error('the log dir is not open')
    return this.#dir
  }

  chance(outOf: number): boolean {
    this.#seed = (Math.imul(this.#seed, 1_103_515_245) + 12_345) >>> 0
    return (this.#seed >>> 16) % outOf === 0
  }

  log(topic: string): Log {
    const log = this.dir.logOf({ topic, partition: 0 })
    if (log === undefined) throw new Error(`no log ${topic}`)
    return log
  }

  async open(topics: readonly string[] = [...this.known.keys()]): Promise<this> {
    this.env.disk.beforeEach = (operation, path) => this.#before(operation, path)
    this.#dir = await LogDir.open({
      env: this.env,
      path: this.path,
      nodeId: 1,
      config: this.dirConfig,
    })
    await this.#dir.loadLogs(() => this.config)
    for (const topic of topics) {
      if (this.#dir.logOf({ topic, partition: 0 }) === undefined) await this.create(topic)
    }
    return this
  }

  async create(topic: string, topicId?: string): Promise<void> {
    const id = topicId ?? randomUuid((count) => this.env.random.bytes(count))
    this.known.set(topic, { values: [], acknowledgedEnd: 0, start: 0, isUncertain: false })
    await this.dir.create({ topic, partition: 0 }, id, this.config)
  }

  #before(operation: DiskOperation, path: string): undefined | Promise<void> {
    this.operations++
    if (!this.isDead && this.diesBefore(operation, path)) {
      this.isDead = true
      this.#onDeath()
    }
    const hindrance = this.hinders(operation, path)
    if (hindrance instanceof Error) return Promise.reject(hindrance)
    // Nothing that a dead process asked for ever comes back.
    return this.isDead || hindrance === 'hang' ? new Promise(() => {}) : undefined
  }

  /** Runs `work` until it ends or the process dies in it. */
  async untilDeath(work: () => Promise<void>): Promise<void> {
    const death = new Promise<void>((resolve) => {
      this.#onDeath = resolve
    })
    const done = work()
    done.catch(() => {})
    await Promise.race([done, death])
  }

  /** One record into each log at once; resolves when all are acknowledged. */
  async round(name: string, topics: readonly string[] = [...this.known.keys()]): Promise<void> {
    await Promise.all(topics.map((topic) => this.append(topic, `${topic} ${name}`)))
  }

  async append(topic: string, value: string, { isSynced = true } = {}): Promise<void> {
    const known = this.#knownOf(topic)
    const log = this.log(topic)
    const text = `${value} ${'.'.repeat(300)}`
    const { written, baseOffset } = log.append(batchOf({ values: [text] }), { leaderEpoch: 0 })
    known.values.length = baseOffset
    known.values.push(text)
    await written
    if (!isSynced) return
    await log.sync()
    known.acknowledgedEnd = Math.max(known.acknowledgedEnd, baseOffset + 1)
  }

  async truncate(topic: string, offset: number): Promise<void> {
    const known = this.#knownOf(topic)
    known.acknowledgedEnd = Math.min(known.acknowledgedEnd, offset)
    known.isUncertain = true
    await this.log(topic).truncateTo(offset)
    known.values.length = offset
    known.isUncertain = false
  }

  async deleteRecords(topic: string, offset: number): Promise<void> {
    this.#knownOf(topic).start = offset
    await this.log(topic).advanceLogStart(offset)
  }

  /** Deletes it and makes it anew, under another topic id unless one is given. */
  async recreate(topic: string, topicId?: string): Promise<void> {
    this.known.delete(topic)
    await this.dir.remove(this.log(topic))
    await this.create(topic, topicId)
  }

  /** The whole files of the journal, by path. */
  async journalFiles(): Promise<Map<string, Uint8Array>> {
    const files = new Map<string, Uint8Array>()
    for (const { name } of await this.env.disk.list(`${this.path}/journal`)) {
      const path = `${this.path}/journal/${name}`
      const bytes = await readFile(this.env.disk, path)
      if (bytes !== null && name.endsWith('.journal')) files.set(path, bytes)
    }
    return files
  }

  #knownOf(topic: string): Known {
    const known = this.known.get(topic)
    if (known === undefined) throw new Error(`no topic ${topic}`)
    return known
  }

  /** Power cut; what is kept of unsynced bytes is up to `keep`. */
  cut(keep: Keep): void {
    this.isDead = false
    this.diesBefore = () => false
    this.hinders = () => undefined
    this.#dir = null
    this.env.disk.crash(keep)
  }

  async crash(keep: Keep = (durable) => durable): Promise<this> {
    this.cut(keep)
    return this.open()
  }

  async values(topic: string): Promise<string[]> {
    const log = this.log(topic)
    const found: string[] = []
    for (let offset = log.logStartOffset; offset < log.logEndOffset; ) {
      const read = await log.read(offset, {
        maxBytes: 1_000_000,
        minOneBatch: true,
        endOffset: log.logEndOffset,
      })
      for (const batch of splitBatches([Buffer.from(joinChunks(read.records))])) {
        for (const record of readRecords(batch, { maxBytes: 1_000_000 })) {
          if (record.offset < offset) continue
          assert.is(record.offset, offset, `${topic}: each offset once, in order`)
          found[record.offset] = record.value === null ? '' : Buffer.from(record.value).toString()
          offset = record.offset + 1
        }
      }
      read.release()
    }
    return found
  }

  /** All that was acknowledged is there, in order, once, and nothing that was never appended. */
  async verify(where: string): Promise<void> {
    for (const [topic, known] of this.known) {
      const log = this.dir.logOf({ topic, partition: 0 })
      // Its making, or its making anew, had not come to an end.
      if (log === undefined && known.acknowledgedEnd === 0) continue
      if (log === undefined) throw new Error(`${where}: ${topic} is gone`)
      assert.is(log.failure?.message ?? null, null, `${where}: ${topic} is online`)
      const end = log.logEndOffset
      assert.ok(
        end >= known.acknowledgedEnd,
        `${where}: ${topic} ends at ${end}, ${known.acknowledgedEnd} acknowledged`,
      )
      const values = await this.values(topic)
      for (let offset = log.logStartOffset; offset < end; offset++) {
        assert.is(values[offset], known.values[offset], `${where}: ${topic} at ${offset}`)
      }
      if (known.isUncertain) known.values.length = end
    }
  }
}
