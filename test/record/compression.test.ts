import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import * as fc from 'fast-check'
import { type Codec, codecs, compress, decompress } from '../../lib/record/compression.ts'
import { compressZstdByWasm, decompressZstdByWasm } from '../../lib/record/compression-zstd.ts'
import { decodeError, mutated, seeded } from '../support/records.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('compression')
const mebibyte = 1024 * 1024
const hasNodeZstd = 'zstdCompressSync' in zlib

/** Each way to compress and expand: zstd has two. */
interface Way {
  name: string
  pack: (bytes: Uint8Array, level?: number) => Uint8Array
  unpack: (bytes: Uint8Array, maxBytes: number) => Uint8Array
}

const ways: Way[] = [
  ...codecs.map((codec) => ({
    name: codec,
    pack: (bytes: Uint8Array, level?: number) => compress(codec, bytes, level),
    unpack: (bytes: Uint8Array, maxBytes: number) => decompress(codec, bytes, maxBytes),
  })),
  { name: 'zstd by WebAssembly', pack: compressZstdByWasm, unpack: decompressZstdByWasm },
]

/** What `seq 1 3000` and 8,000 times a sentence print: the content of fixtures/records/codecs. */
const text = Buffer.from(
  `${Array.from({ length: 3000 }, (_, index) => `${index + 1}\n`).join('')}${'the quick brown fox jumps over the lazy dog\n'.repeat(8000)}`,
)

for (const { name, pack, unpack } of ways) {
  test(`${name} gives back what it was given`, () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), text, Buffer.alloc(300_000)]) {
      assert.ok(Buffer.from(unpack(pack(bytes), bytes.length)).equals(bytes))
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) =>
        Buffer.from(unpack(pack(bytes), bytes.length)).equals(bytes),
      ),
      { numRuns: 100, seed: 3 },
    )
  })

  test(`${name} refuses one byte more than the bound`, () => {
    const packed = pack(text)
    assert.is(unpack(packed, text.length).length, text.length)
    assert.match(
      decodeError(() => unpack(packed, text.length - 1))?.message ?? '',
      String(text.length - 1),
    )
  })

  if (name === 'none') continue

  test(`${name} cut off at any byte is a DecodeError`, () => {
    const packed = pack(text.subarray(0, 1000))
    for (let size = 1; size < packed.length; size++) {
      assert.ok(
        decodeError(() => unpack(packed.subarray(0, size), mebibyte)),
        `cut at ${size} of ${packed.length}`,
      )
    }
  })

  test(`${name} mutated gives bytes within the bound or a DecodeError`, () => {
    const random = seeded(9)
    const packed = pack(text.subarray(10_000, 16_000))
    for (let round = 0; round < 3000; round++) {
      decodeError(() => {
        assert.ok(unpack(mutated(packed, random), 8000).length <= 8000)
      })
    }
  })
}

for (const codec of ['gzip', 'zstd'] as const) {
  test(`${codec} heeds the level`, () => {
    const least = compress(codec, text, 1).length
    const most = compress(codec, text, codec === 'gzip' ? 9 : 19).length
    assert.ok(most < least, `level 1 gives ${least} bytes, the highest ${most}`)
  })
}

const folder = join('fixtures', 'records', 'codecs')
const byName: { [prefix: string]: Codec } = {
  gzip: 'gzip',
  lz4: 'lz4',
  snappy: 'snappy',
  zstd: 'zstd',
}

/** Fixtures written by the codecs' own tools and libraries. */
for (const file of readdirSync(folder)) {
  const codec = byName[file.split('-')[0] ?? ''] ?? 'none'
  const packed = readFileSync(join(folder, file))
  const content = file === 'snappy-xerial-1k.snappy' ? text.subarray(0, 40_000) : text
  const ours = ways.filter(({ name }) => name.startsWith(codec))

  for (const { name, unpack } of ours) {
    test(`${name} reads ${file}, bounded exactly`, () => {
      assert.ok(Buffer.from(unpack(packed, content.length)).equals(content))
      assert.ok(decodeError(() => unpack(packed, content.length - 1)))
    })

    test(`${name} reads ${file} twice in a row as one`, () => {
      const isRaw = file === 'snappy-raw.snappy'
      const twice = Buffer.concat([packed, packed])
      if (isRaw) assert.ok(decodeError(() => unpack(twice, 2 * content.length)))
      else {
        const both = Buffer.from(unpack(twice, 2 * content.length))
        assert.ok(both.equals(Buffer.concat([content, content])))
        assert.ok(decodeError(() => unpack(twice, 2 * content.length - 1)))
      }
    })
  }
}

if (hasNodeZstd) {
  test("Node's zstd and the WebAssembly one read each other", () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), text]) {
      const byNode = compress('zstd', bytes)
      assert.ok(Buffer.from(decompressZstdByWasm(byNode, text.length)).equals(bytes))
      const byWasm = compressZstdByWasm(bytes)
      assert.ok(Buffer.from(decompress('zstd', byWasm, text.length)).equals(bytes))
    }
  })
} else {
  test.skip("Node's zstd and the WebAssembly one read each other", 'this Node has no zstd')
}

test('skippable frames of lz4 and zstd are skipped', () => {
  const skippable = Buffer.from('502a4d1803000000616263', 'hex')
  for (const codec of ['lz4', 'zstd'] as const) {
    const packed = Buffer.concat([skippable, compress(codec, text), skippable])
    assert.ok(Buffer.from(decompress(codec, packed, text.length)).equals(text))
  }
})

test('lz4 is written as the Java client demands: version 1, independent blocks, nothing else', () => {
  for (const bytes of [Buffer.alloc(0), text, Buffer.alloc(5 * mebibyte)]) {
    const [, , , , flags] = compress('lz4', bytes)
    assert.is(flags, 0x60)
  }
})

test('lz4 frames are read with the header checksum of the old message sets, and no other', () => {
  const small = text.subarray(0, 1000)
  const packed = Buffer.from(compress('lz4', small))
  assert.is(packed.toString('hex', 4, 7), '604082')
  // Over the magic number too, as KAFKA-3160 tells.
  packed[6] = 0x1a
  assert.ok(Buffer.from(decompress('lz4', packed, small.length)).equals(small))
  packed[6] = 0x55
  assert.match(decodeError(() => decompress('lz4', packed, mebibyte))?.message ?? '', 'checksum 85')
})

/** Frames of zstd without a content size, of blocks that repeat a zero: 4 bytes for 128 KiB. */
function zstdBomb(sizeBytes: number): Buffer {
  const blocks = sizeBytes / (128 * 1024)
  const block = (isLast: number) => [(2 << 0) | isLast, 0, 0x10, 0]
  return Buffer.from([
    0x28,
    0xb5,
    0x2f,
    0xfd,
    0x00,
    0x58,
    ...Array.from({ length: blocks }, (_, index) => block(index === blocks - 1 ? 1 : 0)).flat(),
  ])
}

test('bombs of one gibibyte are refused and never expanded', () => {
  const zeros = Buffer.alloc(16 * mebibyte)
  const times = (packed: Uint8Array) => Buffer.concat(Array.from({ length: 64 }, () => packed))
  const xerialHeader = Buffer.from('82534e41505059000000000100000001', 'hex')
  const snappyBlock = compress('snappy', zeros)
  const blockSize = Buffer.alloc(4)
  blockSize.writeInt32BE(snappyBlock.length)
  const lie = Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x80, 0x04]), snappyBlock])
  const bombs: [string, Codec, Uint8Array][] = [
    ['gzip', 'gzip', times(compress('gzip', zeros))],
    [
      'xerial',
      'snappy',
      Buffer.concat([xerialHeader, times(Buffer.concat([blockSize, snappyBlock]))]),
    ],
    ['raw snappy that states 1 GiB', 'snappy', lie],
    ['lz4', 'lz4', times(compress('lz4', zeros))],
    ['zstd with sizes', 'zstd', times(compress('zstd', zeros))],
    ['zstd without sizes', 'zstd', zstdBomb(1024 * mebibyte)],
  ]
  const before = process.resourceUsage().maxRSS
  for (const [name, codec, bomb] of bombs) {
    assert.ok(
      decodeError(() => decompress(codec, bomb, 8 * mebibyte)),
      name,
    )
  }
  assert.ok(decodeError(() => decompressZstdByWasm(zstdBomb(1024 * mebibyte), 8 * mebibyte)))
  const grownMebibytes = (process.resourceUsage().maxRSS - before) / 1024
  assert.ok(grownMebibytes < 100, `${grownMebibytes} MiB more at the peak`)
})

test('what a bomb is made of reads when it is within the bound', () => {
  assert.is(decompress('zstd', zstdBomb(mebibyte), mebibyte).length, mebibyte)
  assert.is(decompressZstdByWasm(zstdBomb(mebibyte), mebibyte).length, mebibyte)
})
