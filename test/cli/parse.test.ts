/** argv -> values: what yargs would do silently is refused, what people type is understood. */

import { optionsOf, positionalsOf } from '../../cli/option-names.ts'
import { readArgs, split } from '../../cli/parse.ts'
import { commandWords, findCommand } from '../../cli/registry.ts'
import { CommandError, command } from '../../commands/command.ts'
import {
  bytes,
  choice,
  duration,
  flag,
  integer,
  parsePair,
  repeated,
  text,
  time,
} from '../../commands/options.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('parse')

const sample = command({
  name: 'topic sample',
  about: 'x',
  positionals: 'TOPIC [FILE...]',
  options: {
    partition: integer({ min: 0 })('x', { letter: 'p' }),
    keyDelim: bytes('x', { letter: 'K', fallback: '\\t' }),
    config: repeated('x', parsePair, { word: 'K=V', letter: 'c' }),
    linger: duration('x', { fallback: '5ms' }),
    acks: choice(['all', '1', '0'])('x', { fallback: 'all' }),
    ifExists: flag('x'),
    offset: text('x', { letter: 'o' }),
    at: time('x'),
    zero: flag('x', { letter: 'Z', aliases: ['null-value'] }),
  },
  examples: [],
  run: async () => 0,
})

function parse(line: string) {
  const argv = line === '' ? [] : line.split(' ')
  return readArgs(sample, split(optionsOf(sample), argv))
}

test('values as they are typed', () => {
  const cases: [string, Partial<ReturnType<typeof parse>>][] = [
    ['t', { positionals: ['t'], linger: 5, acks: 'all', ifExists: false }],
    ['t --partition 3', { partition: 3 }],
    ['t -p 3', { partition: 3 }],
    ['t -p3', { partition: 3 }],
    ['t --partition=3', { partition: 3 }],
    ['t -Zp3', { zero: true, partition: 3 }],
    ['-p 3 t', { partition: 3, positionals: ['t'] }],
    ['t -K:', { keyDelim: Buffer.from(':') }],
    ['t -K=', { keyDelim: Buffer.from('=') }],
    ['t --key-delim=-x', { keyDelim: Buffer.from('-x') }],
    ['t -o -5', { offset: '-5' }],
    ['t -o -5:end', { offset: '-5:end' }],
    ['t --null-value', { zero: true }],
    [
      't -c a=1 -c b=x=y f',
      {
        config: [
          ['a', '1'],
          ['b', 'x=y'],
        ],
        positionals: ['t', 'f'],
      },
    ],
    ['t 1e3 0x10 007', { positionals: ['t', '1e3', '0x10', '007'] }],
    ['t -- -p --x', { positionals: ['t', '-p', '--x'] }],
    ['t -', { positionals: ['t', '-'] }],
    ['t --if-exists --if-exists', { ifExists: true }],
    ['t -q -b h:1 -vv --json', { positionals: ['t'] }],
  ]
  for (const [line, expected] of cases) {
    const args = parse(line)
    for (const [key, value] of Object.entries(expected)) {
      assert.equal(Reflect.get(args, key), value, `${line}: ${key}`)
    }
  }
})

test('what is no command line ends with 2 and says why', () => {
  const cases: [string, string][] = [
    ['', 'no topic given'],
    ['t --foo', 'no flag "--foo"'],
    ['t --partitio 3', 'no flag "--partitio"; did you mean "--partition"?'],
    ['t -y', 'no flag "-y"'],
    ['t -Zy', 'no flag "-y"'],
    ['t --ifExists', 'no flag "--ifExists"; did you mean "--if-exists"?'],
    ['t --no-if-exists', 'no flag "--no-if-exists"'],
    ['t -p 3 -p 4', '--partition given twice'],
    ['t -p 3 --partition=4', '--partition given twice'],
    ['t -p', '-p needs a value; one that begins with a dash is written -pVALUE'],
    [
      't --offset -q',
      '--offset needs a value; one that begins with a dash is written --offset=VALUE',
    ],
    ['t --if-exists=no', '--if-exists takes no value, got "no"'],
    ['t -p abc', 'bad --partition "abc": want a whole number from 0'],
    ['t -p 0x10', 'bad --partition "0x10": want a whole number from 0'],
    ['t -p 1e3', 'bad --partition "1e3": want a whole number from 0'],
    ['t --linger 5', 'bad --linger "5": want a duration such as 500ms, 5s, 2m, 1h or 3d'],
    ['t --acks 2', 'bad --acks "2": want one of all, 1, 0'],
    ['t -c a', 'bad --config "a": want key=value'],
    ['t -K \\q', 'bad --key-delim "\\q": want only the escapes \\n \\r \\t \\0 \\\\ \\xNN'],
    ['t --offset=', 'bad --offset "": want a text that is not empty'],
  ]
  for (const [line, expected] of cases) {
    try {
      parse(line)
      assert.unreachable(line)
    } catch (error) {
      assert.instance(error, CommandError, `${line}: ${String(error)}`)
      if (!(error instanceof CommandError)) return
      assert.is(error.message, expected, line)
      assert.is(error.exit, 2, line)
    }
  }
})

test('operands are counted as the usage says', () => {
  assert.equal(positionalsOf('TOPIC [FILE...]'), [
    { word: 'TOPIC', isOptional: false, isRepeated: false },
    { word: 'FILE', isOptional: true, isRepeated: true },
  ])
  const single = command({ ...sample, positionals: 'TOPIC' })
  const given = split(optionsOf(single), ['a', 'b'])
  assert.throws(() => readArgs(single, given), /unexpected "b"/)
})

test('the command stands anywhere between global flags', () => {
  const entries = [
    { name: 'produce', load: async () => sample },
    { name: 'topic list', load: async () => sample },
    { name: 'topic create', aliases: ['topic make'], load: async () => sample },
  ]
  const cases: [string, string | null, string][] = [
    ['topic list x', 'topic list', 'x'],
    ['-b h:1 topic list x', 'topic list', '-b h:1 x'],
    ['-q topic -v list --brokers h:1 x', 'topic list', '-q -v --brokers h:1 x'],
    ['--json=x topic list', 'topic list', '--json=x'],
    ['topic make', 'topic create', ''],
    ['produce topic list', 'produce', 'topic list'],
    ['topic', null, 'topic'],
    ['topic --at list', null, 'topic --at list'],
    ['-- topic list', null, '-- topic list'],
  ]
  for (const [line, name, others] of cases) {
    const { words, rest } = commandWords(line.split(' '))
    const found = findCommand(words, entries)
    assert.is(found.kind === 'command' ? found.entry.name : null, name, line)
    if (found.kind === 'command') assert.is(rest(found.wordCount).join(' '), others, line)
  }
})
