/** Flag > environment > file > default, and what is refused. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { colourLevel } from '../../cli/colour.ts'
import { optionsOf } from '../../cli/option-names.ts'
import { split } from '../../cli/parse.ts'
import { parseBrokers, resolveSettings, type Settings } from '../../cli/settings.ts'
import { canSpin } from '../../cli/spinner.ts'
import { CommandError, command } from '../../commands/command.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { temporaryFolder } from './process.ts'

const test = suite('settings')

const sample = command({ name: 'x', about: 'x', options: {}, examples: [], run: async () => 0 })
const folder = temporaryFolder()
test.after(folder.remove)

function file(name: string, content: string): string {
  const path = join(folder.path, name)
  writeFileSync(path, content)
  return path
}

type Variables = Readonly<Record<string, string>>

function resolve(argv: readonly string[], variables: Variables = {}): Promise<Settings> {
  return resolveSettings(sample, split(optionsOf(sample), argv), variables)
}

test('a flag goes before the environment, that before the file, that before the default', async () => {
  const path = file('a.json', '{"brokers":["f:1","g"],"timeout":"3s","format":"json"}')
  const none = await resolve([])
  assert.equal([none.brokers, none.timeoutMs, none.format], [['localhost:9092'], 5000, null])
  const fromFile = await resolve(['-F', path])
  assert.equal(
    [fromFile.brokers, fromFile.timeoutMs, fromFile.format],
    [['f:1', 'g:9092'], 3000, 'json'],
  )
  const variables = { OTTLA_CONFIG: path, OTTLA_BROKERS: 'e:2', OTTLA_TIMEOUT: '2s' }
  const fromEnvironment = await resolve([], variables)
  assert.equal([fromEnvironment.brokers, fromEnvironment.timeoutMs], [['e:2'], 2000])
  const fromFlags = await resolve(['-b', 'a:3', '--timeout', '1s', '--format', 'tsv'], variables)
  assert.equal([fromFlags.brokers, fromFlags.timeoutMs, fromFlags.format], [['a:3'], 1000, 'tsv'])
})

test('an empty variable counts as unset', async () => {
  const settings = await resolve([], { OTTLA_BROKERS: '', OTTLA_CONFIG: '', OTTLA_FORMAT: '' })
  assert.equal([settings.brokers, settings.format], [['localhost:9092'], null])
})

test('key=value files and -X take Kafka names and their librdkafka twins', async () => {
  const path = file(
    'kcat.conf',
    '# comment\nbootstrap.servers = k:9093\nacks=1\nunknown.thing=3\nqueue.buffering.max.ms=7\n',
  )
  const settings = await resolve(['-F', path, '-X', 'acks=all', '-X', 'client.id=me'])
  assert.equal(settings.brokers, ['k:9093'])
  assert.equal(settings.properties, {
    'bootstrap.servers': 'k:9093',
    acks: 'all',
    'linger.ms': '7',
    'client.id': 'me',
  })
})

test('bad settings end with 2 and say where they come from', async () => {
  const cases: [string[], Variables, string][] = [
    [
      [],
      { OTTLA_BROKERS: 'kafka:http' },
      'bad broker address "kafka:http" from OTTLA_BROKERS: port must be 1-65535',
    ],
    [['-b', 'kafka:0'], {}, 'bad broker address "kafka:0": port must be 1-65535'],
    [['-b', 'a,,b'], {}, 'bad broker address "": expected host:port'],
    [['-b', 'SSL://a:1'], {}, 'bad broker address "SSL://a:1": '],
    [[], { OTTLA_TIMEOUT: 'soon' }, 'bad timeout "soon" from OTTLA_TIMEOUT: want a duration'],
    [['--timeout', 'soon'], {}, 'bad --timeout "soon": want a duration'],
    [[], { OTTLA_FORMAT: 'xml' }, 'bad format "xml" from OTTLA_FORMAT: want one of table'],
    [['-X', 'lingr.ms=1'], {}, 'no setting "lingr.ms" for -X; did you mean "linger.ms"?'],
    [['-X', 'linger.ms=x'], {}, 'bad -X linger.ms "x": want a whole number from 0'],
    [['-X', 'linger.ms'], {}, 'bad --property "linger.ms": want key=value'],
    [
      ['-X', 'security.protocol=SASL_SSL'],
      {},
      'bad -X security.protocol "SASL_SSL": want PLAINTEXT',
    ],
    [['-F', '/nonexistent/x'], {}, 'cannot read config /nonexistent/x: ENOENT'],
    [['--json', '--format', 'tsv'], {}, '--json and --format tsv contradict each other'],
    [['-F', file('b.json', '{')], {}, `config ${join(folder.path, 'b.json')}: not JSON`],
    [
      ['-F', file('c.json', '{"brokers":5}')],
      {},
      `config ${join(folder.path, 'c.json')}: /brokers`,
    ],
    [
      ['-F', file('tls.conf', 'sasl.mechanism=PLAIN')],
      {},
      `config ${join(folder.path, 'tls.conf')}: sasl.mechanism is set, but`,
    ],
  ]
  for (const [argv, variables, expected] of cases) {
    const error = await rejection(resolve(argv, variables))
    assert.instance(error, CommandError, expected)
    assert.ok(error.message.startsWith(expected), `${error.message} begins with ${expected}`)
    if (error instanceof CommandError) assert.is(error.exit, 2)
  }
})

test('what is not known is remarked on', async () => {
  const path = file('d.json', '{"broker":"x"}')
  const { remarks } = await resolve(['-F', path], { OTTLA_BROKER: 'x', OTHER: 'y' })
  assert.equal(remarks, [
    `config ${path}: unknown "broker"; did you mean "brokers"?`,
    'environment: unknown OTTLA_BROKER; did you mean OTTLA_BROKERS?',
  ])
})

test('broker addresses', () => {
  assert.equal(parseBrokers('a, b:1,[::1]:2,PLAINTEXT://c:3,1.2.3.4'), [
    'a:9092',
    'b:1',
    '[::1]:2',
    'c:3',
    '1.2.3.4:9092',
  ])
})

test('colours: --no-color, NO_COLOR, FORCE_COLOR, TERM=dumb, then the terminal', () => {
  const cases: [boolean, boolean, Variables, number][] = [
    [true, true, { TERM: 'xterm' }, 1],
    [false, true, { TERM: 'xterm' }, 0],
    [true, false, { FORCE_COLOR: '1' }, 0],
    [true, true, { NO_COLOR: '1', FORCE_COLOR: '1' }, 0],
    [true, true, { NO_COLOR: '' }, 1],
    [false, true, { FORCE_COLOR: '3' }, 3],
    [true, true, { FORCE_COLOR: '0' }, 0],
    [true, true, { TERM: 'dumb' }, 0],
  ]
  for (const [isTty, isWanted, variables, expected] of cases) {
    assert.is(colourLevel(isTty, isWanted, variables), expected, JSON.stringify(variables))
  }
})

test('progress only on a terminal with columns, outside CI, not dumb, not quiet', () => {
  assert.is(canSpin({ isTTY: true, columns: 80 }, {}, false), true)
  assert.is(canSpin({ isTTY: true, columns: 0 }, {}, false), false)
  assert.is(canSpin({ columns: 80 }, {}, false), false)
  assert.is(canSpin({ isTTY: true, columns: 80 }, { CI: 'true' }, false), false)
  assert.is(canSpin({ isTTY: true, columns: 80 }, { TERM: 'dumb' }, false), false)
  assert.is(canSpin({ isTTY: true, columns: 80 }, {}, true), false)
})
