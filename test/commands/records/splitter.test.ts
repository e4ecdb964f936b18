import { PieceSplitter, PieceTooLargeError } from '../../../commands/records/splitter.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('splitter')

/** The pieces of `bytes` when it arrives in chunks of `chunkSize`. */
function piecesOf(
  bytes: Uint8Array,
  {
    delimiter,
    chunkSize,
    maxBytes = 1000,
  }: { delimiter: string; chunkSize: number; maxBytes?: number },
): string[] {
  const splitter = new PieceSplitter(Buffer.from(delimiter, 'latin1'), maxBytes)
  const pieces: string[] = []
  const take = (piece: Uint8Array | null) => {
    if (piece !== null) pieces.push(Buffer.from(piece).toString('latin1'))
    return piece !== null
  }
  for (let at = 0; at < bytes.length; at += chunkSize) {
    splitter.push(Uint8Array.prototype.slice.call(bytes, at, at + chunkSize))
    while (take(splitter.next()));
  }
  take(splitter.finish())
  return pieces
}

for (const [what, input, delimiter, expected] of [
  ['lines', 'a\nbb\nccc\n', '\n', ['a', 'bb', 'ccc']],
  ['a last line without its delimiter', 'a\nb', '\n', ['a', 'b']],
  ['empty lines', '\n\na\n\n', '\n', ['', '', 'a', '']],
  ['nothing', '', '\n', []],
  ['only a delimiter', '\n', '\n', ['']],
  ['carriage returns are data', 'a\r\nb\r\n', '\n', ['a\r', 'b\r']],
  ['two bytes', 'a\r\nb\rc\nd\r\n\r\n', '\r\n', ['a', 'b\rc\nd', '']],
  ['a delimiter that overlaps itself', 'xaaabaaay', 'aab', ['xa', 'aaay']],
  ['a delimiter that begins again', 'ababac', 'abac', ['ab']],
  ['zero bytes', 'a\0b\0\0c', '\0', ['a', 'b', '', 'c']],
  ['bytes that are no text', '\xff\xfe\n\x80', '\n', ['\xff\xfe', '\x80']],
  ['long delimiters', 'one<END>two<EN><END>', '<END>', ['one', 'two<EN>']],
] as const) {
  test(`${what}, wherever the chunks are cut`, () => {
    const bytes = Buffer.from(input, 'latin1')
    for (let chunkSize = 1; chunkSize <= bytes.length + 1; chunkSize++) {
      assert.equal(
        piecesOf(bytes, { delimiter, chunkSize }),
        [...expected],
        `chunks of ${chunkSize}`,
      )
    }
  })
}

test('random bytes split as a plain split would', () => {
  let seed = 7
  const next = (bound: number) => (seed = (seed * 48271) % 2147483647) % bound
  for (let round = 0; round < 300; round++) {
    const delimiter = ['a', 'ab', 'aab', 'aba'][next(4)] ?? 'a'
    const text = Array.from({ length: next(60) }, () => 'abc'[next(3)]).join('')
    const expected = text.split(delimiter)
    if (expected.at(-1) === '') expected.pop()
    const found = piecesOf(Buffer.from(text), { delimiter, chunkSize: 1 + next(9) })
    assert.equal(found, expected, `${text} at ${delimiter}`)
  }
})

test('a piece in one chunk is a view, and a kept piece survives the next chunks', () => {
  const chunk = Buffer.from('one\ntw')
  const splitter = new PieceSplitter(Buffer.from('\n'), 100)
  splitter.push(chunk)
  assert.is(splitter.next()?.buffer, chunk.buffer)
  assert.is(splitter.next(), null)
  splitter.push(Buffer.from('o\nthr'))
  const second = splitter.next()
  assert.is(splitter.next(), null)
  splitter.push(Buffer.from('ee\n'))
  assert.is(Buffer.from(splitter.next() ?? []).toString(), 'three')
  assert.is(Buffer.from(second ?? []).toString(), 'two')
})

for (const chunkSize of [1, 3, 50]) {
  test(`a piece over the bound is an error, in chunks of ${chunkSize}`, () => {
    const fits = { delimiter: '\r\n', chunkSize, maxBytes: 10 }
    assert.equal(piecesOf(Buffer.from('0123456789\r\nx'), fits), ['0123456789', 'x'])
    assert.throws(
      () => piecesOf(Buffer.from('ok\r\n0123456789ABCDEF\r\n'), fits),
      (error: Error) => error instanceof PieceTooLargeError && error.message.includes('10'),
    )
  })
}
