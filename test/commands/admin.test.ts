/** Topic, config and cluster commands against a broker of ours: columns, JSON, exit codes, texts. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import {
  type Finished,
  hasPython,
  onTerminal,
  ottla,
  type Peer,
  startBroker,
  temporaryFolder,
} from '../cli/process.ts'
import { assert, suite } from '../support/suite.ts'
import { schemas } from './schemas.ts'

const test = suite('admin')
const folder = temporaryFolder()
const ajv = new Ajv({ allowUnionTypes: true, strict: true })
let broker: Peer | undefined

test.before(async () => {
  broker = await startBroker('--topic', 'orders:3')
})
test.after(async () => {
  await broker?.close()
  folder.remove()
})

/** `ottla LINE` against the broker; words are separated by blanks. */
function run(line: string, stdin = ''): Promise<Finished> {
  const variables = { OTTLA_BROKERS: broker?.address ?? '' }
  return ottla(line.split(' '), { variables, stdin })
}

async function expect(line: string, code: number, stdout: string, stderr = ''): Promise<void> {
  const got = await run(line)
  const shown = got.stderr.replaceAll(broker?.address ?? '', 'BROKER')
  assert.equal([got.code, got.stdout, shown], [code, stdout, stderr], line)
}

/** Standard output under --json, checked against the schema of its kind. */
async function json(line: string): Promise<Record<string, never>> {
  const { code, stdout, stderr } = await run(`${line} --json`)
  assert.is(code, 0, `${line}: ${stderr}`)
  const value = JSON.parse(stdout)
  const kind = String(value.kind).replace(/^ottla\.|\/v1$/g, '')
  const schema = schemas[kind]
  assert.ok(schema !== undefined, `a schema of ${kind}`)
  if (schema !== undefined) {
    const validate = ajv.compile(schema)
    assert.ok(validate(value), `${line}: ${ajv.errorsText(validate.errors)}`)
  }
  return value
}

test('a topic from its creation to its end', async () => {
  const status = 'TOPIC\tPARTITIONS\tREPLICAS\tSTATUS\n'
  await expect('topic exists a', 1, '')
  await expect('topic create a -p 2 --dry-run', 0, `${status}a\t2\t1\tvalid\n`)
  await expect('topic exists a', 1, '')
  await expect('topic create a -p 2 -c retention.ms=1000', 0, `${status}a\t2\t1\tcreated\n`)
  await expect('topic exists a', 0, '')
  await expect('topic create a --if-not-exists', 0, `${status}a\t2\t1\texists\n`)
  const again = await run('topic create a')
  assert.equal([again.code, again.stdout], [6, `${status}a\t-\t-\tTOPIC_ALREADY_EXISTS\n`])
  const partly = await run('topic create a b')
  assert.equal(
    [partly.code, partly.stdout],
    [7, `${status}a\t-\t-\tTOPIC_ALREADY_EXISTS\nb\t1\t1\tcreated\n`],
  )
  await expect('topic list', 0, 'TOPIC\tPARTITIONS\tREPLICAS\na\t2\t1\nb\t1\t1\norders\t3\t1\n')
  await expect('topic list /[ab]/ --no-header', 0, 'a\t2\t1\nb\t1\t1\n')
  await expect('topic list -r or.* --no-header', 0, 'orders\t3\t1\n')
  await expect('topic list or.* --no-header', 0, '')
  await expect(
    'topic describe a',
    0,
    'PARTITION\tLEADER\tEPOCH\tREPLICAS\tISR\tOFFLINE\tSTART\tEND\tSIZE\n' +
      '0\t1\t0\t1\t1\t-\t0\t0\t-\n1\t1\t0\t1\t1\t-\t0\t0\t-\n',
  )
  await expect('topic grow a 3', 0, 'PARTITION\tOLD\tNEW\n0\t1\t1\n1\t1\t1\n2\t-\t1\n')
  const shrunk = await run('topic grow a 2')
  assert.equal([shrunk.code, shrunk.stdout], [6, ''])
  await expect(
    'topic delete a',
    2,
    'TOPIC\tSTATUS\na\tplanned\n',
    'ottla topic delete: dry run, nothing changed; add --yes\n',
  )
  await expect('topic delete /[ab]/ --yes', 0, 'TOPIC\tSTATUS\na\tdeleted\nb\tdeleted\n')
  await expect('topic delete a --yes --if-exists', 0, 'TOPIC\tSTATUS\na\tabsent\n')
})

test('a topic that is not there: 3, with the nearest name', async () => {
  const hint =
    'no such topic "ordres" on BROKER\n  did you mean "orders"? create it with: ottla topic create ordres\n'
  const cases: [string, string][] = [
    ['topic describe ordres', ''],
    ['topic offsets ordres', ''],
    ['topic grow ordres 9', ''],
    ['topic trim ordres --to end --execute', ''],
    ['topic delete ordres --yes', 'TOPIC\tSTATUS\nordres\tUNKNOWN_TOPIC_OR_PARTITION\n'],
    ['config get topic ordres', ''],
    ['config set topic ordres retention.ms=1', ''],
    ['config unset topic ordres retention.ms', ''],
  ]
  for (const [line, stdout] of cases) {
    await expect(line, 3, stdout, `ottla ${line.split(' ').slice(0, 2).join(' ')}: ${hint}`)
  }
  const { code, stderr } = await run('topic offsets ordres --json')
  assert.is(code, 3)
  const { error } = JSON.parse(stderr)
  assert.equal([error.exit, error.name, error.topic], [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'ordres'])
})

test('offsets, by time too, and trimming', async () => {
  await run('topic create t -p 2')
  await run('produce t -p 0', 'a\nb\nc\n')
  await expect('topic offsets t', 0, 'PARTITION\tSTART\tEND\n0\t0\t3\n1\t0\t0\n')
  await expect(
    'topic offsets t --at @-1h',
    0,
    'PARTITION\tSTART\tEND\tAT\n0\t0\t3\t0\n1\t0\t0\t-\n',
  )
  await expect('topic offsets t --at now -p 0', 0, 'PARTITION\tSTART\tEND\tAT\n0\t0\t3\t-\n')
  await expect(
    'topic offsets t -p 9',
    3,
    '',
    'ottla topic offsets: topic "t" has partitions 0-1, not 9\n',
  )
  const plan = 'PARTITION\tOLD\tNEW\n0\t0\t2\n1\t0\t0\n'
  const dry = 'ottla topic trim: dry run, nothing changed; add --execute\n'
  await expect('topic trim t --to 2', 2, plan, dry)
  await expect('topic offsets t -p 0 --no-header', 0, '0\t0\t3\n')
  await expect('topic trim t --to 2 --execute', 0, plan)
  await expect('topic offsets t -p 0 --no-header', 0, '0\t2\t3\n')
  await expect('topic trim t --to 1 --execute -p 0', 0, 'PARTITION\tOLD\tNEW\n0\t2\t2\n')
  const beyond = await run('topic trim t --to 99 --execute')
  assert.equal([beyond.code, beyond.stdout], [2, ''])
  await expect('topic trim t --to @-1h -p 0 --execute --no-header', 0, '0\t2\t2\n')
  await expect('topic trim t --to end --execute --no-header', 0, '0\t2\t3\n1\t0\t0\n')
})

test('settings of topics and brokers', async () => {
  const title = 'KEY\tVALUE\tSOURCE\n'
  await run('topic create c')
  await expect('config get topic c', 0, title)
  await expect('config get topic c cleanup.policy', 0, `${title}cleanup.policy\tdelete\tdefault\n`)
  const set = `${title}retention.ms\t1000\ttopic\n`
  await expect(
    'config set topic c retention.ms=1000 --dry-run',
    0,
    set,
    'dry run, nothing changed; leave out --dry-run\n',
  )
  await expect('config get topic c', 0, title)
  await expect('config set topic c retention.ms=1000', 0, set)
  await expect('config get topic c', 0, set)
  await expect('config unset topic c retention.ms', 0, `${title}retention.ms\t604800000\tdefault\n`)
  await expect('config get topic c', 0, title)
  const unknown = await run('config get topic c retention.mss')
  assert.is(unknown.code, 3)
  assert.ok(unknown.stderr.includes('did you mean "retention.ms"?'), unknown.stderr)
  assert.is((await run('config set topic c retention.ms=soon')).code, 6)
  assert.is((await run('config set topic c no.such=1')).code, 6)
  await expect('config get broker 9', 3, '', 'ottla config get: no broker 9; there are 1\n')
  const broker1 = await run('config get broker 1 --all --no-header')
  assert.ok(broker1.stdout.split('\n').length > 20)
})

test('topics from a file: what describe prints, a list, or one', async () => {
  const path = join(folder.path, 'topics.json')
  await run('topic create source -p 4 -c retention.ms=7')
  const described = await run('topic describe source --configs --json')
  writeFileSync(path, described.stdout.replaceAll('"source"', '"copy"'))
  const copied = await run(`topic create --from ${path}`)
  assert.equal([copied.code, copied.stdout.split('\n')[1]], [0, 'copy\t4\t1\tcreated'])
  await expect('config get topic copy --no-header', 0, 'retention.ms\t7\ttopic\n')
  const list = await run(
    'topic create --from - -p 2',
    '[{"topic":"l1"},{"topic":"l2","partitions":3}]',
  )
  assert.is(
    list.stdout,
    'TOPIC\tPARTITIONS\tREPLICAS\tSTATUS\nl1\t2\t1\tcreated\nl2\t3\t1\tcreated\n',
  )
  for (const text of ['', '{', '{}', '[{"topic":5}]', '{"topic":"x","configs":[]}']) {
    const { code, stdout } = await run('topic create --from -', text)
    assert.equal([code, stdout], [4, ''], text)
  }
})

test('the cluster, and waits for it', async () => {
  const info = await run('cluster info')
  assert.ok(
    /^BROKER\tHOST\tPORT\tRACK\tROLE\n1\t127.0.0.1\t\d+\t-\tcontroller\n$/.test(info.stdout),
  )
  await expect('cluster wait', 0, '')
  await expect('cluster wait --for healthy --for topic=orders --for brokers=1', 0, '')
  await expect(
    'cluster wait --for brokers=2 --timeout 300ms',
    1,
    '',
    'ottla cluster wait: timed out: 1 of 2 brokers are there\n',
  )
  const absent = await run('cluster wait --for topic=nope --timeout 300ms')
  assert.is(absent.code, 1)
  const apis = await run('api-versions --broker 1')
  assert.ok(apis.stdout.startsWith('BROKER\tAPI\tKEY\tMIN\tMAX\n1\tProduce\t0\t0\t'), apis.stdout)
  await expect('api-versions --broker 9', 3, '', 'ottla api-versions: no broker 9; there are 1\n')
})

test('standard output under --json follows its schema', async () => {
  await json('topic create j1 j2 -p 2')
  for (const line of [
    'topic list',
    'topic list --internal --size',
    'topic describe j1 j2 --configs',
    'topic describe j1 --health',
    'topic offsets j1 --at @-1h',
    'topic grow j1 3',
    'topic trim j1 --to end --execute',
    'config set topic j1 retention.ms=1',
    'config get topic j1',
    'config get broker 1 --all',
    'config unset topic j1 retention.ms',
    'topic delete j1 j2 --yes',
    'cluster info',
    'api-versions',
    'help',
  ]) {
    await json(line)
  }
})

const onPty = 'deleting on a terminal asks for the name to be typed'
if (hasPython) {
  test(onPty, async () => {
    const variables = { OTTLA_BROKERS: broker?.address ?? '', NO_COLOR: '1' }
    await run('topic create d1')
    const size = { rows: 24, columns: 80, variables }
    const wrong = await onTerminal(['topic', 'delete', 'd1'], { ...size, typed: 'd2\n' })
    assert.is(wrong.code, 2)
    assert.ok(wrong.stdout.includes('type the name to delete "d1": '), wrong.stdout)
    assert.ok(wrong.stdout.includes('"d2" is not "d1": nothing was changed'), wrong.stdout)
    await expect('topic exists d1', 0, '')
    const right = await onTerminal(['topic', 'delete', 'd1'], { ...size, typed: 'd1\n' })
    assert.is(right.code, 0, right.stdout)
    assert.ok(right.stdout.includes('TOPIC  STATUS\nd1     deleted\n'), right.stdout)
    await expect('topic exists d1', 1, '')
  })

  test('a terminal changes the layout, never the content', async () => {
    const variables = { OTTLA_BROKERS: broker?.address ?? '' }
    const size = { rows: 24, columns: 80 }
    const plain = await run('topic list --json')
    const shown = await onTerminal(['topic', 'list', '--json'], { ...size, variables })
    assert.is(shown.stdout, plain.stdout)
    const coloured = await onTerminal(['topic', 'list'], { ...size, variables })
    assert.ok(coloured.stdout.includes('\u001b[1mTOPIC\u001b[22m'), coloured.stdout)
    const bare = await onTerminal(['topic', 'list', '--no-color'], { ...size, variables })
    assert.not(bare.stdout.includes('\u001b'))
    const table = await run('topic list --format table')
    assert.is(bare.stdout, table.stdout)
  })
} else {
  test.skip(onPty, 'python3 is not installed')
}
