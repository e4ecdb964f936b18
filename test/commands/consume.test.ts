import { Client } from '../../lib/client/client.ts'
import { Produce } from '../../lib/protocol/apis/produce.ts'
import { batchAt, batchCrc } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { assert, suite } from '../support/suite.ts'
import {
  type Cluster,
  Pipe,
  type Ran,
  run,
  type Surroundings,
  startCluster,
} from './support/session.ts'

const test = suite('consume')

let cluster: Cluster

/** `timed` has a record per minute, from 10:00 to 10:09. */
const minute = (n: number) => Date.UTC(2026, 10, 20, 10, n)

test.before(async () => {
  cluster = await startCluster('orders:3', 'ordinary:1', 'timed:1', 'empty:2', 'live:1', 'odd:1')
  const envelopes = Array.from(
    { length: 9 },
    (_, n) =>
      `${JSON.stringify({ partition: n % 3, timestamp: minute(n), key: `k${n}`, value: `v${n}` })}\n`,
  )
  await ottla(['produce', 'orders', '--json', '--keep-partition'], { stdin: envelopes.join('') })
  await ottla(['produce', 'ordinary'], { stdin: 'a\nb\nc\n' })
  for (let n = 0; n < 10; n++) {
    const argv = ['produce', 'timed', '--timestamp', String(minute(n))]
    await ottla(argv, { stdin: `m${n}\n` })
  }
  await ottla(['produce', 'odd', '--json'], {
    stdin:
      '{"key":null,"value":"\\u001b[2J"}\n{"key":"","value":null}\n{"value":{"base64":"/wA="}}\n',
  })
})
test.after(() => cluster.stop())

const ottla = (argv: string[], around: Surroundings = {}): Promise<Ran> =>
  run(argv, { brokers: cluster.address, ...around })

async function text(argv: string[], around: Surroundings = {}): Promise<string> {
  const { exit, stdout, stderr } = await ottla(argv, around)
  assert.is(stderr, '')
  assert.is(exit, 0)
  return stdout.toString()
}

for (const [flags, expected] of [
  [[], 'a\nb\nc\n'],
  [['-o', 'end'], ''],
  [['-o', '1'], 'b\nc\n'],
  [['-o', '+2'], 'c\n'],
  [['-o', '-1'], 'c\n'],
  [['-o', '-99'], 'a\nb\nc\n'],
  [['-o', '1:2'], 'b\n'],
  [['-o', ':2'], 'a\nb\n'],
  [['-o', '0:99'], 'a\nb\nc\n'],
  [['-o', '1:+1'], 'b\n'],
  [['-o', 'start:-1'], 'a\nb\n'],
  [['-o', '-2:end'], 'b\nc\n'],
  [['-o', '0=1'], 'b\nc\n'],
  [['-n', '2'], 'a\nb\n'],
  [['-c', '1'], 'a\n'],
  [['-n', '0'], ''],
  [['-D', '|'], 'a|b|c|'],
  [['-D', '\\0\\n'], 'a\0\nb\0\nc\0\n'],
  [['-D', ''], 'abc'],
  [['-K', ':'], ':a\n:b\n:c\n'],
  [['-K', ':', '-Z'], 'NULL:a\nNULL:b\nNULL:c\n'],
  [['-K', ':', '--null', '-'], '-:a\n-:b\n-:c\n'],
  [['-f', '%o %s;'], '0 a;1 b;2 c;'],
  [['-f', '%i %L %E %t\\n'], '1 0 3 ordinary\n2 0 3 ordinary\n3 0 3 ordinary\n'],
  [['--decode', 'hex'], '61\n62\n63\n'],
  [['--decode', 'value=base64'], 'YQ==\nYg==\nYw==\n'],
  [['--decode', 'json'], '"a"\n"b"\n"c"\n'],
  [['-f', '%s{hex}'], '616263'],
] as [string[], string][]) {
  test(`consume ordinary -e ${flags.join(' ')}`, async () => {
    assert.is(await text(['consume', 'ordinary', '-e', ...flags]), expected)
  })
}

for (const [offset, expected] of [
  [`@${minute(7)}`, 'm7 m8 m9'],
  [`@${minute(6) + 1}`, 'm7 m8 m9'],
  ['@2026-11-20T10:08:00Z', 'm8 m9'],
  ['@2026-11-20T10:03:00Z:2m', 'm3 m4'],
  ['@2026-11-20T10:03:00Z:2026-11-20T10:04:00Z', 'm3'],
  [`:@${minute(2)}`, 'm0 m1'],
  [`s@${minute(1)},e@${minute(3)}`, 'm1 m2'],
  ['@2030-01-01', ''],
  ['@2026-11-20T10:08:00Z:@2030-01-01', 'm8 m9'],
] as const) {
  test(`by time: ${offset}`, async () => {
    const found = await text(['consume', 'timed', '-e', '-o', offset])
    assert.is(found.trim().split('\n').join(' '), expected)
  })
}

test('a range ends by itself, without -e', async () => {
  assert.is(await text(['consume', 'timed', '-o', '2:4']), 'm2\nm3\n')
  assert.is(await text(['consume', 'timed', '-o', `8:`, '-n', '2']), 'm8\nm9\n')
})

test('kcat gives the ends of a range apart', async () => {
  const flags = ['-o', `s@${minute(1)}`, '-o', `e@${minute(2)}`]
  assert.is(await text(['consume', 'timed', '-e', ...flags]), 'm1\n')
})

test('several partitions, a list of them, and offsets for each', async () => {
  const print = ['-e', '-f', '%p:%o ']
  const sorted = async (flags: string[]) =>
    (await text(['consume', 'orders', ...print, ...flags])).trim().split(' ').sort().join(' ')
  assert.is(await sorted(['-p', '0,2']), '0:0 0:1 0:2 2:0 2:1 2:2')
  assert.is(await sorted(['-p', '1-2', '-o', '-1']), '1:2 2:2')
  assert.is(await sorted(['-o', '0=2,1=1:2']), '0:2 1:1')
  assert.is(await sorted(['-o', '0=2', '-o', 'end']), '0:2')
})

test('several topics and patterns', async () => {
  const topicsOf = async (...operands: string[]) => {
    const found = await text(['consume', ...operands, '-e', '-f', '%t '])
    return [...new Set(found.trim().split(' '))].sort().join(' ')
  }
  assert.is(await topicsOf('ordinary', 'timed'), 'ordinary timed')
  assert.is(await topicsOf('/ord.*/'), 'orders ordinary')
  assert.is(await topicsOf('/ord.*/', 'timed', 'orders'), 'orders ordinary timed')
})

test('--json writes envelopes, --meta and --decode more', async () => {
  const lines = (await text(['consume', 'orders', '-e', '--json', '-p', '1', '-n', '1'])).split(
    '\n',
  )
  assert.is(
    lines[0],
    `{"topic":"orders","partition":1,"offset":0,"timestamp":${minute(1)},"timestampType":"create","headers":[],"key":"k1","value":"v1"}`,
  )
  const more = JSON.parse(
    await text(['consume', 'orders', '-e', '--json', '--meta', '-p1', '-n1', '--decode', 'hex']),
  )
  assert.equal([more.leaderEpoch, more.size, more.keyHex, more.valueHex], [0, 4, '6b31', '7631'])
  assert.is(typeof more.producerId, 'number')
})

test('--format ndjson is --json', async () => {
  const one = await text(['consume', 'ordinary', '-e', '--format', 'ndjson'])
  assert.is(one, await text(['consume', 'ordinary', '-e', '--json']))
})

test('a terminal shows control characters; a pipe and --raw get the bytes', async () => {
  const argv = ['consume', 'odd', '-e', '-n', '1']
  assert.is(await text(argv, { stdoutIsTty: true }), '\\x1b[2J\n')
  assert.is(await text(argv), '\x1b[2J\n')
  assert.is(await text([...argv, '--raw'], { stdoutIsTty: true }), '\x1b[2J\n')
  const json = [...argv, '--json']
  assert.is(await text(json, { stdoutIsTty: true }), await text(json))
})

test('null and empty are told apart', async () => {
  const argv = ['consume', 'odd', '-e', '-o', '0:2']
  assert.is(await text([...argv, '-K', '=', '-Z']), 'NULL=\x1b[2J\n=NULL\n')
  assert.is(await text([...argv, '-f', '%K %S\\n']), '-1 4\n0 -1\n')
})

test('bytes that are no text come out as they are', async () => {
  for (const flags of [
    ['-f', '%s'],
    ['-D', ''],
  ]) {
    const { stdout } = await ottla(['consume', 'odd', '-e', '-o', '2', ...flags])
    assert.equal([...stdout], [255, 0])
  }
})

test('--tail N is the last N over all partitions, by time', async () => {
  const print = ['-f', '%s ']
  assert.is(await text(['consume', 'orders', '--tail', '4', '-e', ...print]), 'v5 v6 v7 v8 ')
  assert.is(
    await text(['consume', 'orders', '--tail', '99', '-e', ...print]),
    'v0 v1 v2 v3 v4 v5 v6 v7 v8 ',
  )
  assert.is(await text(['consume', 'orders', '--tail', '0', '-e', ...print]), '')
  assert.is(await text(['consume', 'orders', '--tail', '2', '-p', '0', '-e', ...print]), 'v3 v6 ')
  assert.is(await text(['tail', 'orders', '-n', '3', '-e', ...print]), 'v6 v7 v8 ')
  assert.is(await text(['tail', 'timed', 'orders', '-n', '3', '-e', ...print]), 'v8 m8 m9 ')
})

test('tail begins with ten and follows', async () => {
  const seen: string[] = []
  const stop = new AbortController()
  const onStdout = (piece: Buffer) => {
    seen.push(...piece.toString().trim().split('\n'))
    if (seen.length === 12) stop.abort('SIGINT')
    return true
  }
  const stdin = Array.from({ length: 15 }, (_, n) => `l${n}\n`).join('')
  await ottla(['produce', 'live'], { stdin })
  const tailing = ottla(['tail', 'live'], { onStdout, signal: stop.signal })
  await until(() => seen.length === 10)
  await ottla(['produce', 'live'], { stdin: 'more\nand more\n' })
  assert.is((await tailing).exit, 0)
  assert.equal(seen, [...Array.from({ length: 10 }, (_, n) => `l${n + 5}`), 'more', 'and more'])
})

/** Looks every turn; the test's deadline is the limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

test('following ends after --idle, after -n, and when the reader goes', async () => {
  assert.is(await text(['consume', 'ordinary', '--idle', '100ms']), 'a\nb\nc\n')
  const stdin = new Pipe()
  const producing = ottla(['produce', 'live'], { stdin })
  const consuming = ottla(['consume', 'live', '-o', 'end', '-n', '2'])
  stdin.write('x\n')
  const tick = setInterval(() => stdin.write('x\n'), 20)
  assert.is((await consuming).stdout.toString(), 'x\nx\n')
  const gone = await ottla(['consume', 'live', '-o', 'end'], { onStdout: () => false })
  assert.is(gone.exit, 0)
  assert.is(gone.stderr, '')
  clearInterval(tick)
  stdin.end()
  await producing
})

test('-e of nothing: exit 0, or 1 with --fail-empty', async () => {
  assert.is(await text(['consume', 'empty', '-e']), '')
  assert.is((await ottla(['consume', 'empty', '-e', '--fail-empty'])).exit, 1)
  assert.is((await ottla(['tail', 'empty', '-e', '--fail-empty'])).exit, 1)
  assert.is((await ottla(['consume', 'ordinary', '-e', '--fail-empty'])).exit, 0)
})

test('-e ends in few round trips', async () => {
  const startedMs = performance.now()
  await text(['consume', 'orders', '-e'])
  assert.ok(performance.now() - startedMs < 400)
})

test('an offset that is not there is said, and the nearest taken', async () => {
  const { stdout, stderr, exit } = await ottla(['consume', 'ordinary', '-e', '-o', '99'])
  assert.is(exit, 0)
  assert.is(stdout.length, 0)
  assert.is(
    stderr,
    'ottla consume: ordinary-0: offset 99 is not there yet, reading from 3, the end\n',
  )
})

for (const [what, argv, exit, message] of [
  ['no topic', ['consume'], 2, 'no topic given\n  usage: ottla consume TOPIC...; see --help\n'],
  [
    'offset',
    ['consume', 'orders', '-o', 'yesterday'],
    2,
    'bad --offset "yesterday": want start, end, committed, N, +N, -N, @TIME or FROM:TO, for example @-24h\n',
  ],
  [
    'committed',
    ['consume', 'orders', '-o', 'committed'],
    2,
    '-o committed needs a group\n  name it: consume -g GROUP TOPIC\n',
  ],
  ['partition', ['consume', 'orders', '-p', '9'], 3, 'topic "orders" has partitions 0-2, not 9\n'],
  [
    'partition of a list',
    ['consume', 'orders', '-o', '7=1'],
    3,
    'topic "orders" has partitions 0-2, not 7\n',
  ],
  [
    'partitions',
    ['consume', 'orders', '-p', 'foo'],
    2,
    'bad --partition "foo": want partitions such as 2 or 0,3-5\n',
  ],
  [
    'topic',
    ['consume', 'ordres', '-e'],
    3,
    'no such topic "ordres" on BROKER\n  did you mean "orders"? create it with: ottla topic create ordres\n',
  ],
  ['pattern', ['consume', '/(/', '-e'], 2, 'bad pattern "/(/": '],
  ['pattern without match', ['consume', '/zzz/', '-e'], 3, 'no topic matches /zzz/\n'],
  [
    'format',
    ['consume', 'orders', '-f', '%q'],
    2,
    'bad --print "%q": want only the tokens %s %v %S %V %R %k %K %T %d %t %p %o %e %i %h %H %L %E %j %%, not %q\n',
  ],
  [
    'escape',
    ['consume', 'orders', '-f', '\\q'],
    2,
    'bad --print "\\q": want only the escapes \\n \\r \\t \\0 \\\\ \\xNN\n',
  ],
  [
    'decode',
    ['consume', 'orders', '--decode', '<iq'],
    2,
    'bad --decode "<iq": want hex, base64, json, or one of them after key= or value=\n',
  ],
  [
    'count',
    ['consume', 'orders', '-n', 'abc'],
    2,
    'bad --count "abc": want a whole number from 0\n',
  ],
  [
    '--json -f',
    ['consume', 'orders', '--json', '-f', '%s'],
    2,
    '--json and -f cannot go together\n',
  ],
  ['--json -Z', ['consume', 'orders', '--json', '-Z'], 2, '--json and -Z cannot go together\n'],
  ['-f -K', ['consume', 'orders', '-f', '%s', '-K:'], 2, '-f and -K cannot go together\n'],
  ['--meta', ['consume', 'orders', '--meta'], 2, '--meta needs --json\n'],
  [
    '--tail -o',
    ['consume', 'orders', '--tail', '3', '-o', 'end'],
    2,
    '--tail and -o cannot go together\n',
  ],
  ['--commit', ['consume', 'orders', '--commit', 'no'], 2, '--commit needs -g GROUP\n'],
  ['--isolation', ['consume', 'orders', '--isolation', 'committed'], 2, 'no flag "--isolation"'],
  ['--filter', ['consume', 'orders', '--filter', 'x'], 2, 'no flag "--filter"'],
  ['--grep', ['consume', 'orders', '--grep', 'x'], 2, 'no flag "--grep"'],
] as [string, string[], number, string][]) {
  test(`refused: ${what}`, async () => {
    const ran = await ottla(argv)
    assert.is(ran.exit, exit, ran.stderr)
    assert.is(ran.stdout.toString(), '')
    const said = ran.stderr.replaceAll(cluster.address, 'BROKER')
    assert.ok(said.startsWith(`ottla consume: ${message}`), said)
  })
}

test('no broker: 5, for consume and tail', async () => {
  for (const name of ['consume', 'tail']) {
    const { exit, stderr } = await run([name, 'orders'], { brokers: '127.0.0.1:1' })
    assert.is(exit, 5)
    assert.match(
      stderr,
      new RegExp(`^ottla ${name}: cannot reach 127\\.0\\.0\\.1:1: connection refused`),
    )
  }
})

test('a batch that is bad inside: what came before it, then where, and how to go on', async () => {
  const { broker } = await spoilt()
  const { exit, stdout, stderr } = await run(['consume', 'spoilt', '-e'], { brokers: broker })
  assert.is(exit, 4)
  assert.is(stdout.toString(), 'before\n')
  assert.match(
    stderr,
    /^ottla consume: spoilt-0: the batch at offset 1 cannot be read: corrupt gzip/,
  )
  assert.match(stderr, /go on behind it: -p 0 -o 2/)
  const rest = await run(['consume', 'spoilt', '-e', '-p', '0', '-o', '2'], { brokers: broker })
  assert.is(rest.stdout.toString(), 'after\n')
})

/** A topic with a batch in the middle that says gzip and is none. */
async function spoilt(): Promise<{ broker: string }> {
  await ottla(['topic', 'create', 'spoilt'])
  await ottla(['produce', 'spoilt'], { stdin: 'before\n' })
  const builder = new BatchBuilder({ codec: 'none' })
  builder.append(0, null, Buffer.from('bad'), [])
  const bytes = Buffer.from(builder.build({}))
  bytes.writeInt16BE(1, 21)
  bytes.writeUInt32BE(batchCrc(batchAt(bytes)), 17)
  const client = new Client({ brokers: [cluster.address] })
  const partitionData = [{ index: 0, records: [bytes] }]
  const { topicId } = await client.topic('spoilt')
  const answer = await client.request(Produce, () => ({
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: 'spoilt', topicId: topicId ?? undefined, partitionData }],
  }))
  assert.is(answer.responses[0]?.partitionResponses[0]?.errorCode, 0)
  client.close()
  await ottla(['produce', 'spoilt'], { stdin: 'after\n' })
  return { broker: cluster.address }
}
