/**
 * What can happen to the files of a data directory while nobody looks: bits that flip, ends that are
 * missing, pages of zeros, files that are gone, are others', have other names or impossible sizes.
 */

import { type Random, randomBelow } from '../../../lib/io/random.ts'
import { root, type Tree } from './tree.ts'

export interface Damage {
  readonly kind: string
  /** Every path that was touched. */
  readonly paths: readonly string[]
  /** Valid bytes of another place now lie there: no format can tell that. */
  readonly isForeign: boolean
}

interface Scene {
  readonly tree: Tree
  readonly donor: Tree
  readonly random: Random
  readonly path: string
}

type Act = (scene: Scene) => Damage | null

const damage = (kind: string, ...paths: string[]): Damage => ({ kind, paths, isForeign: false })
const foreign = (kind: string, ...paths: string[]): Damage => ({ kind, paths, isForeign: true })

/** Replaces the bytes by what `change` makes of a copy. */
function changing(kind: string, change: (bytes: Buffer, random: Random) => Uint8Array): Act {
  return ({ tree, random, path }) => {
    const bytes = tree.files.get(path)
    if (bytes === undefined || bytes.length === 0) return null
    tree.files.set(path, change(Buffer.from(bytes), random))
    return damage(kind, path)
  }
}

function sameSuffix(tree: Tree, path: string, random: Random): string | undefined {
  const suffix = /[^/]*$/.exec(path)?.[0].replace(/^\d+/, '') ?? ''
  const others = [...tree.files.keys()].filter((other) => other !== path && other.endsWith(suffix))
  return others[randomBelow(random, Math.max(others.length, 1))]
}

function garbage(random: Random, count: number): Uint8Array {
  return random.bytes(count)
}

/** A name of the same length and sort, and some that are none. */
function otherName(path: string, random: Random): string {
  const renames = [
    path.replace(/\d{20}/, (digits) =>
      String(Number(digits) + 1 + randomBelow(random, 40)).padStart(20, '0'),
    ),
    path.replace(/\d{20}/, (digits) => digits.slice(1)),
    path.replace(/\d{20}/, '99999999999999999999'),
    path.replace(/\d{20}/, '00000009007199254740'),
    `${path}.swap`,
    `${path}.cleaned`,
    `${path}.deleted`,
    `${path}~`,
    path.toUpperCase().replace(root.toUpperCase(), root),
  ]
  return renames[randomBelow(random, renames.length)] ?? path
}

/** Sizes that a reader might believe, and some that it must not. */
const lengths = [
  0,
  1,
  -1,
  61,
  2 ** 20,
  2 ** 24 + 1,
  2 ** 26,
  2 ** 27,
  2 ** 27 + 1,
  2 ** 30,
  2 ** 31 - 1,
]
/** Where formats have sizes and counts: of a batch, a snapshot, a frame of the metadata, a journal's block. */
const lengthPositions: readonly (readonly [suffix: RegExp, magic: Buffer | null, at: number])[] = [
  [/\.log$/, null, 8],
  [/\.snapshot$/, null, 6],
  [/\/metadata\/(log|snapshot)$/, Buffer.from('OTLA'), 4],
  [/\.journal(-rest)?$/, Buffer.from('OTLJ'), 48],
  [/\.journal(-rest)?$/, Buffer.from('OTLJ'), 52],
  [/\.journal(-rest)?$/, Buffer.from('OTLJ'), 64 + 56],
]

/** A length says something else; in every second case the file is long enough for it. */
function lengthField({ tree, random, path }: Scene): Damage | null {
  const fitting = lengthPositions.filter(([suffix]) => suffix.test(path))
  const [, magic, at] = fitting[randomBelow(random, Math.max(fitting.length, 1))] ?? [null, null, 0]
  const bytes = Buffer.from(tree.files.get(path) ?? [])
  if (at === 0 || bytes.length < at + 4) return null
  const starts = startsOf(bytes, magic)
  const start = starts[randomBelow(random, Math.max(starts.length, 1))]
  const length = lengths[randomBelow(random, lengths.length)] ?? 0
  if (start === undefined || start + at + 4 > bytes.length) return null
  bytes.writeInt32BE(length, start + at)
  tree.files.set(path, bytes)
  if (randomBelow(random, 2) === 0) tree.sizes.set(path, Math.max(bytes.length, 2 ** 30))
  return damage(`length of ${length}`, path)
}

/** Where the things begin that have the field: at each magic, or one directly behind the other. */
function startsOf(bytes: Buffer, magic: Buffer | null): number[] {
  const starts: number[] = []
  if (magic === null) {
    for (let at = 0; at < bytes.length; at = nextOf(bytes, at)) starts.push(at)
    return starts
  }
  for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) starts.push(at)
  return starts
}

/** Where the next batch begins, or would. */
function nextOf(bytes: Buffer, start: number): number {
  const sizeBytes = start + 12 <= bytes.length ? bytes.readInt32BE(start + 8) : 0
  return sizeBytes > 0 ? start + 12 + sizeBytes : bytes.length
}

const acts: readonly Act[] = [
  changing('flip', (bytes, random) => {
    for (let count = 1 + randomBelow(random, 4); count > 0; count--) {
      const at = randomBelow(random, bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << randomBelow(random, 8))
    }
    return bytes
  }),
  changing('flip', (bytes, random) => {
    const at = randomBelow(random, bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << randomBelow(random, 8))
    return bytes
  }),
  changing('truncate', (bytes, random) => bytes.subarray(0, randomBelow(random, bytes.length))),
  changing('zero page', (bytes, random) => {
    const size = [64, 512, 4096][randomBelow(random, 3)] ?? 512
    const at = Math.floor(randomBelow(random, bytes.length) / size) * size
    return bytes.fill(0, at, Math.min(at + size, bytes.length))
  }),
  changing('duplicate region', (bytes, random) => {
    const from = randomBelow(random, bytes.length)
    const to = Math.min(from + 1 + randomBelow(random, 1000), bytes.length)
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to)])
  }),
  changing('garbage at the end', (bytes, random) =>
    Buffer.concat([bytes, garbage(random, 1 + randomBelow(random, 500))]),
  ),
  changing('zeros at the end', (bytes, random) =>
    Buffer.concat([bytes, Buffer.alloc(1 + randomBelow(random, 5000))]),
  ),
  changing('garbage inside', (bytes, random) => {
    const at = randomBelow(random, bytes.length)
    const written = garbage(random, Math.min(1 + randomBelow(random, 100), bytes.length - at))
    bytes.set(written, at)
    return bytes
  }),
  changing('region cut out', (bytes, random) => {
    const from = randomBelow(random, bytes.length)
    const to = Math.min(from + 1 + randomBelow(random, 500), bytes.length)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  }),
  changing('0 bytes', () => new Uint8Array(0)),
  ({ tree, path }) => {
    tree.files.delete(path)
    return damage('delete', path)
  },
  ({ tree, path }) => {
    tree.files.delete(path)
    return damage('delete', path)
  },
  ({ tree, random, path }) => {
    const to = otherName(path, random)
    const bytes = tree.files.get(path)
    if (to === path || bytes === undefined) return null
    tree.files.delete(path)
    tree.files.set(to, bytes)
    return foreign('wrong name', path, to)
  },
  ({ tree, random, path }) => {
    const to = otherName(path, random)
    if (tree.files.has(to)) return null
    tree.files.set(to, garbage(random, randomBelow(random, 2000)))
    return damage('file of garbage', to)
  },
  ({ tree, path }) => {
    if (tree.directories.has(path)) return null
    tree.files.delete(path)
    tree.directories.add(path)
    return damage('directory in place of the file', path)
  },
  ({ tree, random, path }) => {
    const sizes = [2 ** 27 + 5, 2 ** 31, 2 ** 40]
    tree.sizes.set(path, sizes[randomBelow(random, sizes.length)] ?? 2 ** 31)
    return damage('huge', path)
  },
  ({ tree, path }) => {
    tree.links.add(path)
    return damage('symbolic link', path)
  },
  lengthField,
  lengthField,
  ({ tree, random, path }) => {
    const other = sameSuffix(tree, path, random)
    const [one, two] = [tree.files.get(path), tree.files.get(other ?? '')]
    if (other === undefined || one === undefined || two === undefined) return null
    tree.files.set(path, two)
    tree.files.set(other, one)
    return foreign('swapped', path, other)
  },
  ({ tree, random, path }) => {
    const all = [...tree.files.keys()]
    const other = all[randomBelow(random, all.length)]
    const two = tree.files.get(other ?? '')
    if (other === undefined || other === path || two === undefined) return null
    tree.files.set(path, two)
    return foreign('another file here', path, other)
  },
  ({ tree, donor, random, path }) => {
    const bytes = donor.files.get(path) ?? donor.files.get(sameSuffix(donor, path, random) ?? '')
    if (bytes === undefined) return null
    tree.files.set(path, bytes)
    return foreign('of another directory', path)
  },
]

/** What happens to a whole directory. */
const directoryActs: readonly Act[] = [
  ({ tree, path }) => {
    removeDirectory(tree, path)
    return damage('directory deleted', path)
  },
  ({ tree, path }) => {
    if (path === root) return null
    removeDirectory(tree, path)
    tree.files.set(path, new Uint8Array(0))
    tree.links.add(path)
    return damage('directory became a symbolic link', path)
  },
  ({ tree, path }) => {
    const to = path.replace(/\d+$/, '7')
    if (to === path) return null
    for (const [name, bytes] of [...tree.files]) {
      if (name.startsWith(`${path}/`)) tree.files.set(to + name.slice(path.length), bytes)
    }
    return foreign('directory copied', path, to)
  },
  ({ tree, random, path }) => {
    const names = [
      path.replace(/\d+$/, '9'),
      `${path}~`,
      path.replace(/\/([a-z]+)-/, '/z$1-'),
      path.slice(0, -2),
    ]
    const to = names[randomBelow(random, names.length)] ?? path
    if (to === root || tree.directories.has(to) || tree.files.has(to)) return null
    if (!holdsFilesOnly(tree, path)) return null
    for (const [name, bytes] of [...tree.files]) {
      if (name.startsWith(`${path}/`)) tree.files.set(to + name.slice(path.length), bytes)
    }
    removeDirectory(tree, path)
    return damage('directory renamed', path, to)
  },
  ({ tree, random, path }) => {
    const others = [...tree.directories].filter((other) => other !== root && other !== path)
    const other = others[randomBelow(random, Math.max(others.length, 1))]
    if (other === undefined || ![path, other].every((one) => holdsFilesOnly(tree, one))) return null
    const moved = new Map<string, Uint8Array>()
    for (const [name, bytes] of tree.files) {
      if (name.startsWith(`${path}/`)) moved.set(other + name.slice(path.length), bytes)
      else if (name.startsWith(`${other}/`)) moved.set(path + name.slice(other.length), bytes)
    }
    for (const directory of [path, other]) {
      removeDirectory(tree, directory)
      tree.directories.add(directory)
    }
    for (const [name, bytes] of moved) tree.files.set(name, bytes)
    return foreign('directories swapped', path, other)
  },
  ({ tree, donor, path }) => {
    removeDirectory(tree, path)
    for (const [name, bytes] of donor.files) {
      if (name.startsWith(`${path}/`)) tree.files.set(name, bytes)
    }
    return foreign('directory of another data directory', path)
  },
]

/** Whether its names alone say what is in it: links and holes are known by their paths. */
function holdsFilesOnly({ directories, links, sizes }: Tree, path: string): boolean {
  const others = [...directories, ...links, ...sizes.keys()]
  return !others.some((known) => known.startsWith(`${path}/`))
}

function removeDirectory(tree: Tree, path: string): void {
  for (const known of [tree.files, tree.directories, tree.links, tree.sizes] as const) {
    for (const name of [...known.keys()]) {
      if (name === path || name.startsWith(`${path}/`)) known.delete(name)
    }
  }
}

/** Sorts of files: each is as likely as the others, however many there are of it. */
const sorts: readonly RegExp[] = [
  /\.log$/,
  /\.log$/,
  /\.log$/,
  /\.(index|timeindex)$/,
  /\.(index|timeindex)$/,
  /\.snapshot$/,
  /leader-epoch-checkpoint$/,
  /partition\.metadata$/,
  /\/data\/[^/]*checkpoint$/,
  /\/data\/[^/]*checkpoint$/,
  /meta\.properties$/,
  /\/metadata\//,
  /\/journal\//,
  /\/journal\//,
  /(cleanshutdown|broker\.json)$/,
  /./,
]

/** Changes one to three things; what they were. */
export function inflict(tree: Tree, donor: Tree, random: Random): Damage[] {
  const done: Damage[] = []
  const wanted = 1 + randomBelow(random, 3)
  for (let attempt = 0; attempt < 100 && done.length < wanted; attempt++) {
    const one =
      randomBelow(random, 15) === 0 ? ofDirectory(tree, donor, random) : ofFile(tree, donor, random)
    if (one !== null) done.push(one)
  }
  return done
}

function ofFile(tree: Tree, donor: Tree, random: Random): Damage | null {
  const sort = sorts[randomBelow(random, sorts.length)] ?? /./
  const paths = [...tree.files.keys()].filter((path) => sort.test(path) && !tree.links.has(path))
  const path = paths[randomBelow(random, Math.max(paths.length, 1))]
  const act = acts[randomBelow(random, acts.length)]
  return path === undefined ? null : (act?.({ tree, donor, random, path }) ?? null)
}

function ofDirectory(tree: Tree, donor: Tree, random: Random): Damage | null {
  const paths = [...tree.directories].filter((path) => path !== root)
  const path = paths[randomBelow(random, Math.max(paths.length, 1))]
  const act = directoryActs[randomBelow(random, directoryActs.length)]
  return path === undefined ? null : (act?.({ tree, donor, random, path }) ?? null)
}
