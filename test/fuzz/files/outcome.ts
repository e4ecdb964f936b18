/**
 * Starts a broker on a damaged data directory and says what came of it. Three ends are good:
 *
 *   served     all that was acknowledged is there, or the log says what was repaired or lost
 *   offline    a log answers with an error, and the log names its directory
 *   refused    the start ends with an error that names the file and the next step; only for what
 *              decides about the whole directory: metadata, meta.properties, a foreign journal, links
 *
 * A second start must end as the first one did. Everything else throws Violation.
 */

import { joinChunks } from '../../../lib/base/bytes.ts'
import { errorCode, errorName } from '../../../lib/base/errors.ts'
import type { LogFields, Logger } from '../../../lib/io/logger.ts'
import { type Random, randomBelow } from '../../../lib/io/random.ts'
import { Fetch } from '../../../lib/protocol/apis/fetch.ts'
import { ListOffsets } from '../../../lib/protocol/apis/list-offsets.ts'
import { OffsetFetch } from '../../../lib/protocol/apis/offset-fetch.ts'
import { batchCrc, lastOffsetOf, splitBatches } from '../../../lib/record/batch.ts'
import { readRecords } from '../../../lib/record/record.ts'
import { batch, Scenario } from '../../broker/support/scenario.ts'
import type { Damage } from './damage.ts'
import { firstMs, group, type History, type Known, machine, startBroker } from './history.ts'
import { diskWith, type Tree, type TreeDisk, treeOf } from './tree.ts'

export class Violation extends Error {
  override readonly name = 'Violation'
}

/** What the broker logged as warnings and errors. */
class Reports implements Logger {
  readonly lines: string[] = []
  error(event: string, fields?: LogFields): void {
    this.lines.push(`error ${event} ${JSON.stringify(fields ?? {})}`)
  }
  warn(event: string, fields?: LogFields): void {
    this.lines.push(`warn ${event} ${JSON.stringify(fields ?? {})}`)
  }
  info(): void {}
  debug(): void {}

  mentions(...texts: readonly string[]): boolean {
    return this.lines.some((line) => texts.some((text) => line.includes(text)))
  }
}

/** A record as a client reads it. */
interface Row {
  readonly offset: number
  readonly value: string
  readonly timestamp: number
}

/** What a client finds in one partition. */
interface Seen {
  readonly rows: readonly Row[]
  readonly start: number
  readonly end: number
  /** What the broker, or the client's own CRC check, says is wrong; null for nothing. */
  readonly error: string | null
  readonly isServed: boolean
}

interface Start {
  readonly world: Scenario | null
  readonly refusal: Error | null
  readonly disk: TreeDisk
  readonly reports: Reports
}

export interface Verdict {
  readonly kind: 'refused' | 'offline' | 'damage seen by clients' | 'repaired' | 'nothing to report'
  readonly largestAllocation: number
}

const steps = 600

/** Lets time pass until the promise settles; a Violation when it does not. */
async function until<T>(
  world: { clock: { advance(ms: number): Promise<void> } },
  promise: Promise<T>,
  what: string,
): Promise<T> {
  let isSettled = false
  const settled = () => {
    isSettled = true
  }
  promise.then(settled, settled)
  for (let step = 0; step < steps && !isSettled; step++) {
    await world.clock.advance(step < 20 ? 0 : 200)
  }
  if (!isSettled) throw new Violation(`${what} hangs`)
  return promise
}

async function startOn(tree: Tree, seed: number): Promise<Start> {
  const disk = await diskWith(tree)
  const reports = new Reports()
  const env = machine(disk, seed, reports)
  env.clock.jumpWall(60_000)
  try {
    const broker = await until(env, startBroker(env), 'the start')
    return { world: new Scenario(env, broker, {}), refusal: null, disk, reports }
  } catch (error) {
    if (error instanceof Violation || !(error instanceof Error)) throw error
    return { world: null, refusal: error, disk, reports }
  }
}

export class Trial {
  readonly #history: History
  readonly #damages: readonly Damage[]
  readonly #random: Random
  readonly #tree: Tree

  constructor(trial: { history: History; tree: Tree; damages: readonly Damage[]; random: Random }) {
    this.#history = trial.history
    this.#tree = trial.tree
    this.#damages = trial.damages
    this.#random = trial.random
  }

  async run(): Promise<Verdict['kind']> {
    const first = await startOn(this.#tree, 1000)
    const { world, refusal, reports } = first
    if (world === null || refusal !== null) {
      this.#checkRefusal(refusal)
      await this.#refuseAgain(first)
      return 'refused'
    }
    const seen = await this.#look(world)
    for (const [name, one] of seen) this.#checkPartition(name, one, reports)
    await this.#checkLookups(world, seen)
    await this.#checkGroup(world, reports)
    await this.#goOn(world, seen)
    const { failure } = world.broker
    if (failure !== null) throw new Violation(`the broker gave up: ${failure.message}`)
    await this.#startAgain(first, seen)
    const all = [...seen.values()]
    if (all.some(({ isServed }) => !isServed)) return 'offline'
    if (all.some(({ error }) => error !== null)) return 'damage seen by clients'
    return reports.lines.length > 0 ? 'repaired' : 'nothing to report'
  }

  #checkRefusal(refusal: Error | null): void {
    if (refusal === null) return
    const isNamed = ['DataDirectoryError', 'DamageError'].includes(refusal.name)
    if (!isNamed) throw new Violation(`the start threw ${refusal.stack}`)
    const touched = this.#damages.flatMap(({ paths }) => paths)
    const mayRefuse = touched.some((path) => /meta\.properties|\/metadata|\/journal/.test(path))
    const isLinked = this.#damages.some(({ kind, paths }) =>
      paths.some((path) => /symbolic link|in place/.test(kind) && /^\/data\/[^/]+$/.test(path)),
    )
    if (!mayRefuse && !isLinked)
      throw new Violation(`refused for no good reason: ${refusal.message}`)
    if (!refusal.message.includes('/data')) throw new Violation(`names no file: ${refusal.message}`)
    if (!/restore|give|put|move|start/i.test(refusal.message)) {
      throw new Violation(`says no next step: ${refusal.message}`)
    }
  }

  async #refuseAgain({ disk, refusal }: Start): Promise<void> {
    const { refusal: again } = await startOn(await treeOf(disk), 2000)
    if (again === null) throw new Violation(`refused once (${refusal?.message}), then not`)
    if (again.message !== refusal?.message) {
      throw new Violation(`refused with "${refusal?.message}", then with "${again.message}"`)
    }
  }

  async #look(world: Scenario): Promise<Map<string, Seen>> {
    const seen = new Map<string, Seen>()
    for (const [name, { topic, partition }] of this.#history.known) {
      seen.set(name, await readAll(world, topic, partition))
    }
    return seen
  }

  /** Lost without a word, or not what was written? */
  #checkPartition(name: string, seen: Seen, reports: Reports): void {
    const known = this.#history.known.get(name)
    if (known === undefined) return
    const isForeign = this.#damages.some((one) => one.isForeign)
    let before = -1
    for (const { offset, value } of seen.rows) {
      if (offset <= before) throw new Violation(`${name}: offset ${offset} after ${before}`)
      before = offset
      if (known.values.get(offset) === value) continue
      const isWritten = isForeign && /^\d+ [a-z]-\d \d+ \.*$/.test(value)
      const isFree = known.mayLackEnd && offset >= known.end
      if (!isWritten && !isFree) {
        throw new Violation(
          `${name} at ${offset}: "${value.slice(0, 60)}" was never written there (${known.values.get(offset)?.slice(0, 60)})`,
        )
      }
    }
    const isReported = reports.mentions(`/${name}`, `"${name}"`, ...this.#paths())
    if (!seen.isServed && !isReported) {
      throw new Violation(`${name} answers ${seen.error} and nothing was reported`)
    }
    if (seen.error !== null || isReported) return
    const lost = firstLost(known, seen)
    const isStart = this.#damages.some(({ paths }) =>
      paths.some((path) => path.endsWith('log-start-offset-checkpoint')),
    )
    // The newest part of the journal is gone: that cannot be told from a power cut just before it.
    const isJournal = this.#damages.some(({ paths }) =>
      paths.some((path) => path.includes('/journal')),
    )
    if (isJournal && lost !== null && lost >= seen.end) return
    if (lost !== null && !(isStart && lost < seen.start) && !(isForeign && lost >= seen.start)) {
      throw new Violation(
        `${name}: offset ${lost} of ${known.start} to ${known.end} is lost without a word; it has ${seen.start} to ${seen.end}`,
      )
    }
  }

  /** Segments of others hold whatever they hold: no index fits them. */
  #hasForeignLog(): boolean {
    return this.#damages.some(
      ({ isForeign, paths }) => isForeign && paths.some((path) => !/(index|snapshot)$/.test(path)),
    )
  }

  #paths(): string[] {
    return this.#damages.flatMap(({ paths }) =>
      paths.map((path) => path.slice(path.lastIndexOf('/'))),
    )
  }

  /** Indexes: what they lead to is what a reader from the start finds. */
  async #checkLookups(world: Scenario, seen: Map<string, Seen>): Promise<void> {
    if (this.#hasForeignLog()) return
    for (const [name, { rows, error, end }] of seen) {
      const known = this.#history.known.get(name)
      if (known === undefined || error !== null || rows.length === 0) continue
      for (let count = 0; count < 3; count++) {
        const row = rows[randomBelow(this.#random, rows.length)]
        if (row === undefined) continue
        await this.#checkTime(world, known, {
          rows,
          timestamp: row.timestamp - randomBelow(this.#random, 2),
        })
        const fetched = await fetchFrom(world, known, row.offset)
        const found = fetched.rows.find(({ offset }) => offset >= row.offset)
        if (found?.offset !== row.offset || found.value !== row.value) {
          throw new Violation(
            `${name}: a fetch at ${row.offset} of ${end} gives ${found?.offset} (${fetched.error})`,
          )
        }
      }
    }
  }

  async #checkTime(
    world: Scenario,
    { topic, partition }: Known,
    { rows, timestamp }: { rows: readonly Row[]; timestamp: number },
  ): Promise<void> {
    const wanted = rows.find((row) => row.timestamp >= timestamp)
    const { errorCode: code, offset } = await listOffset(world, { topic, partition, timestamp })
    if (code !== 0 || offset !== wanted?.offset) {
      throw new Violation(
        `${topic}-${partition}: time ${timestamp - firstMs} is at offset ${wanted?.offset}, ListOffsets says ${offset} (${errorName(code)})`,
      )
    }
  }

  async #checkGroup(world: Scenario, reports: Reports): Promise<void> {
    const answer = await world.call(OffsetFetch, 7, {
      groupId: group,
      topics: [{ name: 'a', partitionIndexes: [0] }],
    })
    if (answer.errorCode !== 0) {
      if (!reports.mentions('__consumer_offsets', ...this.#paths())) {
        throw new Violation(
          `the group answers ${errorName(answer.errorCode)}, nothing was reported`,
        )
      }
      return
    }
    const committed = answer.topics[0]?.partitions[0]?.committedOffset ?? -1
    if (committed === this.#history.committed) return
    const isForeign = this.#damages.some((one) => one.isForeign)
    if (isForeign || reports.mentions('__consumer_offsets', ...this.#paths())) return
    throw new Violation(
      `committed ${this.#history.committed}, now ${committed}, nothing was reported`,
    )
  }

  /** What is online takes records. */
  async #goOn(world: Scenario, seen: Map<string, Seen>): Promise<void> {
    for (const [name, { isServed, end }] of seen) {
      const known = this.#history.known.get(name)
      if (known === undefined || !isServed) continue
      const { topic, partition } = known
      const answer = await world.produce(topic, batch(['new'], { key: 'new' }), { partition })
      if (answer.errorCode !== 0 || answer.baseOffset < end) {
        throw new Violation(
          `${name}: a record after ${end} got ${errorName(answer.errorCode)} at ${answer.baseOffset}`,
        )
      }
    }
  }

  async #startAgain({ world, disk, reports }: Start, before: Map<string, Seen>): Promise<void> {
    if (world === null) return
    if (randomBelow(this.#random, 2) === 0) await until(world.env, world.broker.stop(), 'the stop')
    else disk.crash()
    const second = await startOn(await treeOf(disk), 3000)
    if (second.world === null) {
      throw new Violation(`the second start threw ${second.refusal?.stack}`)
    }
    const after = await this.#look(second.world)
    for (const [name, { rows, isServed, error }] of before) {
      const now = after.get(name)
      if (now === undefined) continue
      if (isServed !== now.isServed) {
        // What a reader met after a clean stop, a start after a crash looks for.
        if (error !== null && isServed) continue
        throw new Violation(`${name}: ${error ?? 'served'} first, then ${now.error ?? 'served'}`)
      }
      const kept = now.rows.slice(0, rows.length)
      const isCompacted = name === 'c-0'
      if (error !== null || isCompacted) continue
      if (JSON.stringify(kept) !== JSON.stringify(rows) || now.rows.length <= rows.length) {
        // Without the recovery point nobody knows that a bad batch was ever good: the rest is cut, and told.
        const isUnknown = reports.mentions('recovery-point-offset-checkpoint')
        if (isUnknown && second.reports.mentions('log.tail.cut')) continue
        const isB = name === 'b-0'
        if (isB && JSON.stringify(kept) === JSON.stringify(rows.slice(0, kept.length))) continue
        throw new Violation(
          `${name}: ${rows.length} records to ${rows.at(-1)?.offset}, after the second start ${now.rows.length} to ${now.rows.at(-1)?.offset} (${now.error})`,
        )
      }
    }
    await until(second.world.env, second.world.broker.stop(), 'the second stop')
  }
}

function firstLost(known: Known, seen: Seen): number | null {
  const served = new Set(seen.rows.map(({ offset }) => offset))
  const lastOfKey = new Map<string, number>()
  for (const [offset, key] of known.keys) {
    if (known.values.has(offset)) lastOfKey.set(key, Math.max(offset, lastOfKey.get(key) ?? -1))
  }
  for (const offset of known.values.keys()) {
    if (offset < known.start || served.has(offset)) continue
    if (known.mayLackEnd && offset >= seen.end) continue
    const key = known.keys.get(offset) ?? ''
    if (known.topic === 'c' && lastOfKey.get(key) !== offset) continue
    return offset
  }
  return null
}

async function listOffset(
  world: Scenario,
  { topic, partition, timestamp }: { topic: string; partition: number; timestamp: number },
) {
  const { topics } = await world.call(ListOffsets, 5, {
    replicaId: -1,
    topics: [
      {
        name: topic,
        partitions: [{ partitionIndex: partition, timestamp, currentLeaderEpoch: -1 }],
      },
    ],
  })
  const found = topics[0]?.partitions[0]
  if (found === undefined) throw new Violation(`ListOffsets does not answer for ${topic}`)
  return { errorCode: found.errorCode, offset: found.offset ?? -1 }
}

/** Everything in a partition, as a client reads it that checks each batch. */
async function readAll(world: Scenario, topic: string, partition: number): Promise<Seen> {
  const start = await listOffset(world, { topic, partition, timestamp: -2 })
  const end = await listOffset(world, { topic, partition, timestamp: -1 })
  const code = start.errorCode || end.errorCode
  const none = { rows: [], start: start.offset, end: end.offset }
  if (code !== 0) return { ...none, error: errorName(code), isServed: false }
  const rows: Row[] = []
  for (let offset = start.offset; offset < end.offset; ) {
    const fetched = await fetchFrom(world, { topic, partition }, offset)
    rows.push(...fetched.rows)
    const isOffline = fetched.code === errorCode('KAFKA_STORAGE_ERROR')
    if (fetched.error !== null) {
      return { ...none, rows, error: fetched.error, isServed: !isOffline }
    }
    if (fetched.next <= offset) {
      throw new Violation(
        `${topic}-${partition}: a fetch at ${offset} of ${end.offset} gives nothing`,
      )
    }
    offset = fetched.next
  }
  return { rows, start: start.offset, end: end.offset, error: null, isServed: true }
}

interface Fetched {
  readonly rows: Row[]
  readonly next: number
  readonly code: number
  readonly error: string | null
}

async function fetchFrom(
  world: Scenario,
  { topic, partition }: { topic: string; partition: number },
  offset: number,
): Promise<Fetched> {
  const answer = await world.call(Fetch, 11, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics: [{ topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 3000 }] }],
  })
  const found = answer.responses[0]?.partitions[0]
  if (found === undefined) throw new Violation(`Fetch does not answer for ${topic}-${partition}`)
  const code = found.errorCode
  if (code !== 0) return { rows: [], next: offset, code, error: errorName(code) }
  const rows: Row[] = []
  let next = offset
  const none = { rows, code: 0 }
  try {
    for (const one of splitBatches([Buffer.from(joinChunks(found.records ?? []))])) {
      if (batchCrc(one) !== one.header.crc) return { ...none, next, error: 'bad CRC' }
      for (const record of readRecords(one, { maxBytes: 1 << 20 })) {
        if (record.offset < offset) continue
        const value = record.value === null ? '' : Buffer.from(record.value).toString()
        rows.push({ offset: record.offset, value, timestamp: Number(record.timestamp) })
      }
      next = Math.max(next, lastOffsetOf(one.header) + 1)
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'DecodeError') throw error
    return { ...none, next, error: error.message }
  }
  return { ...none, next, error: null }
}
