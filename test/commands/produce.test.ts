import { MemoryDisk } from '../../lib/io/memory/disk.ts'
import { assert, suite } from '../support/suite.ts'
import {
  type Cluster,
  Pipe,
  type Ran,
  run,
  type Surroundings,
  startCluster,
} from './support/session.ts'

const test = suite('produce')

let cluster: Cluster
let topicCount = 0

test.before(async () => {
  const names = Array.from({ length: 80 }, (_, index) => `t${index}:1`)
  cluster = await startCluster(...names, 'wide:3', 'small:1:max.message.bytes=1000', 'orders:1')
})
test.after(() => cluster.stop())

/** A topic of one partition that no other test has. */
const fresh = () => `t${topicCount++}`

const ottla = (argv: string[], around: Surroundings = {}): Promise<Ran> =>
  run(argv, { brokers: cluster.address, ...around })

const format = '%k|%s|%h\\n'
async function stored(topic: string, print = format): Promise<string> {
  const { exit, stdout, stderr } = await ottla(['consume', topic, '-e', '-Z', '-f', print])
  assert.is(stderr, '')
  assert.is(exit, 0)
  return stdout.toString()
}

const delivered = (count: number, bytes: number, topic: string, more = '') =>
  new RegExp(
    `^${count} record${count === 1 ? '' : 's'} \\(${bytes} B\\) to ${topic} in \\d+\\.\\d s, 0 failed${more}\n$`,
  )

for (const [what, flags, stdin, expected, more] of [
  ['lines', [], 'a\nbb\n', 'NULL|a|\nNULL|bb|\n', ''],
  ['a last line without its end', [], 'a\nb', 'NULL|a|\nNULL|b|\n', ''],
  ['carriage returns are data', [], 'a\r\n', 'NULL|a\r|\n', ''],
  [
    'empty lines are skipped and counted',
    [],
    'a\n\n\nb\n\n',
    'NULL|a|\nNULL|b|\n',
    ', 3 empty lines skipped',
  ],
  ['one empty line', [], '\na', 'NULL|a|\n', ', 1 empty line skipped'],
  ['empty lines are kept', ['--keep-empty'], 'a\n\n', 'NULL|a|\nNULL||\n', ''],
  ['-Z makes empty values null, without -K', ['-Z'], '\nx\n', 'NULL|NULL|\nNULL|x|\n', ''],
  ['-Z with -k is a tombstone', ['-k', 'k', '-Z'], '\n', 'k|NULL|\n', ''],
  ['-K', ['-K:'], 'k:v\nx\n:v\nk:\na:b:c\n', 'k|v|\nNULL|x|\n|v|\nk||\na|b:c|\n', ''],
  ['-K with -Z', ['-K:', '-Z'], ':v\nk:\n', 'NULL|v|\nk|NULL|\n', ''],
  ['-k where -K finds none', ['-K', '=>', '-k', 'd'], 'k=>v\nx\n', 'k|v|\nd|x|\n', ''],
  ['-D of two bytes', ['-D', '\\r\\n'], 'a\r\nb\nc\r\n', 'NULL|a|\nNULL|b\nc|\n', ''],
  ['-D zero', ['-D', '\\0'], 'a\nb\0c', 'NULL|a\nb|\nNULL|c|\n', ''],
  [
    '-H',
    ['-H', 'a=1', '-H', 'b=', '-H', 'c', '-H', 'a=2'],
    'v\n',
    'NULL|v|a=1,b=,c=NULL,a=2\n',
    '',
  ],
  [
    '--null',
    ['--null', 'NIL', '-K:'],
    'NIL:v\nk:NIL\nNIL:NIL\n',
    'NULL|v|\nk|NULL|\nNULL|NULL|\n',
    '',
  ],
  ['--encoding hex', ['--encoding', 'hex', '-K:'], '6b:76\n', 'k|v|\n', ''],
  ['--encoding value=base64', ['--encoding', 'value=base64', '-K:'], 'k:dg==\n', 'k|v|\n', ''],
  [
    '--parse-headers',
    ['--parse-headers', '-K:', '-H', 'z=9'],
    'a:1,b:2\tk:v\n',
    'k|v|a=1,b=2,z=9\n',
    '',
  ],
  ['--whole', ['--whole'], 'a\nb\n', 'NULL|a\nb\n|\n', ''],
  ['-n', ['-n', '2'], 'a\nb\nc\n', 'NULL|a|\nNULL|b|\n', ''],
  ['-n 0', ['-n', '0'], 'a\n', '', ''],
  [
    '--repeat with -n',
    ['--repeat', '-n', '5'],
    'a\nb\n',
    'NULL|a|\nNULL|b|\nNULL|a|\nNULL|b|\nNULL|a|\n',
    '',
  ],
  ['nothing', [], '', '', ''],
  ['each codec: gzip', ['-z', 'gzip'], 'a\nb\n', 'NULL|a|\nNULL|b|\n', ''],
  ['each codec: snappy', ['-z', 'snappy'], 'a\nb\n', 'NULL|a|\nNULL|b|\n', ''],
  ['each codec: lz4', ['-z', 'lz4'], 'a\nb\n', 'NULL|a|\nNULL|b|\n', ''],
  ['each codec: zstd', ['-z', 'zstd'], 'a\nb\n', 'NULL|a|\nNULL|b|\n', ''],
  ['--acks 1', ['--acks', '1'], 'a\n', 'NULL|a|\n', ''],
  ['--no-idempotence', ['--no-idempotence'], 'a\n', 'NULL|a|\n', ''],
] as [string, string[], string, string, string][]) {
  test(what, async () => {
    const topic = fresh()
    const { exit, stdout, stderr } = await ottla(['produce', topic, ...flags], { stdin })
    assert.is(exit, 0, stderr)
    assert.is(stdout.toString(), '')
    assert.ok(/^\d+ records? \(\d+ B\) to t\d+ in \d+\.\d s, 0 failed/.test(stderr), stderr)
    assert.ok(stderr.endsWith(`0 failed${more}\n`), stderr)
    assert.is(await stored(topic), expected)
  })
}

test('the summary, and none under -q', async () => {
  const topic = fresh()
  const { stderr } = await ottla(['produce', topic], { stdin: 'ab\n\nc\n' })
  assert.match(stderr, delivered(2, 3, topic, ', 1 empty line skipped'))
  assert.is((await ottla(['produce', topic, '-q'], { stdin: 'x\n' })).stderr, '')
})

test('nothing: 0 records, exit 0, or 1 with --fail-empty', async () => {
  const topic = fresh()
  const nothing = await ottla(['produce', topic])
  assert.match(nothing.stderr, delivered(0, 0, topic))
  assert.is(nothing.exit, 0)
  assert.is((await ottla(['produce', topic, '--fail-empty'])).exit, 1)
})

test('a terminal is told what is read', async () => {
  const { stderr } = await ottla(['produce', fresh()], { stdin: 'x\n', stdinIsTty: true })
  assert.ok(stderr.startsWith('reading records from the terminal, one per line; Ctrl-D ends\n'))
})

test('files are read like cat, one record each with --file-per-message', async () => {
  const files = new MemoryDisk()
  await write(files, '/here/a.txt', 'a1\na2')
  await write(files, '/here/b.txt', 'b1\n')
  const [lines, whole] = [fresh(), fresh()]
  await ottla(['produce', lines, 'a.txt', '-', '/here/b.txt'], { files, stdin: 'in\n' })
  assert.is(await stored(lines), 'NULL|a1|\nNULL|a2|\nNULL|in|\nNULL|b1|\n')
  const named = ['-k', '%f', '-H', 'file=<%f>', '-H', 'sum=@b.txt']
  await ottla(['produce', whole, '--file-per-message', ...named, 'a.txt', 'b.txt'], { files })
  assert.is(
    await stored(whole),
    'a.txt|a1\na2|file=<a.txt>,sum=b1\n\nb.txt|b1\n|file=<b.txt>,sum=b1\n\n',
  )
})

async function write(files: MemoryDisk, path: string, text: string): Promise<void> {
  await files.mkdir('/here')
  const file = await files.open(path, 'create')
  await file.append([Buffer.from(text)])
  await file.close()
}

test('-T copies what is sent, delimiters included', async () => {
  const { stdout } = await ottla(['produce', fresh(), '-T'], { stdin: 'x\n\ny' })
  assert.is(stdout.toString(), 'x\ny\n')
})

test('--report json and --report FORMAT', async () => {
  const topic = fresh()
  const json = await ottla(['produce', topic, '--report', 'json'], { stdin: 'a\n\nb\n' })
  assert.is(
    json.stdout.toString(),
    `{"topic":"${topic}","partition":0,"offset":0,"line":1}\n{"topic":"${topic}","partition":0,"offset":1,"line":3}\n`,
  )
  const text = await ottla(['produce', topic, '--report', '%t[%p]@%o line %i'], { stdin: 'a\n' })
  assert.is(text.stdout.toString(), `${topic}[0]@2 line 1\n`)
})

test('--report tells of failures, too', async () => {
  const { stdout, exit } = await ottla(['produce', 'small', '--report', 'json'], {
    stdin: 'x'.repeat(2000),
  })
  assert.is(exit, 4)
  const report = JSON.parse(stdout.toString())
  assert.is(report.offset, -1)
  assert.match(report.error, /^MESSAGE_TOO_LARGE: /)
})

test('-p chooses the partition; a key chooses as the Java client does', async () => {
  await ottla(['produce', 'wide', '-p', '2'], { stdin: 'two\n' })
  await ottla(['produce', 'wide', '-K:'], { stdin: 'a:1\nb:2\nc:3\na:4\n' })
  const print = ['-f', '%p %k %s\\n', '-e']
  const read = async (partition: string) =>
    (await ottla(['consume', 'wide', '-p', partition, ...print])).stdout.toString()
  // murmur2: a -> 0, b -> 2, c -> 1 of three partitions, by org.apache.kafka.common.utils.Utils.
  const all = (await read('0')) + (await read('1')) + (await read('2'))
  assert.ok(all.includes('2  two\n'))
  const partitionOf = (line: string) => all.split('\n').find((each) => each.endsWith(line))?.[0]
  assert.is(partitionOf('a 1'), partitionOf('a 4'))
})

test('--timestamp stamps every record', async () => {
  const topic = fresh()
  await ottla(['produce', topic, '--timestamp', '2026-11-20T10:00:00Z'], { stdin: 'a\n' })
  assert.is(await stored(topic, '%d\\n'), '2026-11-20T10:00:00.000Z\n')
})

test('--json: timestamps, keys and headers are kept; partition and topic only on request', async () => {
  const topic = fresh()
  const line =
    '{"topic":"wide","partition":1,"timestamp":"1700000000000","key":"k","value":"v","headers":[{"key":"h","value":null}]}\n'
  await ottla(['produce', topic, '--json'], { stdin: line })
  assert.is(await stored(topic, '%p %T %k %s %h\\n'), '0 1700000000000 k v h=NULL\n')
  const kept = await ottla(
    ['produce', topic, '--json', '--keep-topic', '--keep-partition', '--report', 'json'],
    { stdin: line },
  )
  assert.match(kept.stdout.toString(), /"topic":"wide","partition":1/)
})

test('--rate spreads records over time', async () => {
  const startedMs = performance.now()
  const { exit } = await ottla(['produce', fresh(), '--rate', '50'], { stdin: 'a\n'.repeat(11) })
  assert.is(exit, 0)
  assert.ok(performance.now() - startedMs >= 190)
})

test('a line is consumable while standard input stays open', async () => {
  const topic = fresh()
  const stdin = new Pipe()
  const producing = ottla(['produce', topic], { stdin })
  const consuming = ottla(['consume', topic, '-n', '1'])
  stdin.write('prompt\n')
  assert.is((await consuming).stdout.toString(), 'prompt\n')
  stdin.end()
  assert.is((await producing).exit, 0)
})

test('an interruption ends the reading; what was read is delivered', async () => {
  const topic = fresh()
  const stdin = new Pipe()
  const stop = new AbortController()
  const producing = ottla(['produce', topic, '--linger', '10s'], { stdin, signal: stop.signal })
  stdin.write('one\ntwo\nhalf a li')
  await new Promise((resolve) => setTimeout(resolve, 50))
  stop.abort('SIGINT')
  const { exit, stderr } = await producing
  assert.is(exit, 0, 'the caller makes 130 of it')
  assert.match(stderr, delivered(2, 6, topic))
  assert.is(await stored(topic), 'NULL|one|\nNULL|two|\n')
})

test('memory is bounded: a full buffer stops the reading', async () => {
  const topic = fresh()
  const line = Buffer.from(`${'x'.repeat(999)}\n`)
  let read = 0
  async function* source() {
    for (; read < 2000; read++) yield line
  }
  const around = { stdin: source() }
  const { exit, stderr } = await ottla(['produce', topic, '--buffer', '64k'], around)
  assert.is(exit, 0, stderr)
  assert.match(stderr, /^2000 records \(2\.0 MB\)/)
})

for (const [what, argv, stdin, exit, message] of [
  [
    'no topic',
    ['produce'],
    'x',
    2,
    'no topic given\n  usage: ottla produce TOPIC [FILE...]; see --help\n',
  ],
  [
    'unknown topic',
    ['produce', 'ordres'],
    'x',
    3,
    'no such topic "ordres" on BROKER\n  did you mean "orders"? create it with: ottla topic create ordres\n',
  ],
  [
    'unknown partition',
    ['produce', 'wide', '-p', '9'],
    'x',
    3,
    'topic "wide" has partitions 0-2, not 9\n',
  ],
  [
    'one partition',
    ['produce', 'orders', '-p', '1'],
    'x',
    3,
    'topic "orders" has partition 0, not 1\n',
  ],
  [
    'bad JSON',
    ['produce', 'orders', '--json'],
    '{"value":1}\n',
    4,
    'stdin line 1: /value must be string, null or {"base64"}; got number 1 (1 line rejected, 0 sent)\n',
  ],
  [
    'bad JSON later',
    ['produce', 'orders', '--json'],
    '{"value":"a"}\n\n{"value":"b"}\n{"key":"x"}\n{"value":"c"}\n',
    4,
    'stdin line 4: /value is missing (null makes a tombstone) (1 line rejected, 2 sent)\n',
  ],
  [
    'bad partition in JSON',
    ['produce', 'wide', '--json', '--keep-partition'],
    '{"value":"a","partition":7}\n',
    4,
    'stdin line 1: /partition: topic "wide" has partitions 0-2, not 7 (1 line rejected, 0 sent)\n',
  ],
  [
    'no partition in JSON',
    ['produce', 'wide', '--json', '--keep-partition'],
    '{"value":"a"}\n',
    4,
    'stdin line 1: /partition is missing (--keep-partition) (1 line rejected, 0 sent)\n',
  ],
  [
    'bad hex',
    ['produce', 'orders', '--encoding', 'value=hex'],
    'zz\n',
    4,
    'stdin line 1: the value is not valid hex (1 line rejected, 0 sent)\n',
  ],
  [
    'no headers',
    ['produce', 'orders', '--parse-headers'],
    'ok:1\tv\nnone\n',
    4,
    'stdin line 2: no tab after the headers (--parse-headers) (1 line rejected, 1 sent)\n',
  ],
  [
    'line over the buffer',
    ['produce', 'orders', '--buffer', '2000'],
    `a\n${'x'.repeat(3000)}`,
    4,
    'stdin line 2: longer than 2000 bytes (--buffer) (1 line rejected, 1 sent)\n',
  ],
  [
    'missing file',
    ['produce', 'orders', 'nope.txt'],
    '',
    2,
    'cannot read nope.txt: no such file\n',
  ],
  [
    'missing header file',
    ['produce', 'orders', '-H', 'a=@nope'],
    '',
    2,
    'cannot read nope: no such file\n',
  ],
  [
    'standard input twice',
    ['produce', 'orders', '-', '-'],
    '',
    2,
    'standard input (-) given twice\n',
  ],
  ['empty delimiter', ['produce', 'orders', '-D', ''], '', 2, null],
  [
    'bad escape',
    ['produce', 'orders', '-D', '\\q'],
    '',
    2,
    'bad --delimiter "\\q": want only the escapes \\n \\r \\t \\0 \\\\ \\xNN\n',
  ],
  [
    'bad codec',
    ['produce', 'orders', '-z', 'zip'],
    '',
    2,
    'bad --compression "zip": want one of none, gzip, snappy, lz4, zstd\n',
  ],
  ['bad partition', ['produce', 'orders', '-p', 'foo'], '', 2, null],
  ['bad header', ['produce', 'orders', '-H', '=1'], '', 2, null],
  [
    'bad report',
    ['produce', 'orders', '--report', '%q'],
    '',
    2,
    'bad --report "%q": want none, json, or a format of %t %p %o %i, not %q\n',
  ],
  [
    '--json with -K',
    ['produce', 'orders', '--json', '-K:'],
    '',
    2,
    '--json and -K cannot go together\n',
  ],
  [
    '--keep-topic without --json',
    ['produce', 'orders', '--keep-topic'],
    '',
    2,
    '--keep-topic needs --json\n',
  ],
  [
    '-T with --report',
    ['produce', 'orders', '-T', '--report', 'json'],
    '',
    2,
    '-T and --report cannot go together\n',
  ],
  ['not built', ['produce', 'orders', '--txn'], '', 2, 'no flag "--txn"'],
  ['not built: schema', ['produce', 'orders', '--schema', 's.json'], '', 2, 'no flag "--schema"'],
] as [string, string[], string, number, string | null][]) {
  test(`refused: ${what}`, async () => {
    const ran = await ottla(argv, { stdin, files: new MemoryDisk() })
    assert.is(ran.exit, exit, ran.stderr)
    assert.is(ran.stdout.toString(), '')
    const said = ran.stderr.replaceAll(cluster.address, 'BROKER')
    if (message !== null) assert.ok(said.startsWith(`ottla produce: ${message}`), said)
  })
}

test('a line over max.message.bytes: 4, with its number, after the others are settled', async () => {
  const stdin = `ok\nfine\n${'x'.repeat(2000)}\n`
  const { exit, stderr } = await ottla(['produce', 'small'], { stdin })
  assert.is(exit, 4)
  assert.match(
    stderr,
    /^ottla produce: 2 records to small in \d+\.\d s, 1 failed; first stdin line 3: .*max\.message\.bytes/,
  )
})

test('a broker that goes away: 7 when some were delivered, naming the first line that was not', async () => {
  const lost = await startCluster('t:1')
  const stdin = new Pipe()
  const producing = run(['produce', 't', '--delivery-timeout', '400ms', '--report', '%o'], {
    brokers: lost.address,
    stdin,
    onStdout: () => {
      void lost.stop().then(() => stdin.write('two\nthree\n'))
      return true
    },
  })
  stdin.write('one\n')
  const { exit, stderr, stdout } = await producing
  assert.is(exit, 7)
  assert.match(stderr, /^ottla produce: 1 record to t in \d+\.\d s, 2 failed; first stdin line 2: /)
  assert.is(stdout.toString(), '0\n-1\n-1\n')
})

test('settings by -X hold where no flag is given', async () => {
  const topic = fresh()
  const argv = ['produce', topic, '-X', 'acks=0', '--report', '%o']
  assert.is((await ottla(argv, { stdin: 'a\n' })).stdout.toString(), '-1\n')
  const flags = [...argv, '--acks', 'all']
  assert.is((await ottla(flags, { stdin: 'b\n' })).stdout.toString(), '1\n')
})

test('no broker: 5 with the address, in under a second', async () => {
  const startedMs = performance.now()
  const { exit, stderr } = await run(['produce', 't'], { brokers: '127.0.0.1:1', stdin: 'x' })
  assert.is(exit, 5)
  assert.match(
    stderr,
    /^ottla produce: cannot reach 127\.0\.0\.1:1: connection refused \(2 tries\)/,
  )
  assert.ok(performance.now() - startedMs < 1000)
})

test('records that a topic refuses for their form are named by line and reason, exit 4', async () => {
  const topic = fresh()
  const schema = '{"properties":{"price":{"type":"number"}},"required":["price"]}'
  const set = ['config', 'set', 'topic', topic, `ottla.value.schema=${schema}`]
  assert.is((await ottla(set)).exit, 0)
  const stdin = '{"price":1}\n{"price":"x"}\n{}\n'
  const { exit, stdout, stderr } = await ottla(['produce', topic, '--report', 'json'], { stdin })
  assert.is(exit, 4)
  assert.match(stderr, /0 records .* 3 failed; first stdin line 2: value: \/price must be number/)
  const lines = stdout.toString().trim().split('\n')
  const errors = lines.map((line) => (JSON.parse(line) as { error: string }).error)
  assert.equal(errors, [
    `INVALID_RECORD: ${topic}-0: 2 of 3 records do not fit the schema of ${topic}-0; record 1: value: /price must be number`,
    `INVALID_RECORD: ${topic}-0: value: /price must be number`,
    `INVALID_RECORD: ${topic}-0: value: must have required property 'price'`,
  ])
  assert.is((await ottla(['produce', topic], { stdin: '{"price":1}\n' })).exit, 0)
})

test('a schema that is none is refused with the reason and the place', async () => {
  const topic = fresh()
  const set = ['config', 'set', 'topic', topic, 'ottla.value.schema={"type":"strng"}']
  const { exit, stderr } = await ottla(set)
  assert.is(exit, 6)
  assert.match(
    stderr,
    /ottla\.value\.schema: at \/type: must be equal to one of the allowed values/,
  )
})
