/** The process: exit codes and texts where no broker is needed, and where none answers. */

import { openSync, readFileSync } from 'node:fs'
import { assert, suite } from '../support/suite.ts'
import {
  type Finished,
  hasPython,
  onTerminal,
  ottla,
  refusedAddress,
  shell,
  silentPeer,
} from './process.ts'

const test = suite('run')
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

/** Runs several at a time: the tests have two processors. */
async function all<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all([lane(), lane(), lane()])
}

test('version, help and overview are on standard output, 0', async () => {
  const cases: [string, string][] = [
    ['--version', `ottla ${version}\n`],
    ['-V', `ottla ${version}\n`],
    ['topic list -V', `ottla ${version}\n`],
    ['', "ottla - Kafka's job in one binary"],
    ['--help', "ottla - Kafka's job in one binary"],
    ['topic --help', 'usage: ottla topic VERB'],
    ['topic list --help', 'ottla topic list - list topics\n\n  ottla topic list '],
    ['-h topic list', 'ottla topic list - list topics'],
    ['help topic create', 'ottla topic create - create topics'],
    ['help exit-codes', '  0         done'],
    ['help options', '  -b, --brokers LIST'],
    ['completion bash', '# bash completion of ottla'],
    ['completion zsh', '#compdef ottla'],
    ['completion fish', '# fish completion of ottla'],
  ]
  await all(cases, async ([line, expected]) => {
    const { code, stdout, stderr } = await ottla(line === '' ? [] : line.split(' '))
    assert.equal([code, stderr], [0, ''], line)
    assert.ok(stdout.startsWith(expected), `${line}: ${stdout.slice(0, 80)}`)
  })
})

const badInput: readonly [line: string, stderr: string, variables?: Record<string, string>][] = [
  ['topc list', 'ottla: no command "topc"; did you mean "topic"?\n'],
  [
    'topic lst',
    'ottla: no command "topic lst"; did you mean "topic list"?\n  its verbs: list, create',
  ],
  ['topic', 'usage: ottla topic VERB ...\n'],
  ['topic create', 'ottla topic create: no topic given\n  usage: ottla topic create'],
  [
    'topic describe',
    'ottla topic describe: no topic given\n  usage: ottla topic describe TOPIC...; see --help\n',
  ],
  [
    'topic exists a b',
    'ottla topic exists: unexpected "b"\n  usage: ottla topic exists TOPIC; see --help\n',
  ],
  ['topic list --tls', 'ottla topic list: no flag "--tls"\n'],
  ['topic list --profile x', 'ottla topic list: no flag "--profile"'],
  ['topic list --intrnal', 'ottla topic list: no flag "--intrnal"; did you mean "--internal"?\n'],
  [
    'topic list --format xml',
    'ottla: bad --format "xml": want one of table, tsv, json, ndjson, prom\n',
  ],
  ['topic list --format prom', 'ottla topic list: no output in the format prom\n'],
  [
    'topic list',
    'ottla: bad broker address "kafka:http" from OTTLA_BROKERS: port must be 1-65535\n',
    { OTTLA_BROKERS: 'kafka:http' },
  ],
  ['topic list /[/', 'ottla topic list: bad pattern "/[/": '],
  [
    'topic create a -p 0',
    'ottla topic create: bad --partitions "0": want a whole number from 1, or -1',
  ],
  ['topic create a a', 'ottla topic create: topic "a" given twice\n'],
  ['topic create a -p 1 -p 2', 'ottla topic create: --partitions given twice\n'],
  [
    'topic create --from /nonexistent/x',
    'ottla topic create: cannot read /nonexistent/x: no such file\n',
  ],
  [
    'topic offsets a --at yesterday',
    'ottla topic offsets: bad --at "yesterday": want a time such as',
  ],
  ['topic offsets a -p 3-1', 'ottla topic offsets: bad --partition "3-1": want partitions such as'],
  [
    'topic grow a ten',
    'ottla topic grow: bad number of partitions "ten": want a whole number from 1',
  ],
  [
    'topic grow a',
    'ottla topic grow: no partitions given\n  usage: ottla topic grow TOPIC PARTITIONS; see --help\n',
  ],
  ['topic trim a', 'ottla topic trim: no --to given\n'],
  [
    'topic trim a --to yesterday',
    'ottla topic trim: bad --to "yesterday": want an offset, @TIME or end',
  ],
  ['config get', 'ottla config get: no topic or broker given\n'],
  ['config get group x', 'ottla config get: bad resource "group": want topic or broker\n'],
  ['config get broker x', 'ottla config get: bad broker "x": want its number, or default\n'],
  [
    'config set topic a retention.ms',
    'ottla config set: bad setting "retention.ms": want key=value\n',
  ],
  ['config set topic a a=1 a=2', 'ottla config set: a given twice\n'],
  [
    'cluster wait --for tomorrow',
    'ottla cluster wait: bad --for "tomorrow": want reachable, brokers=N',
  ],
  ['completion bsh', 'ottla completion: no completion for "bsh": want bash, zsh or fish\n'],
  ['help topc', 'ottla help: no help on "topc"'],
]

test(
  'bad input ends with 2, says why on standard error, and nothing on standard output',
  async () => {
    await all(badInput, async ([line, expected, variables = {}]) => {
      const { code, stdout, stderr } = await ottla(line.split(' '), { variables })
      assert.equal([code, stdout], [2, ''], line)
      assert.ok(stderr.startsWith(expected), `${line}: ${stderr}`)
    })
  },
  { timeoutMs: 60_000 },
)

test('with --json the error is one object on standard error', async () => {
  const { code, stdout, stderr } = await ottla(['topic', 'create', '--json'])
  assert.equal([code, stdout], [2, ''])
  const { error } = JSON.parse(stderr)
  assert.equal([error.exit, error.name, error.message], [2, 'USAGE', 'no topic given'])
  assert.ok(error.hint.startsWith('usage: ottla topic create'))
})

/** Every command that asks a cluster, as a script runs it. */
const asking = [
  'topic list',
  'topic create a',
  'topic describe a',
  'topic delete a --yes',
  'topic exists a',
  'topic offsets a',
  'topic grow a 3',
  'topic trim a --to end --execute',
  'config get topic a',
  'config set topic a retention.ms=1',
  'config unset topic a retention.ms',
  'lag',
  'lag g --max 1000',
  'group list',
  'group describe g',
  'group reset g --to start',
  'group delete g --yes',
  'group forget g --topic a --yes',
  'cluster info',
  'cluster wait --timeout 300ms',
  'api-versions',
]

test(
  'a broker that is down: 5, soon, with what to do',
  async () => {
    const address = await refusedAddress()
    await all(asking, async (line) => {
      const { code, stdout, stderr, elapsedMs } = await ottla([...line.split(' '), '-b', address])
      assert.equal([code, stdout], [5, ''], line)
      const expected = `ottla ${line
        .split(' ')
        .slice(0, /^api|^lag/.test(line) ? 1 : 2)
        .join(' ')}: cannot reach ${address}: connection refused (`
      assert.ok(stderr.startsWith(expected), `${line}: ${stderr}`)
      assert.ok(stderr.endsWith('; is a broker running? ottla broker start\n'), stderr)
      assert.ok(elapsedMs < 3000, `${line}: ${elapsedMs} ms`)
    })
  },
  { timeoutMs: 60_000 },
)

test('a broker that is down is noticed in less than a second', async () => {
  const address = await refusedAddress()
  const { elapsedMs: floorMs } = await ottla(['topic', 'list', '--help'])
  const { code, elapsedMs } = await ottla(['topic', 'list', '-b', address])
  assert.is(code, 5)
  assert.ok(elapsedMs - floorMs < 1000, `${elapsedMs} ms, of which ${floorMs} ms to start`)
})

test('--retry-for keeps trying', async () => {
  const address = await refusedAddress()
  const { code, elapsedMs } = await ottla(['topic', 'list', '-b', address, '--retry-for', '1200ms'])
  assert.is(code, 5)
  assert.ok(elapsedMs >= 1200, `${elapsedMs} ms`)
})

test(
  'a peer that says nothing: 5 when the time is over',
  async () => {
    const peer = await silentPeer()
    try {
      await all(asking, async (line) => {
        const timeout = line.startsWith('cluster wait') ? [] : ['--timeout', '300ms']
        const words = [...line.split(' '), '-b', peer.address, ...timeout]
        const { code, stdout, elapsedMs } = await ottla(words)
        assert.equal([code, stdout], [5, ''], line)
        assert.ok(elapsedMs < 4000, `${line}: ${elapsedMs} ms`)
      })
    } finally {
      await peer.close()
    }
  },
  { timeoutMs: 60_000 },
)

test('SIGINT and SIGTERM end a wait at once: 130, 143', async () => {
  const peer = await silentPeer()
  try {
    const cases: ['SIGINT' | 'SIGTERM', number][] = [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ]
    await all(cases, async ([name, expected]) => {
      const words = ['cluster', 'info', '-b', peer.address, '-v', '-v']
      const { code, elapsedMs } = await ottla(words, {
        onStart: (child) => void setTimeout(() => child.kill(name), 1000),
      })
      assert.is(code, expected, name)
      assert.ok(elapsedMs < 3000, `${elapsedMs} ms`)
    })
  } finally {
    await peer.close()
  }
})

test('an error that nobody caught is a bug of ours: 70, with what to report', async () => {
  const peer = await silentPeer()
  try {
    const faults = ['throw new Error("planted")', 'Promise.reject(new Error("planted"))']
    await all(faults, async (fault) => {
      // Once the command watches for what nobody catches.
      const wait = `if (process.listenerCount("unhandledRejection") === 0) return; clearInterval(timer)`
      const module = `data:text/javascript,const timer = setInterval(() => { ${wait}; ${fault} }, 50)`
      const variables = { NODE_OPTIONS: `--import="${module.replaceAll('"', '%22')}"` }
      const { code, stdout, stderr } = await ottla(['topic', 'list', '-b', peer.address], {
        variables,
      })
      assert.equal([code, stdout], [70, ''], stderr)
      assert.ok(/^ottla(?: topic list)?: this is a bug in ottla: planted\n/.test(stderr), stderr)
      assert.ok(stderr.includes('please report it'), stderr)
    })
  } finally {
    await peer.close()
  }
})

test('a reader that goes away ends a command quietly with 0', async () => {
  const { code, stderr } = shell(
    'set -o pipefail; ottla help --json | head -c 1 >/dev/null; echo ${PIPESTATUS[0]} >&2',
  )
  assert.equal([code, stderr], [0, '0\n'])
})

test('closed streams are no failure', async () => {
  assert.equal(pick(shell('ottla --version >&-')), [0, ''])
  assert.equal(pick(shell('ottla help exit-codes >&-')), [0, ''])
  assert.equal(pick(shell('ottla help exit-codes <&- >/dev/null')), [0, ''])
  assert.is(shell('ottla topc list 2>&-').code, 2)
  assert.is(shell('ottla topic create --from - <&-').code, 4)
})

test('a full disk behind standard output is said: 5', async () => {
  try {
    openSync('/dev/full', 'w')
  } catch {
    return
  }
  const { code, stderr } = shell('ottla help exit-codes >/dev/full')
  assert.is(code, 5)
  assert.ok(stderr.includes('cannot write standard output: ENOSPC'), stderr)
})

function pick({ code, stderr }: Finished): [number | null, string] {
  return [code, stderr]
}

test('__proto__ in JSON from outside is a member like any other', async () => {
  const { code, stderr } = await ottla(['topic', 'create', '--from', '-'], {
    stdin: '{"topic":"a","__proto__":{"partitions":5},"partitions":0.5}',
  })
  assert.is(code, 4)
  assert.ok(stderr.startsWith('ottla topic create: standard input: /0/partitions must be'), stderr)
})

const onPty =
  'on a terminal without a size every command ends within 5 s, without colours under NO_COLOR'
if (hasPython) {
  test(
    onPty,
    async () => {
      const address = await refusedAddress()
      await all(asking, async (line) => {
        const { code, stdout } = await onTerminal([...line.split(' '), '-b', address], {
          variables: { NO_COLOR: '1' },
        })
        assert.is(code, 5, `${line}: ${stdout}`)
        assert.not(stdout.includes('\u001b'))
      })
    },
    { timeoutMs: 60_000 },
  )
} else {
  test.skip(onPty, 'python3 is not installed')
}
