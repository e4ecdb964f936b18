/** `lag` against a cluster in memory: every exit code, every form of its output, waiting and watching. */

import { assert, suite } from '../support/suite.ts'
import { checkedJson, FakeLag } from './support/fake-lag.ts'

const test = suite('lag-command')

// Modules that are loaded when they are needed would take time while the clock in memory runs.
test.before(async () => {
  const fake = await FakeLag.start()
  await fake.run('lag /any/')
})

interface JsonGroup {
  readonly group: string
  readonly lag: number | null
  readonly over: boolean
  readonly seconds: number | null
  readonly partitions: readonly {
    readonly partition: number
    readonly committed: number | null
    readonly logEnd: number | null
    readonly lag: number | null
    readonly effectiveLag: number | null
    readonly flag: string | null
    readonly error: { readonly name: string } | null
  }[]
}

/** billing is 5 behind on orders[0] and 7 on orders[1]; audit has read everything. */
async function world(nodes = 1): Promise<FakeLag> {
  const fake = await FakeLag.start(nodes)
  const [first, second] = fake.cluster.topic('orders', 2)
  if (first === undefined || second === undefined) throw new Error('no partitions')
  fake.write(first, 10, 30)
  fake.write(second, 20, 90)
  fake.groups.add('billing', { committed: { orders: { 0: 5, 1: 13 } } })
  fake.groups.add('audit', { committed: { orders: { 0: 10 } } })
  return fake
}

const billing =
  'billing\tEmpty\torders\t0\t5\t0\t10\t5\t30\t0\t-\nbilling\tEmpty\torders\t1\t13\t0\t20\t7\t90\t0\t-\n'
const audit = 'audit\tEmpty\torders\t0\t10\t0\t10\t0\t0\t0\t-\n'

const cases: [line: string, exit: number, stdout: string, stderr: string][] = [
  ['lag', 0, audit + billing, ''],
  ['lag billing', 0, billing, ''],
  ['lag billing audit', 0, billing + audit, ''],
  ['lag billing billing', 0, billing, ''],
  ['lag /b.*/ audit', 0, billing + audit, ''],
  ['lag /bill/', 3, '', 'no group matches /bill/'],
  ['lag b.*', 3, '', 'no such group "b.*"'],
  ['lag biling', 3, '', 'no such group "biling"; did you mean "billing"?'],
  ['lag biling audit', 3, audit, 'no such group "biling"; did you mean "billing"?'],
  ['lag billing --max 12', 0, billing, ''],
  ['lag billing --max 11', 1, billing, 'billing is 12 behind, limit 11'],
  ['lag --max 11', 1, audit + billing, 'billing is 12 behind, limit 11'],
  ['lag audit --max 0 --max-partition 0 --max-time 0', 0, audit, ''],
  ['lag billing --max-partition 7', 0, billing, ''],
  ['lag billing --max-partition 6', 1, billing, 'billing is 7 behind on orders[1], limit 6'],
  ['lag billing --max-time 91s', 0, billing, ''],
  ['lag billing --max-time 1m', 1, billing, 'billing is 90 s behind on orders[1], limit 60 s'],
  ['lag billing --warn 5', 0, billing, 'billing is 12 behind, warning at 5'],
  ['lag billing --warn 5 --max 9', 1, billing, 'billing is 12 behind, limit 9'],
  ['lag --only-lagging', 0, billing, ''],
  ['lag --by group', 0, 'audit\tEmpty\t0\t1\t0\t0\t0\nbilling\tEmpty\t0\t2\t12\t90\t0\n', ''],
  ['lag billing --by topic', 0, 'billing\tEmpty\torders\t2\t12\t90\t0\n', ''],
  ['lag billing --by member', 0, 'billing\tEmpty\t-\t-\t-\t2\t12\t90\t0\n', ''],
  ['lag --by group --sort lag', 0, 'billing\tEmpty\t0\t2\t12\t90\t0\naudit\tEmpty\t0\t1\t0\t0\t0\n', ''],
  ['lag billing --topic orders', 0, billing, ''],
  ['lag billing --topic /o.*/', 0, billing, ''],
  ['lag billing --topic /x.*/', 0, '', ''],
  ['lag nope --topic orders --max 0', 3, '', 'no such group "nope"'],
  // bad input
  ['lag --max -1', 2, '', 'bad --max "-1": want a whole number from 0'],
  ['lag --max ten', 2, '', 'bad --max "ten": want a whole number from 0'],
  ['lag --max-time soon', 2, '', 'bad --max-time "soon": want a duration such as 500ms, 5s, 2m, 1h or 3d'],
  ['lag --by broker', 2, '', 'bad --by "broker": want one of partition, topic, group, member'],
  ['lag --interval 1ms', 2, '', 'bad --interval "1ms": want a duration from 100ms'],
  ['lag /[/', 2, '', 'bad pattern "/[/"'],
  ['lag billing --wait 9s', 2, '', '--wait needs a limit: --max, --max-partition or --max-time'],
  ['lag --watch --wait 9s --max 1', 2, '', '--watch and --wait exclude each other'],
  ['lag --watch --nagios', 2, '', '--watch and --nagios exclude each other'],
  ['lag --count 1', 2, '', '--count goes with --watch'],
] // biome-ignore format: a table

for (const [line, exit, stdout, stderr] of cases) {
  test(`ottla ${line}: ${exit}`, async () => {
    const got = await (await world()).plain(line)
    assert.equal(got.slice(0, 2), [exit, stdout], got[2])
    const said = stderr === '' ? '' : `ottla lag: ${stderr}`
    assert.is(got[2].slice(0, stderr === '' ? undefined : said.length), said)
  })
}

test('columns of each grouping', async () => {
  const fake = await world()
  for (const [by, header] of [
    ['partition', 'GROUP STATE TOPIC PARTITION COMMITTED START END LAG SECONDS EXPIRED MEMBER'],
    ['topic', 'GROUP STATE TOPIC PARTITIONS LAG SECONDS EXPIRED'],
    ['group', 'GROUP STATE MEMBERS PARTITIONS LAG SECONDS EXPIRED'],
    ['member', 'GROUP STATE MEMBER CLIENT HOST PARTITIONS LAG SECONDS EXPIRED'],
  ] as const) {
    const { stdout } = await fake.run(`lag --by ${by}`)
    assert.is(stdout.toString().split('\n')[0], header.replaceAll(' ', '\t'))
  }
})

test('JSON: groups with their parts; a total for a script', async () => {
  const fake = await world()
  const { stdout, exit } = await fake.run('lag billing --max 3 --json')
  const { groups } = checkedJson<{ groups: JsonGroup[] }>(stdout.toString())
  const [group] = groups
  assert.is(exit, 1)
  assert.equal([group?.group, group?.lag, group?.over, group?.seconds], ['billing', 12, true, 90])
  assert.equal(
    group?.partitions.map(({ partition, committed, logEnd, lag, effectiveLag, flag }) => {
      return [partition, committed, logEnd, lag, effectiveLag, flag]
    }),
    [
      [0, 5, 10, 5, 5, null],
      [1, 13, 20, 7, 7, null],
    ],
  )
  const totals = JSON.parse((await fake.run('lag billing --by group --json')).stdout.toString())
  assert.equal([totals.groups[0].lag, 'partitions' in totals.groups[0]], [12, false])
  const lines = (await fake.run('lag --format ndjson')).stdout.toString().trim().split('\n')
  assert.equal(
    lines.map((line) => JSON.parse(line).group),
    ['audit', 'billing'],
  )
})

test('prom: known names, escaped labels, nothing where nothing is known', async () => {
  const fake = await world()
  fake.groups.add('a "b"\\c\n', { committed: {} })
  fake.write(fake.cluster.single('new'), 3)
  const { stdout, exit } = await fake.run('lag billing --topic orders --topic new --format prom')
  const lines = stdout.toString().split('\n')
  assert.is(exit, 0)
  for (const line of [
    '# TYPE kafka_consumergroup_lag gauge',
    'kafka_consumergroup_lag{consumergroup="billing",topic="orders",partition="1"} 7',
    'kafka_consumergroup_lag_sum{consumergroup="billing",topic="orders"} 12',
    'kafka_consumergroup_members{consumergroup="billing"} 0',
    'kafka_consumergroup_group_lag_seconds{group="billing",topic="orders",partition="0"} 30',
    'ottla_group_uncommitted_partitions{group="billing"} 1',
  ]) {
    assert.ok(
      lines.some((one) => one.startsWith(line.replace(/ 30$/, ' 30'))),
      line,
    )
  }
  assert.not.ok(
    lines.some((line) => line.startsWith('kafka_consumergroup_lag{') && line.includes('"new"')),
  )
  const odd = (await fake.run('lag --format prom')).stdout.toString()
  assert.match(odd, /kafka_consumergroup_members\{consumergroup="a \\"b\\"\\\\c\\n"\} 0/)
})

test('no commit: counted, left out, or a failure', async () => {
  const fake = await world()
  const whole = 'audit\tEmpty\torders\t1\t-\t0\t20\t20\t90\t0\t-\n'
  const line = 'lag audit --topic orders'
  assert.equal(await fake.plain(line), [0, audit + whole, ''])
  assert.equal(await fake.plain(`${line} --max 19`), [
    1,
    audit + whole,
    'ottla lag: audit is 20 behind, limit 19\n',
  ])
  assert.equal(await fake.plain(`${line} --max 0 --uncommitted ignore`), [0, audit, ''])
  assert.equal(await fake.plain(`${line} --uncommitted fail`), [
    1,
    audit + whole,
    'ottla lag: audit has no commit for orders[1]\n',
  ])
})

test('a topic that does not exist', async () => {
  const [exit, stdout, stderr] = await (await world()).plain('lag billing --topic order')
  assert.equal([exit, stdout], [3, ''])
  assert.match(
    stderr,
    /^ottla lag: no such topic "order" on 127\.0\.0\.1:9091\n {2}did you mean "orders"\?/,
  )
})

test('an offset that cannot be read: 5 or 6, never 0 or 1, whatever the rest is like', async () => {
  const unread: [react: 'TOPIC_AUTHORIZATION_FAILED' | 'NOT_LEADER_OR_FOLLOWER', exit: number][] = [
    ['NOT_LEADER_OR_FOLLOWER', 5],
    ['TOPIC_AUTHORIZATION_FAILED', 6],
  ]
  for (const [error, code] of unread) {
    const fake = await world()
    const topic = fake.cluster.topics.get('orders')
    const second = topic?.partitions[1]
    if (second === undefined) throw new Error('no partition')
    if (code === 6 && topic !== undefined) topic.error = error
    else second.leader = -1
    for (const flags of ['', ' --max 1000', ' --max 0', ' --by group', ' --uncommitted ignore']) {
      const [exit, , stderr] = await fake.plain(`lag billing --timeout 1s${flags}`)
      assert.is(exit, code, `${flags}: ${stderr}`)
      assert.match(stderr, /^ottla lag: billing, orders\[\d\]: /)
    }
    const { stdout } = await fake.run('lag billing --timeout 1s --json')
    const { groups } = checkedJson<{ groups: JsonGroup[] }>(stdout.toString())
    assert.is(groups[0]?.lag, null)
    assert.is(groups[0]?.partitions[1]?.lag, null)
    assert.ok(groups[0]?.partitions[1]?.error?.name)
  }
})

test('commits that may not be read, and a coordinator that is away', async () => {
  const fake = await world()
  fake.groups.of('billing').findErrors = [
    'GROUP_AUTHORIZATION_FAILED',
    'GROUP_AUTHORIZATION_FAILED',
  ]
  const [exit, stdout, stderr] = await fake.plain('lag audit billing')
  assert.equal([exit, stdout], [6, audit])
  assert.is(stderr, 'ottla lag: group "billing": group authorization failed\n')
  fake.groups.of('billing').findErrors = Array.from(
    { length: 99 },
    () => 'COORDINATOR_NOT_AVAILABLE',
  )
  assert.is((await fake.plain('lag billing --timeout 1s'))[0], 5)
})

test('a broker that does not list its groups may have had one that is behind', async () => {
  const fake = await world(2)
  await fake.cluster.hideNode(2)
  const [exit, stdout, stderr] = await fake.plain('lag --max 1000 --timeout 1s')
  assert.equal([exit, stdout], [5, audit + billing])
  assert.match(stderr, /^ottla lag: broker 2 did not list its groups: cannot reach 127/)
})

test('--max-time cannot be kept where the first unread record cannot be read', async () => {
  const fake = await world()
  fake.cluster.react = ({ api }) =>
    api === 'Fetch' ? { error: 'TOPIC_AUTHORIZATION_FAILED' } : undefined
  assert.is((await fake.plain('lag billing'))[0], 0)
  const [exit, , stderr] = await fake.plain('lag billing --max-time 1h')
  assert.is(exit, 5)
  assert.match(stderr, /billing, orders\[0\]: the first unread record could not be read/)
})

test('nobody there: 5', async () => {
  const [exit, stdout, stderr] = await (await world()).plain('lag', { brokers: '127.0.0.1:1' })
  assert.equal([exit, stdout], [5, ''])
  assert.match(stderr, /cannot reach 127\.0\.0\.1:1: connection refused/)
})

const values = 'lag=12;;;0 seconds=90s;;;0'
const nagios: [line: string, exit: number, stdout: string][] = [
  ['lag billing', 0, `LAG OK - billing 12 behind | ${values}`],
  ['lag billing --warn 5 --max 100', 1, 'LAG WARNING - billing 12 behind (warn 5) | lag=12;5;100;0 seconds=90s;;;0'],
  ['lag billing --warn 5 --max 10', 2, 'LAG CRITICAL - billing 12 behind (max 10) | lag=12;5;10;0 seconds=90s;;;0'],
  ['lag billing --max-time 1m', 2, 'LAG CRITICAL - billing 90 s behind on orders[1] (max 60 s) | lag=12;;;0 seconds=90s;;60;0'],
  ['lag biling', 3, 'LAG UNKNOWN - no such group "biling"; did you mean "billing"?'],
  ['lag', 0, "LAG OK - billing 12 behind, the most of 2 groups | 'audit lag'=0;;;0 'audit seconds'=0s;;;0 'billing lag'=12;;;0 'billing seconds'=90s;;;0"],
] // biome-ignore format: a table
for (const [line, exit, stdout] of nagios) {
  test(`ottla ${line} --nagios: ${exit}`, async () => {
    assert.equal(await (await world()).plain(`${line} --nagios`), [exit, `${stdout}\n`, ''])
  })
}

test('--nagios: 3 when it cannot tell, 2 all the same when a limit is passed for certain', async () => {
  const fake = await world()
  const silent = await fake.plain('lag --nagios', { brokers: '127.0.0.1:1' })
  assert.equal([silent[0], silent[2]], [3, ''])
  assert.match(silent[1], /^LAG UNKNOWN - cannot reach 127\.0\.0\.1:1/)
  const second = fake.cluster.topics.get('orders')?.partitions[1]
  if (second !== undefined) second.leader = -1
  const [exit, stdout] = await fake.plain('lag billing --nagios --max 100 --timeout 1s')
  assert.is(exit, 3)
  assert.match(stdout, /^LAG UNKNOWN - billing, orders\[1\]: /)
  assert.is((await fake.plain('lag billing --nagios --max 4 --timeout 1s'))[0], 2)
})

test('--wait: 0 as soon as the limits hold, with the last table', async () => {
  const fake = await world()
  fake.cluster.react = ({ api, count }) => {
    if (api === 'OffsetFetch' && count === 3) {
      fake.groups.of('billing').committed.set('orders-0', 10)
      fake.groups.of('billing').committed.set('orders-1', 20)
    }
    return undefined
  }
  const beganMs = fake.cluster.env.clock.monotonicMs()
  const [exit, stdout, stderr] = await fake.plain('lag billing --max 0 --wait 60s --interval 1s')
  assert.equal([exit, stderr], [0, ''])
  assert.is(stdout.split('\n').length, 3)
  assert.match(stdout, /^billing\tEmpty\torders\t0\t10\t0\t10\t0\t0\t0\t-\n/)
  const tookMs = fake.cluster.env.clock.monotonicMs() - beganMs
  assert.ok(tookMs >= 3000 && tookMs < 5000, `${tookMs} ms`)
})

test('--wait: 1 when it runs out, 3 at once for a name that does not exist', async () => {
  const fake = await world()
  const { clock } = fake.cluster.env
  const beganMs = clock.monotonicMs()
  const [exit, stdout, stderr] = await fake.plain('lag billing --max 0 --wait 5s')
  assert.equal([exit, stdout.split('\n').length], [1, 3])
  assert.is(stderr, 'ottla lag: billing is 12 behind, limit 0\n')
  const tookMs = clock.monotonicMs() - beganMs
  assert.ok(tookMs >= 5000 && tookMs < 6000, `${tookMs} ms`)
  const missing = clock.monotonicMs()
  assert.is((await fake.plain('lag biling --max 0 --wait 60s'))[0], 3)
  assert.ok(clock.monotonicMs() - missing < 1000)
})

test('--wait: an outage is waited out; one that lasts is 5', async () => {
  const fake = await world()
  await fake.cluster.stopNode(1)
  fake.cluster.env.clock.timer(4000, () => {
    for (const partition of [0, 1]) {
      fake.groups.of('billing').committed.set(`orders-${partition}`, 20)
    }
    void fake.cluster.startNode(1)
  })
  assert.is((await fake.plain('lag billing --max 0 --wait 60s'))[0], 0)
  await fake.cluster.stopNode(1)
  const [exit, stdout, stderr] = await fake.plain('lag billing --max 0 --wait 5s')
  assert.equal([exit, stdout], [5, ''])
  assert.match(stderr, /cannot reach/)
})

test('--watch: blocks of rows under one header, with rates', async () => {
  const fake = await world()
  fake.groups.of('billing').committed.delete('orders-1')
  fake.cluster.react = ({ api, count }) => {
    const partition = fake.cluster.topics.get('orders')?.partitions[0]
    if (api === 'OffsetFetch' && count > 0 && partition !== undefined) {
      fake.write(partition, 2)
      fake.groups.of('billing').committed.set('orders-0', 5 + count * 4)
    }
    return undefined
  }
  const { exit, stdout } = await fake.run('lag billing --watch --count 3 --interval 2s')
  const lines = stdout.toString().trim().split('\n')
  assert.is(exit, 0)
  assert.is(lines.length, 4)
  assert.match(lines[0] ?? '', /^AT\tGROUP\t.*\tMEMBER\tIN\/S\tOUT\/S\tETA$/)
  assert.match(lines[1] ?? '', /^2026-01-01T[\d:.]+Z\tbilling\t.*\t5\t30\t0\t-\t-\t-\t-$/)
  assert.match(lines[2] ?? '', /\t3\t\d+\t0\t-\t1\t2\t3$/)
  assert.match(lines[3] ?? '', /\t1\t\d+\t0\t-\t1\t2\t1$/)
})

test('--watch --json: one object per look', async () => {
  const fake = await world()
  for (const flag of ['--json', '--format ndjson']) {
    const { stdout } = await fake.run(`lag billing --watch --count 2 ${flag} --max 3`)
    const objects = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.equal(
      objects.map(({ kind, groups }) => [kind, groups.length]),
      [
        ['ottla.lag/v1', 1],
        ['ottla.lag/v1', 1],
      ],
    )
    assert.equal(
      objects.map(({ groups: [group] }) => [group.over, group.eta, group.inPerSecond]),
      [
        [true, null, null],
        [true, 'never', 0],
      ],
    )
    assert.match(objects[0].at, /^2026-01-01T/)
  }
})

test('--watch on a terminal redraws in place', async () => {
  const fake = await world()
  const { stdout } = await fake.run('lag billing --watch --count 2', { stdoutIsTty: true })
  assert.is(stdout.toString().split('\x1b[H\x1b[J').length, 3)
})

test('--watch goes on through an outage, says it once; its last look gives the exit code', async () => {
  const fake = await world()
  fake.cluster.react = ({ api, count }) => {
    if (api === 'OffsetFetch' && count === 1) {
      void fake.cluster.stopNode(1)
      fake.cluster.env.clock.timer(7000, () => void fake.cluster.startNode(1))
      return 'silence'
    }
    return undefined
  }
  const { exit, stderr } = await fake.run('lag billing --watch --count 6 --max 3 --timeout 1s')
  assert.is(exit, 1)
  const told = stderr.split('\n').filter((line) => /cannot reach|lost/.test(line))
  assert.ok(told.length >= 1 && told.length <= 3, stderr)
  assert.match(stderr, /billing is 12 behind, limit 3\n$/)
  const [code] = await fake.plain('lag biling --watch')
  assert.is(code, 3)
})
