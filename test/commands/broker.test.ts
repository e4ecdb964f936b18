/** The commands round a broker, as processes: start, stop, status, run, and every way they refuse. */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { cleanVariables, type Finished, ottla, temporaryFolder } from '../cli/process.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('broker commands')
const program = join(import.meta.dirname, '../cli/ottla.mjs')
const folder = temporaryFolder()
const children: ChildProcess[] = []
test.after(() => {
  for (const child of children) child.kill('SIGKILL')
  folder.remove()
})

interface Running {
  readonly child: ChildProcess
  readonly brokers: string
  readonly ended: Promise<number | null>
  /** What it logged so far. */
  log(): string
}

/** `broker start ARGS` on a free port; resolves at the first line of standard output. */
function startBroker(...args: string[]): Promise<Running> {
  const child = spawn(
    process.execPath,
    [program, 'broker', 'start', '--listen', '127.0.0.1:0', ...args],
    {
      env: cleanVariables(),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  children.push(child)
  let [stdout, stderr] = ['', '']
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      const brokers = /^BROKERS=(127\.0\.0\.1:\d+)\n/.exec(stdout)?.[1]
      if (brokers !== undefined) resolve({ child, brokers, ended, log: () => stderr })
    })
    void ended.then((code) => reject(new Error(`ended with ${code}: ${stderr}`)))
  })
}

const inFolder = (name: string) => join(folder.path, name)

/** A directory that holds one file. */
function directoryWith(name: string, file: string, content: string): string {
  mkdirSync(inFolder(name), { recursive: true })
  writeFileSync(join(inFolder(name), file), content)
  return inFolder(name)
}

test('records outlive a clean stop, and the next start needs no recovery', async () => {
  const data = inFolder('clean')
  const first = await startBroker('--data', data, '--topic', 'logs:2:retention.ms=3600000')
  assert.is(
    (await ottla(['produce', 'logs', '-b', first.brokers, '-p', '1'], { stdin: 'a\nb\n' })).code,
    0,
  )
  const status = await ottla(['broker', 'status', '--data', data, '--json'])
  const [row] = (JSON.parse(status.stdout) as { brokers: { pid: number; listeners: string[] }[] })
    .brokers
  assert.equal([row?.pid, row?.listeners], [first.child.pid, [first.brokers]])
  const stopped = await ottla(['broker', 'stop', '--data', data])
  assert.equal([stopped.code, await first.ended], [0, 0])
  assert.ok(existsSync(join(data, '.kafka_cleanshutdown')), 'no clean mark')
  assert.not(existsSync(join(data, 'broker.json')), 'the note is still there')

  const second = await startBroker('--data', data, '--topic', 'logs:2')
  assert.match(second.log(), /wasClean=true/)
  const read = await ottla(['consume', 'logs', '-e', '-b', second.brokers])
  assert.is(read.stdout, 'a\nb\n')
  second.child.kill('SIGTERM')
  assert.is(await second.ended, 0)
})

test('acknowledged records outlive kill -9, and the lock goes with the process', async () => {
  const data = inFolder('killed')
  const first = await startBroker('--data', data, '--topic', 'logs:1')
  assert.is(
    (await ottla(['produce', 'logs', '-b', first.brokers], { stdin: 'one\ntwo\nthree\n' })).code,
    0,
  )
  first.child.kill('SIGKILL')
  await first.ended
  assert.is((await ottla(['broker', 'status', '--data', data])).code, 1)
  const second = await startBroker('--data', data)
  assert.match(second.log(), /wasClean=false/)
  assert.is(
    (await ottla(['consume', 'logs', '-e', '-b', second.brokers])).stdout,
    'one\ntwo\nthree\n',
  )
  second.child.kill('SIGINT')
  assert.is(await second.ended, 0)
})

test('the ready file holds the line of standard output, while the broker runs', async () => {
  const ready = inFolder('ready')
  const { child, brokers, ended } = await startBroker('--memory', '--ready-file', ready)
  assert.is(readFileSync(ready, 'utf8'), `BROKERS=${brokers}\n`)
  child.kill('SIGTERM')
  assert.is(await ended, 0)
  assert.not(existsSync(ready))
})

test('a data directory in use, and a port in use, end with 5 and name the thing', async () => {
  const data = inFolder('locked')
  const { child, brokers, ended } = await startBroker('--data', data)
  const locked = await ottla(['broker', 'start', '--listen', '127.0.0.1:0', '--data', data])
  assert.is(locked.code, 5)
  assert.match(locked.stderr, `${data} is in use`)
  const taken = await ottla(['broker', 'start', '--listen', brokers, '--memory'])
  assert.is(taken.code, 5)
  assert.match(taken.stderr, `${brokers} is in use`)
  child.kill('SIGTERM')
  await ended
})

test('a broker that does not end in time is 5, and a second signal ends it at once', async () => {
  const data = inFolder('frozen')
  const { child, ended } = await startBroker('--data', data)
  child.kill('SIGSTOP')
  const stopped = await ottla(['broker', 'stop', '--data', data, '--timeout', '200ms'])
  assert.is(stopped.code, 5)
  assert.match(stopped.stderr, `kill -9 ${child.pid}`)
  child.kill('SIGCONT')
  assert.is(await ended, 0)
})

const loopback = ['--listen', '127.0.0.1:0']

/** What is asked, how it ends, and what standard error must say. */
const refused: [what: string, args: () => string[], code: number, says: string | RegExp][] = [
  [
    'an address beyond this machine',
    () => ['start', '--listen', '0.0.0.0:0', '--memory'],
    2,
    '--insecure-listener',
  ],
  ['all addresses', () => ['start', '--listen', ':0', '--memory'], 2, '--insecure-listener'],
  [
    'an address without a port',
    () => ['start', '--listen', 'localhost', '--memory'],
    2,
    'bad --listen "localhost"',
  ],
  [
    'a port that is none',
    () => ['start', '--listen', '127.0.0.1:65536', '--memory'],
    2,
    'bad --listen',
  ],
  [
    'an address of another machine',
    () => ['start', '--listen', '127.0.0.1.invalid:0', '--insecure-listener', '--memory'],
    2,
    'no address of this machine',
  ],
  [
    'memory and a directory',
    () => ['start', '--memory', '--data', folder.path],
    2,
    '--memory and --data',
  ],
  [
    'an unknown setting',
    () => ['start', ...loopback, '--memory', '-c', 'log.segment.byte=1'],
    2,
    'log.segment.bytes',
  ],
  [
    'a setting out of range',
    () => ['start', ...loopback, '--memory', '-c', 'num.partitions=0'],
    2,
    'num.partitions',
  ],
  [
    'a setting without a value',
    () => ['start', ...loopback, '--memory', '-c', 'num.partitions'],
    2,
    'key=value',
  ],
  [
    'a settings file that is not there',
    () => ['start', ...loopback, '--memory', '--config', inFolder('none.properties')],
    2,
    'no such file',
  ],
  [
    'a settings file with a bad line',
    () => [
      'start',
      ...loopback,
      '--memory',
      '--config',
      join(directoryWith('bad', 'b.properties', 'num.partitions=x\n'), 'b.properties'),
    ],
    2,
    'num.partitions',
  ],
  [
    'a declared topic with a bad name',
    () => ['start', ...loopback, '--memory', '--topic', 'a b:1'],
    2,
    'a b',
  ],
  [
    'a declared topic without partitions',
    () => ['start', ...loopback, '--memory', '--topic', 'logs:0'],
    2,
    'logs',
  ],
  [
    'a declared topic with a bad setting',
    () => ['start', ...loopback, '--memory', '--topic', 'logs:1:retention.ms=x'],
    2,
    'retention.ms',
  ],
  [
    'a cluster id that is none',
    () => ['start', ...loopback, '--memory', '--cluster-id', 'short'],
    2,
    'short',
  ],
  [
    'data that is a file',
    () => ['start', ...loopback, '--data', join(directoryWith('file', 'f', 'x'), 'f')],
    4,
    'file/f',
  ],
  [
    'a directory of something else',
    () => ['start', ...loopback, '--data', directoryWith('foreign', 'holiday.jpg', 'x')],
    4,
    'foreign',
  ],
  [
    'a directory of another node',
    () => [
      'start',
      ...loopback,
      '--data',
      directoryWith(
        'other',
        'meta.properties',
        'version=1\nnode.id=7\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\n',
      ),
    ],
    4,
    '7',
  ],
  [
    'a torn meta.properties',
    () => ['start', ...loopback, '--data', directoryWith('torn', 'meta.properties', 'version=')],
    4,
    'meta.properties',
  ],
  [
    'a directory of Apache Kafka without --adopt',
    () => {
      const data = directoryWith(
        'kafka',
        'meta.properties',
        'version=1\nnode.id=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAg\n',
      )
      mkdirSync(join(data, '__cluster_metadata-0'))
      return ['start', ...loopback, '--data', data]
    },
    4,
    '--adopt',
  ],
  ['stop without a broker', () => ['stop', '--data', inFolder('nothing')], 1, 'no broker runs'],
  ['status without a broker', () => ['status', '--data', inFolder('nothing')], 1, 'no broker runs'],
  ['run without a command', () => ['run'], 2, '-- CMD'],
  [
    'run with a command that is not there',
    () => ['run', '--', '/no/such/program'],
    2,
    '/no/such/program',
  ],
  ['several nodes, which come with the cluster', () => ['run', '-n', '3', '--', 'true'], 2, '-n'],
]

for (const [what, args, code, says] of refused) {
  test(`refused: ${what}`, async () => {
    const { code: got, stderr, stdout }: Finished = await ottla(['broker', ...args()])
    assert.equal([got, stdout], [code, ''], stderr)
    assert.match(stderr, says)
    assert.not.match(stderr, /\n\s+at /, 'a stack trace')
  })
}

test('a refused directory is left untouched', async () => {
  const data = directoryWith('untouched', 'holiday.jpg', 'x')
  await ottla(['broker', 'start', ...loopback, '--data', data])
  assert.equal(readdirSync(data), ['holiday.jpg'])
})

test('run gives the command its broker and takes over its exit code', async () => {
  const script =
    'test "$OTTLA_BROKERS" = "$BROKERS" && test "$BROKERS" = "$KAFKA_BOOTSTRAP_SERVERS" && echo "$BROKERS" && exit 7'
  const { code, stdout } = await ottla([
    'broker',
    'run',
    '--topic',
    'a:1',
    '--',
    'sh',
    '-c',
    script,
  ])
  assert.is(code, 7)
  assert.match(stdout, /^127\.0\.0\.1:\d+\n$/)
  const killed = await ottla(['broker', 'run', '--', 'sh', '-c', 'kill -9 $$'])
  assert.is(killed.code, 137)
})

test('run passes a signal on to the command and stops with it', async () => {
  const script = 'trap "exit 3" TERM; echo up; while :; do sleep 0.05; done'
  const { code } = await ottla(['broker', 'run', '--', 'sh', '-c', script], {
    onStart: (child) => child.stdout?.once('data', () => child.kill('SIGTERM')),
  })
  assert.is(code, 3)
})

test('a port that was in use is free again after the broker stopped', async () => {
  const { child, brokers, ended } = await startBroker('--memory')
  child.kill('SIGTERM')
  await ended
  const port = Number(brokers.split(':')[1])
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve())
  })
  server.close()
})
