/**
 * `npm run interop:diff`: the same requests to ottla and to Apache Kafka, and every field of their
 * answers compared, in every version that both serve. What differs fails, unless the row says why it
 * may. Arguments name the rows to run. Ends with `N passed, N failed, N skipped`.
 */

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apacheKafka } from './apache-kafka.ts'
import { sections } from './differential/cases.ts'
import { type Difference, differences, normalised } from './differential/compare.ts'
import { Peer } from './differential/peer.ts'
import { type Accepted, type At, everywhere, type Row, type Section } from './differential/row.ts'
import { start } from './process.ts'

interface Target {
  readonly peer: Peer
  close(): Promise<void>
}

type Peers = readonly [kafka: Peer, ottla: Peer]

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const count = { passed: 0, failed: 0, skipped: 0 }
/** How often each accepted difference was seen, by its reason. */
const seen = new Map<string, number>()

async function startOttla(): Promise<Target> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-diff-'))
  // Built beside this file, or the product.
  const built = join(import.meta.dirname, '../cli/ottla.mjs')
  const program = existsSync(built) ? built : 'dist/ottla.mjs'
  const settings = [
    ...['-c', 'ottla.durability=replicated', '-c', 'group.initial.rebalance.delay.ms=0'],
  ]
  const { value, stop } = await start(
    [
      process.execPath,
      program,
      'broker',
      'start',
      '--listen',
      '127.0.0.1:0',
      '--data',
      data,
      ...settings,
    ],
    (line) => /^BROKERS=(.+)$/.exec(line)?.[1],
  )
  return {
    peer: await Peer.connect('ottla', value),
    close: async () => {
      await stop()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

async function startKafka(): Promise<Target | string> {
  const kafka = await apacheKafka()
  if (typeof kafka === 'string') return kafka
  // Kafka 4.3 gives new assignments at most once a second, and computes them later (KIP-1263).
  const broker = await kafka.startBroker({
    'group.consumer.assignment.interval.ms': '0',
    'group.consumer.assignor.offload.enable': 'false',
  })
  return {
    peer: await Peer.connect('kafka', broker.address),
    close: async () => {
      await broker.stop()
      broker.remove()
    },
  }
}

function isWanted(section: Section, row: Row): boolean {
  const text = `${section.name} ${row.api.name} ${row.name}`
  return wanted.length === 0 || wanted.some((part) => text.includes(part))
}

/** The versions in which both brokers serve the API, and the row asks. */
function versionsOf({ api, versions }: Row, peers: Peers): number[] {
  let [min, max] = versions
  for (const { ranges } of peers) {
    const [from, to] = ranges.get(api.key) ?? [1, 0]
    min = Math.max(min, from)
    max = Math.min(max, to)
  }
  return Array.from({ length: Math.max(max - min + 1, 0) }, (_, at) => min + at)
}

async function answerOf(row: Row, at: At): Promise<unknown> {
  const { peer } = at
  try {
    const answer = await row.run(at)
    await peer.learnTopics()
    return normalised(answer, peer)
  } catch (error) {
    return { threw: error instanceof Error ? error.stack : String(error) }
  }
}

function isAccepted(accepted: readonly Accepted[], difference: Difference, version: number) {
  const found = [...everywhere, ...accepted].find(({ is }) => is(difference, { version }))
  if (found) seen.set(found.reason, (seen.get(found.reason) ?? 0) + 1)
  return found !== undefined
}

async function runRow(section: Section, row: Row, peers: Peers): Promise<void> {
  const versions = versionsOf(row, peers)
  if (versions.length === 0) throw new Error(`${row.api.name}, ${row.name}: no version to ask in`)
  /** Versions by the places that differ, with the first version's values. */
  const failures = new Map<string, { text: string; versions: number[] }>()
  for (const version of versions) {
    const rowTopic = `${section.name}.${section.rows.indexOf(row)}`
    const topic = `${rowTopic}-v${version}`
    const [kafka, ottla] = await Promise.all(
      peers.map((peer) => answerOf(row, { peer, version, topic, rowTopic })),
    )
    const left = differences(kafka, ottla).filter(
      (difference) => !isAccepted(row.accepted, difference, version),
    )
    const threw = JSON.stringify(kafka)?.startsWith('{"threw"') ? [{ path: '', kafka, ottla }] : []
    if (left.length + threw.length === 0) {
      count.passed++
      continue
    }
    count.failed++
    const all = [...left, ...threw].slice(0, 12)
    const text = all
      .map((one) => `    ${one.path}: kafka ${show(one.kafka)}, ottla ${show(one.ottla)}`)
      .join('\n')
    const places = all.map(({ path }) => path).join()
    const failure = failures.get(places) ?? { text, versions: [] }
    failure.versions.push(version)
    failures.set(places, failure)
  }
  const title = `${row.api.name.padEnd(24)} ${row.name}`
  if (failures.size === 0) console.log(`ok   ${title} (${versions.length} versions)`)
  for (const { text, versions: failed } of failures.values()) {
    console.log(`FAIL ${title} (v${failed})\n${text}`)
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 700 ? `${text.slice(0, 700)}...` : text
}

async function runSections(peers: Peers): Promise<void> {
  for (const section of sections) {
    const rows = section.rows.filter((row) => isWanted(section, row))
    if (rows.length === 0) continue
    console.log(`-- ${section.name}`)
    await Promise.all(peers.map((peer) => section.prepare(peer)))
    for (const row of rows) await runRow(section, row, peers)
  }
  console.log('-- accepted differences')
  for (const [reason, times] of seen) console.log(`${String(times).padStart(5)} ${reason}`)
}

const targets: Target[] = []
try {
  const kafka = await startKafka()
  if (typeof kafka === 'string') {
    console.log(`skipped: ${kafka}`)
    count.skipped = sections.reduce((sum, { rows }) => sum + rows.length, 0)
  } else {
    targets.push(kafka)
    const ottla = await startOttla()
    targets.push(ottla)
    await runSections([kafka.peer, ottla.peer])
  }
} finally {
  for (const { peer, close } of targets) {
    peer.close()
    await close()
  }
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
process.exitCode = count.failed > 0 ? 1 : 0
