/**
 * Starts a broker on a damaged data directory and says what came of it. Three ends are good:
 *
 *   served     all that was acknowledged is there, or the log says what was repaired or lost
 *   offline    a log answers with an error, and the log names its directory
 *   refused    the start ends with an error that names the file and the next step; only for what
 *              decides about the whole directory: metadata, meta.properties, a foreign journal, links
 *
 * A second start must end as the first one did; a log that was offline has everything once its files are
 * put back; what a start finds damaged, `log check` finds too. Everything else throws Violation.
 */

import { errorCode, errorName } from '../../../lib/base/errors.ts'
import { type Random, randomBelow } from '../../../lib/io/random.ts'
import { OffsetFetch } from '../../../lib/protocol/apis/offset-fetch.ts'
import { headerSize, lastOffsetOf, readBatchHeader } from '../../../lib/record/batch.ts'
import {
  decodeOffsetCheckpoint,
  highWatermarkFile,
  recoveryPointFile,
} from '../../../lib/storage/checkpoint.ts'
import { checkPartition } from '../../../lib/storage/inspect.ts'
import { inspectDirectory } from '../../../lib/storage/inspect-directory.ts'
import { directoryKind } from '../../../lib/storage/segment-files.ts'
import { batch, type Scenario } from '../../broker/support/scenario.ts'
import type { Damage } from './damage.ts'
import { firstMs, group, type History, type Known, offsetsTopic } from './history.ts'
import { fetchFrom, listOffset, lostOffsets, type Row, readAll, type Seen } from './reading.ts'
import { inTime, type Start, startOn, until, Violation } from './start.ts'
import { Told } from './told.ts'
import { copyOf, diskWith, root, type Tree, treeOf } from './tree.ts'
import { readMsMax, startMsMax } from './watch.ts'

export type Outcome =
  | 'refused'
  | 'offline'
  | 'damage seen by clients'
  | 'repaired'
  | 'nothing to report'

const checkpointFiles = [recoveryPointFile, highWatermarkFile]
/** Records of a log that are looked for by offset and by time. */
const lookups = 6

export class Trial {
  readonly #history: History
  readonly #damages: readonly Damage[]
  readonly #random: Random
  readonly #tree: Tree
  /** What starts before the first one here have logged. */
  readonly #linesBefore: readonly string[]
  readonly #isDamagedTwice: boolean
  /** What the first start logged, after those before it. */
  lines: readonly string[] = []

  constructor(trial: {
    history: History
    tree: Tree
    damages: readonly Damage[]
    random: Random
    linesBefore: readonly string[]
    /** Again after a start. */
    isDamagedTwice: boolean
  }) {
    this.#history = trial.history
    this.#tree = trial.tree
    this.#damages = trial.damages
    this.#random = trial.random
    this.#linesBefore = trial.linesBefore
    this.#isDamagedTwice = trial.isDamagedTwice
  }

  async run(): Promise<Outcome> {
    const unsound = await inTime(startMsMax, 'log check', () => unsoundLogs(this.#tree))
    const first = await startOn(this.#tree, 1000)
    const { world, refusal, reports } = first
    this.lines = [...this.#linesBefore, ...reports.lines]
    for (const name of reports.damagedLogs()) {
      // Not told by its files alone: that its name is another topic's is in the metadata.
      if (unsound === 'all' || unsound.has(name)) continue
      throw new Violation(`log check found no error in ${name}, which is offline`)
    }
    reports.lines.unshift(...this.#linesBefore)
    this.lines = reports.lines
    if (world === null || refusal !== null) {
      this.#checkRefusal(refusal)
      await this.#refuseAgain(first)
      return 'refused'
    }
    const seen = await this.#look(world)
    const told = new Told(reports, this.#damages)
    for (const [name, one] of seen) this.#checkPartition(name, one, told)
    await this.#checkUntouched(first, seen)
    await this.#checkLookups(first, seen)
    await this.#checkGroup(world, told)
    await this.#goOn(world, seen)
    const { failure } = world.broker
    if (failure !== null) throw new Violation(`the broker gave up: ${failure.message}`)
    const last = await this.#startAgain(first, seen)
    await this.#repair(last, seen)
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
      const read = () => readAll(world, topic, partition)
      seen.set(name, await inTime(readMsMax, `a read of ${name}`, read))
    }
    return seen
  }

  /** Lost without a word, or not what was written? */
  #checkPartition(name: string, seen: Seen, told: Told): void {
    const known = this.#history.known.get(name)
    if (known === undefined) return
    const isForeign = this.#damages.some((one) => one.isForeign)
    const isOfGroup = this.#damages.some((one) => {
      return one.isForeign && one.paths.some((path) => path.includes(offsetsTopic))
    })
    let before = -1
    for (const { offset, value } of seen.rows) {
      if (offset <= before) throw new Violation(`${name}: offset ${offset} after ${before}`)
      before = offset
      if (known.values.get(offset) === value) continue
      const isWritten = isForeign && (isOfGroup || /^\d+ [a-z]-\d \d+ \.*$/.test(value))
      const isFree = known.mayLackEnd && offset >= known.end
      if (!isWritten && !isFree) {
        throw new Violation(
          `${name} at ${offset}: "${value.slice(0, 60)}" was never written there (${known.values.get(offset)?.slice(0, 60)})`,
        )
      }
    }
    // The last segments lack all their records, and were not cut: offsets are never given out again. So
    // a reader waits there for the next record, as with Apache Kafka, and the gap was told.
    if (seen.emptyFrom !== null && !told.covers(name, seen.emptyFrom)) {
      throw new Violation(`${name}: a fetch at ${seen.emptyFrom} of ${seen.end} gives nothing`)
    }
    if (seen.isServed) this.#checkLoss(name, known, { seen, told })
    else if (!told.speaksOf(name)) {
      throw new Violation(`${name} answers ${seen.error} and nothing was reported`)
    }
  }

  #checkLoss(name: string, known: Known, { seen, told }: { seen: Seen; told: Told }): void {
    const touches = (pattern: RegExp) =>
      this.#damages.some(({ paths }) => paths.some((path) => pattern.test(path)))
    const isForeign = this.#damages.some(
      (one) => one.isForeign && one.paths.some((path) => (logOf(path) ?? name) === name),
    )
    for (const lost of lostOffsets(known, seen)) {
      if (told.covers(name, lost)) continue
      // Who reads on meets the error.
      if (seen.errorAt !== null && lost >= seen.errorAt && lost < seen.end) continue
      // The newest part of the journal is gone: that cannot be told from a power cut just before it.
      if (touches(/^\/data\/journal(\/|$)/) && lost >= seen.end) continue
      // A text without a checksum: another number there is another number.
      if (touches(/\/log-start-offset-checkpoint$/) && lost < seen.start) continue
      if (isForeign && lost >= seen.start) continue
      if (lost >= seen.end && this.#mayEndAt(name, seen.end)) continue
      throw new Violation(
        `${name}: offset ${lost} of ${known.start} to ${known.end} is lost without a word; it has ${seen.start} to ${seen.end}`,
      )
    }
  }

  /**
   * Whether a log of a machine that lost its power may end there for all that its own files and the
   * checkpoints say: cut at the border of a batch, beyond what was checkpointed, it looks like a log that
   * got no further. (What the journal had would be back, or missed.)
   */
  #mayEndAt(name: string, end: number): boolean {
    const isTouched = this.#damages.some(({ paths }) => paths.some((path) => logOf(path) === name))
    if (this.#history.wasClean || !isTouched) return false
    return checkpointFiles.every((file) => {
      const bytes = this.#tree.files.get(`${root}/${file}`) ?? new Uint8Array(0)
      const entries = decodeOffsetCheckpoint(bytes)
      const entry = entries.find(({ topic, partition }) => `${topic}-${partition}` === name)
      return (entry?.offset ?? 0) <= end
    })
  }

  /** Segments of others hold whatever they hold: no index fits them. */
  #hasForeignLog(): boolean {
    return this.#damages.some(
      ({ isForeign, paths }) => isForeign && paths.some((path) => !/(index|snapshot)$/.test(path)),
    )
  }

  /** Indexes: what they lead to is what a reader from the start finds. */
  async #checkLookups({ world, reports }: Start, seen: Map<string, Seen>): Promise<void> {
    if (world === null) return
    if (this.#hasForeignLog()) return
    for (const [name, { rows, error, end }] of seen) {
      const known = this.#history.known.get(name)
      if (known === undefined || error !== null || rows.length === 0) continue
      for (let count = 0; count < lookups; count++) {
        const row = rows[randomBelow(this.#random, rows.length)]
        if (row === undefined) continue
        const timestamp = row.timestamp - randomBelow(this.#random, 2)
        const isSound = await this.#checkTime(world, known, { rows, timestamp })
        const fetched = await fetchFrom(world, known, row.offset)
        // A way there leads past a damaged place that a reader from the start did not meet: it is told.
        const isTold = reports.mentions(`log.read.damaged {"log":"${name}"`)
        if ((fetched.error !== null || !isSound) && isTold) continue
        if (!isSound)
          throw new Violation(`${name}: a time cannot be found, and nothing was reported`)
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
  ): Promise<boolean> {
    const wanted = rows.find((row) => row.timestamp >= timestamp)
    const { errorCode: code, offset } = await listOffset(world, { topic, partition, timestamp })
    if (code === errorCode('CORRUPT_MESSAGE')) return false
    if (code !== 0 || offset !== wanted?.offset) {
      throw new Violation(
        `${topic}-${partition}: time ${timestamp - firstMs} is at offset ${wanted?.offset}, ListOffsets says ${offset} (${errorName(code)})`,
      )
    }
    return true
  }

  async #checkGroup(world: Scenario, told: Told): Promise<void> {
    const answer = await world.call(OffsetFetch, 7, {
      groupId: group,
      topics: [{ name: 'a', partitionIndexes: [0] }],
    })
    if (answer.errorCode !== 0) {
      if (!told.speaksOf(`${offsetsTopic}-0`)) {
        throw new Violation(
          `the group answers ${errorName(answer.errorCode)}, nothing was reported`,
        )
      }
      return
    }
    const committed = answer.topics[0]?.partitions[0]?.committedOffset ?? -1
    if (committed === this.#history.committed) return
    const isForeign = this.#damages.some((one) => one.isForeign)
    if (isForeign || told.speaksOf(`${offsetsTopic}-0`)) return
    const { offset: end } = await listOffset(world, {
      topic: offsetsTopic,
      partition: 0,
      timestamp: -1,
    })
    if (this.#mayEndAt(`${offsetsTopic}-0`, end)) return
    throw new Violation(
      `committed ${this.#history.committed}, now ${committed}, nothing was reported`,
    )
  }

  /** What is online takes records. */
  async #goOn(world: Scenario, seen: Map<string, Seen>): Promise<void> {
    for (const [name, { isServed, end, emptyFrom }] of seen) {
      const known = this.#history.known.get(name)
      if (known === undefined || !isServed) continue
      const { topic, partition } = known
      const answer = await world.produce(topic, batch(['new'], { key: 'new' }), { partition })
      if (answer.errorCode !== 0 || answer.baseOffset < end) {
        throw new Violation(
          `${name}: a record after ${end} got ${errorName(answer.errorCode)} at ${answer.baseOffset}`,
        )
      }
      if (emptyFrom === null) continue
      const { rows } = await fetchFrom(world, known, emptyFrom)
      if (rows[0]?.offset !== answer.baseOffset) {
        throw new Violation(
          `${name}: who waits at ${emptyFrom} gets ${rows[0]?.offset}, not the next`,
        )
      }
    }
  }

  /**
   * Whether the start found damage among deleted records only, in the segment that holds the log start:
   * no reader gets there, but without their sizes nobody knows where the others begin.
   */
  #isBelowStart(name: string, logStart: number, { reports }: Start): boolean {
    const line = reports.lines.find((one) =>
      one.includes(`log.damaged {"directory":"/data/${name}"`),
    )
    const [, path = '', position = '0'] = /"error":"(\S+\.log) at byte (\d+)/.exec(line ?? '') ?? []
    const bytes = Buffer.from(this.#history.tree.files.get(path) ?? [])
    const at = Number(position)
    return at + headerSize <= bytes.length && lastOffsetOf(readBatchHeader(bytes, at)) < logStart
  }

  /** A log that is offline keeps its files as they were: cutting would take records from whoever repairs it. */
  async #checkUntouched({ disk, reports }: Start, seen: Map<string, Seen>): Promise<void> {
    const { files } = await treeOf(disk)
    for (const [path, bytes] of this.#tree.files) {
      const [, name = ''] = /^\/data\/([^/]+)\/\d{20}\.log$/.exec(path) ?? []
      if (seen.get(name)?.isServed !== false) continue
      // Loaded as any other, torn tail and journal and all, before it is found to belong to no topic.
      const aside = reports.asideOf(name)
      if (aside !== null && reports.mentions(`log.tail.cut {"directory":"/data/${name}"`)) continue
      if (reports.mentions(`log.segment.moved-away {"path":"${path}"`)) continue
      // What hangs behind a segment whose records are all there is nobody's.
      if (reports.mentions(`log.segment.trimmed {"directory":"/data/${name}"`)) continue
      const now = files.get(aside === null ? path : path.replace(`${root}/${name}`, aside))
      const isLonger = aside !== null && now !== undefined && now.length > bytes.length
      const same = isLonger ? now.subarray(0, bytes.length) : now
      if (same === undefined || Buffer.compare(same, bytes) !== 0) {
        throw new Violation(
          `${name} is offline, and ${path} of ${bytes.length} bytes was changed to ${now?.length}`,
        )
      }
    }
  }

  /** With its files put back, a log that was offline has all that was acknowledged. */
  async #repair(tree: Tree, seen: Map<string, Seen>): Promise<void> {
    const offline = [...seen].flatMap(([name, { isServed }]) => (isServed ? [] : [name]))
    const isInLogs = this.#damages.every(
      ({ isForeign, paths }) =>
        !isForeign && paths.every((path) => /^\/data\/[^/]+-\d+\/(?!.*journal-rest)/.test(path)),
    )
    // What was damaged after a start would have to be put back as that start left it.
    if (offline.length === 0 || !isInLogs || this.#isDamagedTwice) return
    const repaired = copyOf(tree)
    for (const name of offline) {
      const prefix = `${root}/${name}/`
      for (const known of [
        repaired.files,
        repaired.directories,
        repaired.links,
        repaired.sizes,
      ] as const) {
        for (const path of [...known.keys()]) {
          if (path.startsWith(prefix) && !path.endsWith('.journal-rest')) known.delete(path)
        }
      }
      for (const [path, bytes] of this.#history.tree.files) {
        if (path.startsWith(prefix)) repaired.files.set(path, bytes)
      }
    }
    const { world, refusal } = await startOn(repaired, 4000)
    if (world === null) throw new Violation(`repaired, the start threw ${refusal?.stack}`)
    const after = await this.#look(world)
    for (const name of offline) {
      const [known, now] = [this.#history.known.get(name), after.get(name)]
      if (known === undefined || now === undefined) continue
      const [lost] = lostOffsets(known, now)
      if (now.error === null && lost === undefined) continue
      throw new Violation(
        `${name}, repaired: ${now.error ?? `offset ${lost} of ${known.start} to ${known.end} is lost`}; it has ${now.start} to ${now.end}`,
      )
    }
    await until(world.env, world.broker.stop(), 'the stop')
  }

  /** The second start; what its end left. */
  async #startAgain({ world, disk, reports }: Start, before: Map<string, Seen>): Promise<Tree> {
    if (world === null) return this.#tree
    if (randomBelow(this.#random, 2) === 0) await until(world.env, world.broker.stop(), 'the stop')
    else disk.crash()
    const second = await startOn(await treeOf(disk), 3000)
    if (second.world === null) {
      throw new Violation(`the second start threw ${second.refusal?.stack}`)
    }
    const after = await this.#look(second.world)
    for (const [name, { rows, isServed, error, start }] of before) {
      const now = after.get(name)
      if (now === undefined) continue
      if (isServed !== now.isServed) {
        // What a reader met after a clean stop, a start after a crash looks for.
        if (error !== null && isServed) continue
        if (isServed && this.#isBelowStart(name, start, second)) continue
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
    return treeOf(second.disk)
  }
}

/** The logs in which `log check` finds errors; 'all' when it finds one in what is there for all. */
async function unsoundLogs(tree: Tree): Promise<'all' | ReadonlySet<string>> {
  const disk = await diskWith(tree)
  const inspected = await inspectDirectory(disk, root)
  if (inspected.findings.some(({ severity }) => severity === 'error')) return 'all'
  const unsound = new Set<string>()
  for (const { name, kind } of await disk.list(root)) {
    if (directoryKind(name).kind !== 'log' || kind !== 'directory') continue
    const { findings } = await checkPartition(disk, `${root}/${name}`, inspected)
    if (findings.some(({ severity }) => severity === 'error')) unsound.add(name)
  }
  return unsound
}

/** The log whose directory a path lies in; null for what is there for all of them. */
function logOf(path: string): string | null {
  return /^\/data\/([^/]+-\d+)(\/|$)/.exec(path)?.[1] ?? null
}
