/** `consume -g` against a broker of ours. */

import { Client } from '../../lib/client/client.ts'
import { Coordinators } from '../../lib/client/coordinators.ts'
import { OffsetFetch } from '../../lib/protocol/apis/offset-fetch.ts'
import { assert, suite } from '../support/suite.ts'
import { type Cluster, type Ran, run, type Surroundings, startCluster } from './support/session.ts'

const test = suite('consume -g')
/** A busy machine takes its time for a rebalance. */
const slow = { timeoutMs: 30_000 }

let cluster: Cluster
let client: Client

test.before(async () => {
  cluster = await startCluster('orders:3', 'live:2', 'few:1', 'log-a:1', 'log-b:1')
  client = new Client({ brokers: [cluster.address] })
  const envelopes = Array.from(
    { length: 9 },
    (_, n) => `${JSON.stringify({ partition: n % 3, value: `v${n}` })}\n`,
  )
  await ottla(['produce', 'orders', '--json', '--keep-partition'], { stdin: envelopes.join('') })
  await ottla(['produce', 'few'], { stdin: 'a\nb\nc\nd\n' })
  await ottla(['produce', 'log-a'], { stdin: 'a\n' })
  await ottla(['produce', 'log-b'], { stdin: 'b\n' })
})
test.after(() => {
  client.close()
  return cluster.stop()
})

const ottla = (argv: string[], around: Surroundings = {}): Promise<Ran> =>
  run(argv, { brokers: cluster.address, ...around })

const lines = ({ stdout }: Ran): string[] => stdout.toString().split('\n').filter(Boolean).sort()
const orders = Array.from({ length: 9 }, (_, n) => `v${n}`)

/** What a group has committed, by partition; missing where it has nothing. */
async function committed(group: string, topic: string): Promise<Record<number, number>> {
  const connection = await new Coordinators(client).connectionFor(group)
  const body = { groups: [{ groupId: group, topics: null }] }
  const { groups } = await connection.request(OffsetFetch, body, { timeoutMs: 5000, version: 9 })
  const found: Record<number, number> = {}
  for (const { name, partitions } of groups[0]?.topics ?? []) {
    if (name !== topic) continue
    for (const { partitionIndex, committedOffset } of partitions) {
      if (committedOffset >= 0) found[partitionIndex] = committedOffset
    }
  }
  return found
}

for (const protocol of ['classic', 'consumer']) {
  const x = ['-X', `group.protocol=${protocol}`]
  test(`${protocol}: the group goes on where it was`, async () => {
    const argv = ['consume', '-g', `on-${protocol}`, 'orders', '-e', ...x]
    const first = await ottla(argv)
    assert.is(first.exit, 0, first.stderr)
    assert.is(first.stderr, '')
    assert.equal(lines(first), orders)
    assert.equal(await committed(`on-${protocol}`, 'orders'), { 0: 3, 1: 3, 2: 3 })
    const second = await ottla([...argv, '--fail-empty'])
    assert.equal([second.exit, lines(second)], [1, []])
  })

  test(
    `${protocol}: two members read every record once, and one takes over`,
    async () => {
      const group = `two-${protocol}`
      const stops = [new AbortController(), new AbortController()]
      const read: string[] = []
      const members = stops.map(({ signal }) => {
        const onStdout = (piece: Buffer) => {
          read.push(...piece.toString().split('\n').filter(Boolean))
          return true
        }
        const argv = ['consume', '-g', group, 'live', '-v', '-X', 'heartbeat.interval.ms=100', ...x]
        return ottla(argv, { signal, onStdout })
      })
      const mine = () => read.filter((line) => line.startsWith(protocol))
      const until = async (count: number) => {
        while (mine().length < count) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      const produce = (from: number, to: number) =>
        ottla(['produce', 'live', '--json', '--keep-partition'], {
          stdin: Array.from(
            { length: to - from },
            (_, n) => `${JSON.stringify({ partition: n % 2, value: `${protocol}${from + n}` })}\n`,
          ).join(''),
        })
      await produce(0, 10)
      await until(10)
      stops[0]?.abort('SIGINT')
      assert.is((await members[0])?.exit, 0)
      await produce(10, 20)
      await until(20)
      stops[1]?.abort('SIGINT')
      await members[1]
      assert.is(new Set(mine()).size, 20)
      assert.is(mine().length, 20)
    },
    slow,
  )
}

/** --commit, and what is committed when the run ends as it does. */
for (const [title, flags, expected, rest] of [
  ['auto', ['-n', '2'], { 0: 2 }, ['c', 'd']],
  ['exit', ['-n', '3', '--commit', 'exit'], { 0: 3 }, ['d']],
  ['no', ['-n', '2', '--commit', 'no'], {}, ['a', 'b', 'c', 'd']],
  ['auto in formats', ['-n', '1', '-f', '%o %s\\n'], { 0: 1 }, ['b', 'c', 'd']],
] as const) {
  test(`--commit ${title}: exactly what was written`, async () => {
    const group = `commit ${title}`
    const ran = await ottla(['consume', '-g', group, 'few', ...flags])
    assert.is(ran.exit, 0, ran.stderr)
    assert.equal(await committed(group, 'few'), expected)
    assert.equal(lines(await ottla(['consume', '-g', group, 'few', '-e'])), rest)
  })
}

test('what standard output did not take is not committed', async () => {
  const argv = ['consume', '-g', 'epipe', 'few']
  const ran = await ottla(argv, { onStdout: () => false })
  assert.is(ran.exit, 0, ran.stderr)
  assert.equal(await committed('epipe', 'few'), { 0: 0 })
})

test('an interrupt commits what was written, and leaves: the next member does not wait', async () => {
  const stop = new AbortController()
  const argv = ['consume', '-g', 'interrupt', 'few']
  const ran = await ottla(argv, {
    signal: stop.signal,
    onStdout: () => {
      stop.abort('SIGINT')
      return true
    },
  })
  assert.equal(lines(ran), ['a', 'b', 'c', 'd'])
  assert.equal(await committed('interrupt', 'few'), { 0: 4 })
  const next = await ottla([...argv, '-e'])
  assert.equal([next.exit, lines(next)], [0, []])
})

/** Where a group begins that has committed nothing. */
for (const [flags, expected] of [
  [
    ['-o', 'start'],
    ['a', 'b', 'c', 'd'],
  ],
  [
    ['-o', 'committed'],
    ['a', 'b', 'c', 'd'],
  ],
  [['-o', 'end'], []],
  [['-o', '-1'], ['d']],
  [
    ['-o', '2'],
    ['c', 'd'],
  ],
  [['-X', 'auto.offset.reset=latest'], []],
  [['-o', 'committed', '-X', 'auto.offset.reset=latest'], []],
] as const) {
  test(`a new group with ${flags.join(' ')}`, async () => {
    const group = `new ${flags.join(' ')}`
    assert.equal(lines(await ottla(['consume', '-g', group, 'few', '-e', ...flags])), expected)
    assert.equal(lines(await ottla(['consume', '-g', group, 'few', '-e', '-o', 'start'])), [])
  })
}

test('--idle counts from when there is something to read', async () => {
  const ran = await ottla(['consume', '-g', 'idle', 'few', '--idle', '300ms'])
  assert.equal([ran.exit, lines(ran)], [0, ['a', 'b', 'c', 'd']])
})

test('patterns and several topics', async () => {
  const ran = await ottla(['consume', '-g', 'logs', '/log-.*/', 'few', '-e'])
  assert.equal(lines(ran), ['a', 'a', 'b', 'b', 'c', 'd'])
})

test('a static member does not leave', async () => {
  const argv = ['consume', '-g', 'static', 'few', '-e', '-X', 'group.instance.id=one']
  assert.is((await ottla(argv)).exit, 0)
  assert.is((await ottla(argv)).exit, 0)
  const other = ['consume', '-g', 'static', 'few', '-X', 'session.timeout.ms=6000', '-v']
  const stop = new AbortController()
  const waiting = ottla([...other, '--idle', '100ms'], { signal: stop.signal })
  await new Promise((resolve) => setTimeout(resolve, 300))
  stop.abort('SIGTERM')
  assert.not.match((await waiting).stderr, /assigned: few/)
})

for (const [what, argv, exit, message] of [
  ['-p', ['-p', '0'], 2, '-p and -g cannot go together: the group decides\n'],
  ['--tail', ['--tail', '3'], 2, '--tail and -g cannot go together: the group decides\n'],
  ['an end', ['-o', '0:3'], 2, 'an end offset and -g cannot go together: the group decides\n'],
  [
    'offsets of partitions',
    ['-o', '0=1'],
    2,
    'offsets of single partitions and -g cannot go together: the group decides\n',
  ],
  ['--commit', ['--commit', 'often'], 2, 'bad --commit "often": want one of auto, no, exit\n'],
  ['a strategy', ['-X', 'partition.assignment.strategy=best'], 2, 'partition.assignment.strategy'],
  ['a session', ['-X', 'session.timeout.ms=1'], 6, 'invalid session timeout'],
] as [string, string[], number, string][]) {
  test(`refused: ${what}`, async () => {
    const ran = await ottla(['consume', '-g', 'g', 'orders', ...argv])
    assert.is(ran.exit, exit, ran.stderr)
    assert.ok(ran.stderr.includes(message), ran.stderr)
  })
}

test('an unknown topic is 3, no broker is 5', async () => {
  assert.is((await ottla(['consume', '-g', 'g', 'ordres'])).exit, 3)
  assert.is((await run(['consume', '-g', 'g', 'orders'], { brokers: '127.0.0.1:1' })).exit, 5)
})

test('a group of another protocol type or with no assignor in common is refused', async () => {
  const stop = new AbortController()
  const strategy = 'partition.assignment.strategy'
  const first = ottla(['consume', '-g', 'mixed', 'live', '-X', `${strategy}=range`], {
    signal: stop.signal,
  })
  const x = `${strategy}=org.apache.kafka.clients.consumer.RoundRobinAssignor`
  const refused = async (): Promise<Ran> => {
    const ran = await ottla(['consume', '-g', 'mixed', 'live', '--idle', '100ms', '-X', x])
    return ran.exit === 0 ? await refused() : ran
  }
  const ran = await refused()
  assert.is(ran.exit, 6)
  assert.match(ran.stderr, /inconsistent group protocol/)
  stop.abort('SIGINT')
  await first
})
