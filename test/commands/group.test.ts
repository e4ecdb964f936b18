/** The group commands against a broker of ours: columns, plans and what becomes of them, exit codes. */

import { MemoryDisk } from '../../lib/io/memory/disk.ts'
import { assert, suite } from '../support/suite.ts'
import { checkedJson } from './support/fake-lag.ts'
import { joinGroup, type Member } from './support/member.ts'
import { type Cluster, run, type Surroundings, startCluster } from './support/session.ts'

const test = suite('group')
let cluster: Cluster | undefined

test.before(async () => {
  cluster = await startCluster('orders:2', 'logs:1')
  await plain('produce orders -p 0 -q', { stdin: numbers(100) })
  await plain('produce orders -p 1 -q', { stdin: numbers(10) })
  await plain('topic trim orders -p 1 --to 4 --execute')
})
test.after(async () => {
  await cluster?.stop()
})

const numbers = (count: number) => Array.from({ length: count }, (_, at) => `${at}\n`).join('')

/** The exit code, standard output, standard error. */
async function plain(line: string, around: Surroundings = {}): Promise<[number, string, string]> {
  const brokers = cluster?.address ?? ''
  const { exit, stdout, stderr } = await run(line.split(' '), { brokers, ...around })
  return [exit, stdout.toString(), stderr.replaceAll(brokers, 'BROKER')]
}

/** Rows without their header, of a command that ends with 0. */
async function rows(line: string, around: Surroundings = {}): Promise<string[]> {
  const [exit, stdout, stderr] = await plain(`${line} --no-header`, around)
  assert.is(exit, 0, `${line}: ${stderr}`)
  return stdout.trim().split('\n')
}

async function json<T>(line: string, around: Surroundings = {}): Promise<T> {
  const [exit, stdout, stderr] = await plain(`${line} --json`, around)
  assert.is(exit, 0, `${line}: ${stderr}`)
  return checkedJson<T>(stdout)
}

/** A group that has committed 90 of 0-100, and 6 of 4-10. */
async function commit(group: string): Promise<void> {
  await rows(`group reset ${group} --topic orders:0 --to 90 --allow-new --execute`)
  await rows(`group reset ${group} --topic orders:1 --to 6 --execute`)
}

const dry = 'ottla group reset: dry run, nothing changed; add --execute\n'

// orders[0]: 0-100, committed 90; orders[1]: 4-10, committed 6
const targets: [target: string, first: string, second: string][] = [
  ['--to start', '0\t-90\t-', '4\t-2\t-'],
  ['--to beginning', '0\t-90\t-', '4\t-2\t-'],
  ['--to-earliest', '0\t-90\t-', '4\t-2\t-'],
  ['--to end', '100\t10\t-', '10\t4\t-'],
  ['--to latest', '100\t10\t-', '10\t4\t-'],
  ['--to-latest', '100\t10\t-', '10\t4\t-'],
  ['--to current', '90\t0\t-', '6\t0\t-'],
  ['--to-current', '90\t0\t-', '6\t0\t-'],
  ['--to 8', '8\t-82\t-', '8\t2\t-'],
  ['--to-offset 8', '8\t-82\t-', '8\t2\t-'],
  ['--to 500', '100\t10\tclamped', '10\t4\tclamped'],
  ['--to 0', '0\t-90\t-', '4\t-2\tclamped'],
  ['--to +2', '92\t2\t-', '8\t2\t-'],
  ['--to=-1', '89\t-1\t-', '5\t-1\t-'],
  ['--shift-by=-100', '0\t-90\tclamped', '4\t-2\tclamped'],
  ['--shift-by 100', '100\t10\tclamped', '10\t4\tclamped'],
  ['--to @2020-01-01', '0\t-90\t-', '4\t-2\t-'],
  ['--to @-1h', '0\t-90\t-', '4\t-2\t-'],
  ['--to-datetime 2020-01-01T00:00:00.000', '0\t-90\t-', '4\t-2\t-'],
  ['--by-duration P1DT1H', '0\t-90\t-', '4\t-2\t-'],
  ['--by-duration 1h', '0\t-90\t-', '4\t-2\t-'],
  ['--to @2099-01-01', '100\t10\tno record then or later', '10\t4\tno record then or later'],
  ['--to-datetime 2099-01-01T00:00:00.000+02:00', '100\t10\tno record then or later', '10\t4\tno record then or later'],
] // biome-ignore format: a table

for (const [target, first, second] of targets) {
  test(`group reset ${target}`, async () => {
    await commit('g')
    const planned = `orders\t0\t90\t${first}\norders\t1\t6\t${second}\n`
    assert.equal(await plain(`group reset g ${target} --no-header`), [0, planned, dry])
    assert.equal(await plain(`group reset g --all-topics ${target} --dry-run --no-header`), [
      0,
      planned,
      dry,
    ])
    const unchanged = await rows('group reset g --to current')
    assert.equal(unchanged, ['orders\t0\t90\t90\t0\t-', 'orders\t1\t6\t6\t0\t-'])
    assert.equal(await plain(`group reset g ${target} --execute --no-header`), [0, planned, ''])
    const now = await rows('lag g')
    const committed = [first, second].map((row) => row.split('\t')[0])
    assert.equal(
      now.map((row) => row.split('\t')[4]),
      committed,
    )
  })
}

test('a topic: all its partitions, or some; those without a commit too', async () => {
  await rows('group reset some --topic orders:1 --to 5 --allow-new --execute')
  assert.equal(await rows('group reset some --topic orders --to end'), [
    'orders\t0\t-\t100\t-\t-',
    'orders\t1\t5\t10\t5\t-',
  ])
  assert.equal(await rows('group reset some --topic orders:0 --to current'), [
    'orders\t0\t-\t100\t-\tno commit',
  ])
  assert.equal(await rows('group reset some --to start'), ['orders\t1\t5\t4\t-1\t-'])
  assert.equal(await rows('group reset some --topic orders:1 --topic logs --to start'), [
    'logs\t0\t-\t0\t-\t-',
    'orders\t1\t5\t4\t-1\t-',
  ])
  assert.equal(await plain('group reset some --topic orders --to +1'), [
    3,
    '',
    'ottla group reset: no commit to count from for orders[0]; want start, end, N or @TIME there\n',
  ])
})

test('the plan as JSON can be edited and fed back, by file and by pipe', async () => {
  await commit('plan')
  interface Plan {
    readonly kind: string
    readonly group: string
    readonly partitions: { topic: string; partition: number; current: number; new: number | null }[]
  }
  const plan = await json<Plan>('group reset plan --to current')
  assert.equal([plan.kind, plan.group], ['ottla.group-reset/v1', 'plan'])
  await rows('group reset plan --to start --execute')
  const [first, second] = plan.partitions
  if (first === undefined || second === undefined) throw new Error('no partitions')
  first.new = 50
  const edited = JSON.stringify(plan)
  const files = new MemoryDisk()
  await files.mkdir('/here')
  const file = await files.open('/here/plan.json', 'create')
  await file.writeAt([Buffer.from(edited)], 0)
  await file.close()
  const after = ['orders\t0\t0\t50\t50\t-', 'orders\t1\t4\t6\t2\t-']
  assert.equal(await rows('group reset plan --to file=plan.json', { files }), after)
  assert.equal(await rows('group reset plan --from-file plan.json', { files }), after)
  assert.equal(await rows('group reset plan --to file=- --execute', { stdin: edited }), after)
  const half = { stdin: JSON.stringify([{ ...first, new: null }, second]) }
  assert.equal(await rows('group reset plan --to file=-', half), ['orders\t1\t6\t6\t0\t-'])
  const lines = (await rows('group reset plan --to end --format ndjson')).join('\n')
  assert.equal(await rows('group reset plan --to file=-', { stdin: lines }), [
    'orders\t0\t50\t100\t50\t-',
    'orders\t1\t6\t10\t4\t-',
  ])
  const only = await rows('group reset plan --topic orders:1 --to file=-', { stdin: lines })
  assert.equal(only, ['orders\t1\t6\t10\t4\t-'])
})

test("the CSV of Kafka's tool", async () => {
  await commit('csv')
  for (const stdin of [
    '"orders",0,7\n"orders",1,500\n',
    'orders,0,7\r\norders,1,500\r\n',
    '"csv","orders",0,7\n"csv","orders",1,500\n"other","orders",1,4\n',
  ]) {
    assert.equal(await rows('group reset csv --to file=-', { stdin }), [
      'orders\t0\t90\t7\t-83\t-',
      'orders\t1\t6\t10\t4\tclamped',
    ])
  }
})

const badPlans: [stdin: string, message: string][] = [
  ['{"partitions":[{"topic":"orders","partition":0,"new":"7"}]}', '/partitions/0/new must be a whole number from 0, or null'],
  ['{"partitions":[{"topic":"orders","partition":0,"new":-1}]}', '/partitions/0/new must be a whole number from 0, or null'],
  ['{"partitions":[{"topic":"orders","partition":0.5,"new":1}]}', '/partitions/0/partition must be a whole number from 0'],
  ['{"partitions":[{"partition":0,"new":1}]}', '/partitions/0/topic must be a text that is not empty'],
  ['{"partitions":7}', '/partitions must be a list'],
  ['[1]', '/partitions/0 must be an object'],
  ['{"partitions":', ''],
  ['orders,0', 'line 1: want topic,partition,offset'],
  ['orders,0,1\norders,0,2', 'orders[0] stands there twice'],
] // biome-ignore format: a table
for (const [stdin, message] of badPlans) {
  test(`a file that is no plan: ${stdin.slice(0, 50)}`, async () => {
    await commit('bad')
    const [exit, stdout, stderr] = await plain('group reset bad --to file=- --execute', { stdin })
    assert.equal([exit, stdout], [4, ''])
    assert.ok(stderr.startsWith(`ottla group reset: standard input: ${message}`), stderr)
  })
}

test("from another group's place", async () => {
  await commit('from')
  await rows('group reset from --topic orders:0 --to 33 --execute')
  const made = ['orders\t0\t-\t33\t-\t-', 'orders\t1\t-\t6\t-\t-']
  assert.equal(await rows('group reset copy --to group=from --allow-new --execute'), made)
  assert.equal(await rows('group reset copy --topic orders:1 --to group=from'), [
    'orders\t1\t6\t6\t0\t-',
  ])
  assert.is((await plain('group reset copy --to group=nope'))[0], 3)
  const [exit, , stderr] = await plain('group reset copy --topic logs --to group=from')
  assert.equal([exit, stderr], [3, 'ottla group reset: group "from" has no offsets to take over\n'])
})

const refusals: [line: string, exit: number, stderr: string][] = [
  ['group reset', 2, 'no group given\n  usage: ottla group reset GROUP; see --help'],
  ['group reset known', 2, 'no --to given\n  usage: ottla group reset GROUP [--topic T] --to TARGET; see --help'],
  ['group reset known --to start --to-latest', 2, 'more than one --to given\n'],
  ['group reset known --to yesterday', 2, 'bad --to "yesterday": want start, end, current, N, +N, -N, @TIME, group=GROUP or file=FILE, for example @-24h\n'],
  ['group reset known --to 1.5', 2, 'bad --to "1.5": want start'],
  ['group reset known --to group=', 2, 'bad --to "group=": want start'],
  ['group reset known --by-duration PT', 2, 'bad --by-duration "PT": want a duration such as PT1H30M or P1D\n'],
  ['group reset known --to start --topic :0', 2, 'bad --topic ":0": want a topic, or TOPIC:PARTITIONS such as orders:0,3-5\n'],
  ['group reset known --to start --topic orders --all-topics', 2, '--topic and --all-topics exclude each other\n'],
  ['group reset known --to start --dry-run --execute', 2, '--dry-run and --execute exclude each other\n'],
  ['group reset known --to start --topic ordres', 3, 'no such topic "ordres" on BROKER\n  did you mean "orders"?'],
  ['group reset known --to start --topic orders:9', 3, 'topic "orders" has partitions 0-1, not 9\n'],
  ['group reset knwon --to start', 3, 'no such group "knwon"; did you mean "known"?\n'],
  ['group reset fresh --to start --allow-new', 3, 'group "fresh" has committed nothing\n  name the topics: --topic T\n'],
  ['group describe knwon', 3, 'no such group "knwon"; did you mean "known"?\n'],
  ['group describe', 2, 'no group given\n'],
  ['group delete knwon --yes', 3, 'no such group "knwon"; did you mean "known"?\n'],
  ['group delete /zz.*/ --yes', 3, 'no group matches /zz.*/\n'],
  ['group forget known', 2, 'no --topic given\n'],
  ['group forget knwon --topic orders --yes', 3, 'no such group "knwon"; did you mean "known"?\n'],
  ['group forget known --topic logs --yes', 3, 'group "known" has committed nothing for logs\n'],
  ['group list --type new', 2, 'bad --type "new": want one of classic, consumer, share, streams\n'],
] // biome-ignore format: a table
for (const [line, exit, stderr] of refusals) {
  test(`ottla ${line}: ${exit}`, async () => {
    await commit('known')
    const got = await plain(`${line} --no-header`)
    assert.is(got[0], exit, got[2])
    const said = `ottla ${line.split(' ').slice(0, 2).join(' ')}: ${stderr}`
    assert.is(got[2].slice(0, said.length), said)
  })
}

test('a group with members: its offsets are not touched, nor is it', async () => {
  await commit('busy')
  const members: Member[] = []
  const brokers = cluster?.address ?? ''
  members.push(await joinGroup(brokers, { group: 'busy', topics: ['orders'] }))
  try {
    const text = 'busy has 1 active member (c-1 127.0.0.1); stop them first'
    assert.equal(await plain('group reset busy --to start --execute'), [
      6,
      '',
      `ottla group reset: ${text}\n`,
    ])
    const [exit, stdout] = await plain('group reset busy --to start --no-header')
    assert.equal([exit, stdout.split('\n').length], [0, 3])
    assert.equal(await plain('group delete busy --yes --no-header'), [
      6,
      'busy\tNON_EMPTY_GROUP\n',
      'ottla group delete: group "busy": it has members; stop them first\n',
    ])
    assert.equal(await plain('group forget busy --topic orders:0 --yes --no-header'), [
      6,
      'orders\t0\t90\tGROUP_SUBSCRIBED_TO_TOPIC\n',
      'ottla group forget: group "busy", topic "orders": it is being read; stop the members first\n',
    ])
    assert.equal(
      (await rows('lag busy')).map((row) => row.split('\t')[4]),
      ['90', '6'],
    )
    assert.equal(await rows('group list --type consumer'), ['busy\tStable\tconsumer\t1\t1'])
    assert.equal(await rows('group describe busy --members'), [
      'busy\tStable\tAAAAAAAAAAAAAAAAAAAAAQ\t-\tc-1\t127.0.0.1\torders:0,1',
    ])
    const described = await rows('group describe busy')
    assert.ok(described[0]?.endsWith('AAAAAAAAAAAAAAAAAAAAAQ\tc-1\t127.0.0.1\t2'))
    interface Described {
      readonly groups: { type: string; members: { assigned: unknown }[]; partitions: unknown[] }[]
    }
    const { groups } = await json<Described>('group describe busy')
    assert.equal([groups[0]?.type, groups[0]?.partitions.length], ['consumer', 2])
    assert.equal(groups[0]?.members[0]?.assigned, [{ topic: 'orders', partitions: [0, 1] }])
    assert.is((await json<{ groups: { members: number }[] }>('lag busy')).groups[0]?.members, 1)
    assert.match((await rows('lag busy --by member'))[0] ?? '', /\tc-1\t127\.0\.0\.1\t2\t14\t/)
  } finally {
    for (const member of members) await member.leave()
  }
  assert.equal(await rows('group delete busy --yes'), ['busy\tdeleted'])
})

test('listing, forgetting, deleting', async () => {
  await commit('old-a')
  await commit('old-b')
  const listed = await rows('group list --state empty')
  assert.ok(listed.includes('old-a\tEmpty\tclassic\t0\t1'))
  assert.equal(await rows('group list --state Stable'), [''])
  await json('group list')
  await json('group describe /old-.*/')
  assert.equal((await rows('group describe /old-.*/ --offsets')).length, 4)
  assert.equal(await plain('group forget old-a --topic orders:0 --no-header'), [
    2,
    'orders\t0\t90\tplanned\n',
    'ottla group forget: dry run, nothing changed; add --yes\n',
  ])
  assert.equal(await rows('group forget old-a --topic orders:0 --yes'), [
    'orders\t0\t90\tforgotten',
  ])
  assert.equal((await rows('lag old-a')).length, 1)
  await json('group forget old-a --topic orders --yes')
  assert.equal(await plain('group delete /old-.*/ --no-header'), [
    2,
    'old-a\tplanned\nold-b\tplanned\n',
    'ottla group delete: dry run, nothing changed; add --yes\n',
  ])
  const both = await plain('group delete old-b nope --yes --no-header')
  assert.equal(both.slice(0, 2), [7, 'old-b\tdeleted\nnope\tGROUP_ID_NOT_FOUND\n'])
  assert.is((await plain('group describe old-b'))[0], 3)
})

test('nobody there: 5, with nothing on standard output', async () => {
  for (const line of [
    'group list',
    'group describe g',
    'group reset g --to start',
    'group delete g --yes',
    'group forget g --topic t --yes',
  ]) {
    const [exit, stdout, stderr] = await plain(line, { brokers: '127.0.0.1:1' })
    assert.equal([exit, stdout], [5, ''], line)
    assert.match(stderr, /cannot reach 127\.0\.0\.1:1: connection refused/)
  }
})
