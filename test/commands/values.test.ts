/** What texts of the command line mean: every form once, every refusal. */

import {
  BadValue,
  parseBytes,
  parseDuration,
  parseInteger,
  parseSize,
  parseTime,
  timeMs,
} from '../../commands/values.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('values')

function refuses(parse: (text: string) => unknown, texts: readonly string[]): void {
  for (const text of texts) {
    assert.throws(
      () => parse(text),
      (error: unknown) => error instanceof BadValue,
      `"${text}" is refused`,
    )
  }
}

test('integers are whole decimal numbers that a double holds', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['-0', 0],
    ['007', 7],
    ['-5', -5],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ]
  for (const [text, expected] of cases) assert.is(parseInteger(text), expected, text)
  refuses(parseInteger, ['', ' 1', '+1', '1.0', '1e3', '0x10', 'abc', '9007199254740992', '--1'])
  refuses((text) => parseInteger(text, { min: 1, max: 3 }), ['0', '4'])
})

test('sizes are bytes with a power of 1024', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['512', 512],
    ['64k', 65536],
    ['64KiB', 65536],
    ['1m', 1048576],
    ['1MB', 1048576],
    ['2g', 2147483648],
    ['3b', 3],
  ]
  for (const [text, expected] of cases) assert.is(parseSize(text), expected, text)
  refuses(parseSize, ['', 'k', '-1', '1.5m', '1x', '1 m', '9999999999999999t'])
})

test('durations are numbers with a unit, or several of them', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['500ms', 500],
    ['5s', 5000],
    ['0.5s', 500],
    ['2m', 120_000],
    ['1h30m', 5_400_000],
    ['3d', 259_200_000],
  ]
  for (const [text, expected] of cases) assert.is(parseDuration(text), expected, text)
  refuses(parseDuration, ['', '5', '-5s', 's', '5 s', '5sec', '1h 30m', '1e3s'])
})

test('times are absolute or counted from now', () => {
  const nowMs = Date.UTC(2026, 10, 21, 12)
  const cases: [string, number][] = [
    ['1732154400000', 1732154400000],
    ['1732154400', 1732154400000],
    ['@1732154400', 1732154400000],
    ['now', nowMs],
    ['-10m', nowMs - 600_000],
    ['@-24h', nowMs - 86_400_000],
    ['2026-11-20', Date.UTC(2026, 10, 20)],
    ['2026-11-20T10:00:00Z', Date.UTC(2026, 10, 20, 10)],
    ['2026-11-20T10:00:00.250Z', Date.UTC(2026, 10, 20, 10, 0, 0, 250)],
    ['2026-11-20 10:00', Date.UTC(2026, 10, 20, 10)],
    ['2026-11-20T10:00:00+01:00', Date.UTC(2026, 10, 20, 9)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
  ]
  for (const [text, expected] of cases) assert.is(timeMs(parseTime(text), nowMs), expected, text)
  refuses(parseTime, [
    '',
    '@',
    'yesterday',
    '10m',
    '-10',
    '2026-11-31',
    '2025-02-29',
    '2026-13-01',
    '2026-11-20T24:00',
    '2026-11-20T10:60',
    '2026-11-20T10:00:60',
    '26-11-20',
  ])
})

test('byte strings know five escapes and \\xNN, and no other', () => {
  const cases: [string, number[]][] = [
    ['', []],
    ['ab', [97, 98]],
    ['\\n\\r\\t\\0\\\\', [10, 13, 9, 0, 92]],
    ['\\xff\\x00a', [255, 0, 97]],
    ['é', [0xc3, 0xa9]],
    ['\\x41é', [65, 0xc3, 0xa9]],
  ]
  for (const [text, expected] of cases) assert.equal([...parseBytes(text)], expected, text)
  refuses(parseBytes, ['\\', 'a\\', '\\q', '\\x4', '\\xzz', '\\u0041'])
})
