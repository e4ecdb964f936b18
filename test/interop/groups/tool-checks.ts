/**
 * kafka-consumer-groups, Kafka's own tool, against ottla and against Apache Kafka in the same state:
 * what it prints must be the same, once ids of members and the like have become words.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApacheKafka } from '../apache-kafka.ts'
import { batch } from '../differential/batches.ts'
import { type Checks, expectThat, pause, until } from '../support/checks.ts'
import { committedOffsets, type GroupBroker } from './broker.ts'
import { type Member, startMember } from './members.ts'

type Both = readonly [kafka: GroupBroker, ottla: GroupBroker]

const partitions = 3
const topic = 'orders'
const other = 'payments'
const hourMs = 3_600_000
/** Records are written at these times, one after the other, in each partition. */
const firstMs = Date.now() - 10 * hourMs

/** A command line of the tool, after the address. `FILE` is a file with offsets. */
interface Row {
  readonly what: string
  readonly args: readonly string[]
  /** Offsets that the group then has, checked in both. */
  readonly committed?: readonly number[]
}

const described = (group: string): Row[] => [
  { what: `describe ${group}`, args: ['--describe', '--group', group] },
  { what: `describe ${group}, offsets`, args: ['--describe', '--offsets', '--group', group] },
  {
    what: `describe ${group}, offsets, verbose`,
    args: ['--describe', '--offsets', '--verbose', '--group', group],
  },
  { what: `describe ${group}, members`, args: ['--describe', '--members', '--group', group] },
  {
    what: `describe ${group}, members, verbose`,
    args: ['--describe', '--members', '--verbose', '--group', group],
  },
  { what: `describe ${group}, state`, args: ['--describe', '--state', '--group', group] },
  {
    what: `describe ${group}, state, verbose`,
    args: ['--describe', '--state', '--verbose', '--group', group],
  },
]

const lists: Row[] = [
  { what: 'list', args: ['--list'] },
  { what: 'list with states', args: ['--list', '--state'] },
  { what: 'list with types', args: ['--list', '--type'] },
  { what: 'list those that are stable', args: ['--list', '--state', 'Stable'] },
  { what: 'list those that are empty', args: ['--list', '--state', 'Empty'] },
  { what: 'list classic ones', args: ['--list', '--type', 'classic'] },
  { what: 'list new ones', args: ['--list', '--type', 'consumer'] },
  { what: 'describe all', args: ['--describe', '--all-groups'] },
  { what: 'describe the state of all', args: ['--describe', '--all-groups', '--state'] },
]

const reset = (what: string, committed: readonly number[], ...mode: string[]): Row[] => [
  {
    what: `reset ${what}, dry run`,
    args: ['--reset-offsets', '--group', 'idle', '--topic', topic, ...mode, '--dry-run'],
    committed: [5, 3, 0],
  },
  {
    what: `reset ${what}`,
    args: ['--reset-offsets', '--group', 'idle', '--topic', topic, ...mode, '--execute'],
    committed,
  },
  {
    what: `reset back after ${what}`,
    args: ['--reset-offsets', '--group', 'idle', '--from-file', 'FILE', '--execute'],
    committed: [5, 3, 0],
  },
]

const time = (afterMs: number) => new Date(firstMs + afterMs).toISOString().replace('Z', '')

const resets: Row[] = [
  ...reset('to earliest', [0, 0, 0], '--to-earliest'),
  ...reset('to latest', [10, 10, 10], '--to-latest'),
  ...reset('to current', [5, 3, 0], '--to-current'),
  ...reset('to an offset', [7, 7, 7], '--to-offset', '7'),
  ...reset('to an offset beyond the end', [10, 10, 10], '--to-offset', '99'),
  ...reset('forward', [7, 5, 2], '--shift-by', '2'),
  ...reset('back, before the start', [2, 0, 0], '--shift-by', '-3'),
  ...reset('to a time', [4, 4, 4], '--to-datetime', time(3.5 * hourMs)),
  ...reset('to a time before all', [0, 0, 0], '--to-datetime', time(-hourMs)),
  ...reset('by duration', [8, 8, 8], '--by-duration', 'PT2H30M'),
  {
    what: 'reset one partition',
    args: [
      '--reset-offsets',
      '--group',
      'idle',
      '--topic',
      `${topic}:1`,
      '--to-latest',
      '--execute',
    ],
    committed: [5, 10, 0],
  },
  {
    what: 'reset from a file',
    args: ['--reset-offsets', '--group', 'idle', '--from-file', 'FILE', '--execute'],
    committed: [5, 3, 0],
  },
  {
    what: 'export',
    args: ['--reset-offsets', '--group', 'idle', '--topic', topic, '--to-current', '--export'],
  },
  {
    what: 'reset all topics',
    args: ['--reset-offsets', '--group', 'idle', '--all-topics', '--to-earliest', '--execute'],
    committed: [0, 0, 0],
  },
  {
    what: 'reset an unknown group',
    args: ['--reset-offsets', '--group', 'fresh', '--topic', topic, '--to-latest', '--execute'],
  },
  {
    what: 'reset an unknown topic',
    args: ['--reset-offsets', '--group', 'idle', '--topic', 'nope', '--to-latest', '--execute'],
  },
  {
    what: 'reset a group with members',
    args: ['--reset-offsets', '--group', 'busy', '--topic', topic, '--to-earliest', '--execute'],
  },
]

const deletions: Row[] = [
  {
    what: 'delete offsets of a group with members',
    args: ['--delete-offsets', '--group', 'busy', '--topic', topic],
  },
  {
    what: 'delete offsets of another topic, group with members',
    args: ['--delete-offsets', '--group', 'busy', '--topic', other],
  },
  {
    what: 'delete offsets of a partition',
    args: ['--delete-offsets', '--group', 'idle', '--topic', `${topic}:0`],
    committed: [-1, 0, 0],
  },
  {
    what: 'delete offsets of a topic',
    args: ['--delete-offsets', '--group', 'idle', '--topic', topic],
    committed: [-1, -1, -1],
  },
  {
    what: 'delete offsets, unknown group',
    args: ['--delete-offsets', '--group', 'nope', '--topic', topic],
  },
  { what: 'delete a group with members', args: ['--delete', '--group', 'busy'] },
  { what: 'delete an unknown group', args: ['--delete', '--group', 'nope'] },
  { what: 'delete', args: ['--delete', '--group', 'idle'] },
  { what: 'delete two', args: ['--delete', '--group', 'fresh', '--group', 'busy'] },
  { what: 'list what is left', args: ['--list', '--state'] },
]

/** Runs every row against both, and compares. */
export async function checkTool(checks: Checks, both: Both, kafka: ApacheKafka): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-groups-'))
  const file = join(folder, 'offsets.csv')
  writeFileSync(file, [5, 3, 0].map((offset, at) => `${topic},${at},${offset}\n`).join(''))
  const members: Member[] = []
  try {
    for (const broker of both) members.push(...(await prepare(broker, kafka)))
    const rows = [
      ...lists,
      ...['busy', 'new', 'idle', 'nope'].flatMap(described),
      ...resets,
      ...deletions,
    ]
    for (const row of rows) {
      await checks.run(`tool: ${row.what}`, () => compare(both, kafka, { row, file }))
    }
  } finally {
    await Promise.all(members.map((member) => member.stop('SIGKILL')))
    rmSync(folder, { recursive: true })
  }
}

/** The groups: one of the old kind with a member, one of the new kind, one without members. */
async function prepare(broker: GroupBroker, kafka: ApacheKafka): Promise<Member[]> {
  const { peer, address } = broker
  for (const name of [topic, other])
    await peer.create(name, { partitions, configs: { 'retention.ms': '-1' } })
  const timestamps = Array.from({ length: 10 }, (_, index) => firstMs + index * hourMs)
  const values = timestamps.map((_, index) => `value ${index}`)
  for (let partition = 0; partition < partitions; partition++) {
    await peer.produce(topic, [batch(values, { timestamps })], partition)
  }
  const offsets = [5, 3, 0].map((offset, at) => `${topic},${at},${offset}\n`).join('')
  const folder = mkdtempSync(join(tmpdir(), 'ottla-groups-'))
  writeFileSync(join(folder, 'idle.csv'), `${offsets}${other},0,0\n`)
  await kafka.tool('kafka-consumer-groups', [
    ...['--bootstrap-server', address, '--reset-offsets', '--group', 'idle'],
    ...['--from-file', join(folder, 'idle.csv'), '--execute'],
  ])
  rmSync(folder, { recursive: true })
  const place = { address, topic, kafka }
  const members = [
    startMember('kcat', 'busy-member', { ...place, group: 'busy' }),
    startMember('java-next', 'new-member', { ...place, group: 'new' }),
  ]
  for (const group of ['busy', 'new']) {
    await until(
      async () => {
        await pause(200)
        const committed = await committedOffsets(peer, group, { topic, partitions })
        return committed.every((offset) => offset === 10)
      },
      `${broker.name}: ${group} has read all`,
      40_000,
    )
  }
  return members
}

async function compare(
  both: Both,
  kafka: ApacheKafka,
  { row, file }: { row: Row; file: string },
): Promise<void> {
  const args = row.args.map((word) => (word === 'FILE' ? file : word))
  const texts = await Promise.all(
    both.map(async ({ address, peer }) => {
      const at = ['--bootstrap-server', address]
      const { code, stdout, stderr } = await kafka.tryTool('kafka-consumer-groups', [
        ...at,
        ...args,
      ])
      const committed = row.committed
        ? await committedOffsets(peer, 'idle', { topic, partitions })
        : []
      return `exit ${code}, committed ${committed}\n${normalised(`${stdout}${stderr}`, address)}`
    }),
  )
  const [want = '', got = ''] = texts
  if (row.committed) {
    const expected = `committed ${row.committed}\n`
    expectThat(want.includes(expected), `Apache Kafka itself: ${expected}, but ${want}`)
  }
  expectThat(got === want, `\n--- Apache Kafka\n${want}\n--- ottla\n${got}`)
}

/**
 * Ids as words, columns one blank apart, and lines in order: neither broker promises one. Errors by
 * their names: each broker has its own words.
 */
function normalised(text: string, address: string): string {
  return text
    .replaceAll(address, 'BROKER')
    .replace(/(\.errors\.\w+Exception): .*/g, '$1')
    .replace(/busy-member-[\w-]{30,}/g, 'MEMBER-ID')
    .replace(/\b[A-Za-z0-9_-]{22}(?=\s|$)/gm, 'MEMBER-ID')
    .replace(/\/127\.0\.0\.1|localhost|127\.0\.0\.1/g, 'HOST')
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '' && !line.startsWith('at '))
    .sort()
    .join('\n')
}
