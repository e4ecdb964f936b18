import { mkdtempSync } from 'node:fs'
import { rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Disk,
  hasErrorCode,
  LockedError,
  readFile,
  writeFileAtomic,
} from '../../lib/io/disk.ts'
import { MemoryDisk, nativeError, type PowerCut } from '../../lib/io/memory/disk.ts'
import { nodeDisk } from '../../lib/io/node/disk.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('disk')
const folder = mkdtempSync(join(tmpdir(), 'ottla-disk-'))
test.after(() => rm(folder, { recursive: true, force: true }))

const bytes = (text: string) => Buffer.from(text)
const text = (content: Uint8Array | null) =>
  content === null ? null : Buffer.from(content).toString()

/** Both implementations must behave alike: each test below runs on both. */
const disks: [name: string, disk: Disk, root: string][] = [
  ['node', nodeDisk, folder],
  ['memory', new MemoryDisk(), '/root'],
]
test.before(async () => disks[1]?.[1].mkdir('/root'))

for (const [name, disk, root] of disks) {
  test(`${name}: bytes appended and written in place are read back`, async () => {
    const file = await disk.open(join(root, 'a'), 'create')
    await file.append([bytes('hello '), bytes(''), bytes('world')])
    await file.append([bytes('!')])
    await file.writeAt([bytes('H')], 0)
    await file.writeAt([bytes('+'), bytes('+')], 14)
    assert.is(await file.size(), 16)
    const target = new Uint8Array(20)
    assert.is(await file.readAt(target, 0), 16)
    assert.is(text(target.subarray(0, 16)), 'Hello world!\0\0++')
    assert.is(await file.readAt(target, 16), 0)
    await file.truncate(5)
    await file.truncate(7)
    assert.is(text(await readFile(disk, join(root, 'a'))), 'Hello\0\0')
    await file.sync()
    await file.close()
  })

  test(`${name}: more buffers than one system call takes`, async () => {
    const file = await disk.open(join(root, 'many'), 'create')
    await file.append(Array.from({ length: 3000 }, (_, index) => bytes(String(index % 10))))
    assert.is(await file.size(), 3000)
    const target = new Uint8Array(10)
    await file.readAt(target, 2990)
    assert.is(text(target), '0123456789')
    await file.close()
  })

  test(`${name}: directories are made with parents, listed by name, renamed and removed`, async () => {
    await disk.mkdir(join(root, 'd/e/f'))
    await disk.mkdir(join(root, 'd/e/f'))
    await writeFileAtomic(disk, join(root, 'd/z'), bytes('1'))
    await writeFileAtomic(disk, join(root, 'd/b'), bytes('2'))
    await writeFileAtomic(disk, join(root, 'd/b'), bytes('3'))
    assert.equal(await disk.list(join(root, 'd')), [
      { name: 'b', kind: 'file' },
      { name: 'e', kind: 'directory' },
      { name: 'z', kind: 'file' },
    ])
    await disk.rename(join(root, 'd/b'), join(root, 'd/z'))
    assert.is(text(await readFile(disk, join(root, 'd/z'))), '3')
    await disk.rename(join(root, 'd'), join(root, 'moved'))
    await disk.remove(join(root, 'moved'))
    await disk.remove(join(root, 'moved'))
    assert.ok(hasErrorCode(await rejection(disk.list(join(root, 'moved'))), 'ENOENT'))
  })

  test(`${name}: what is not there is ENOENT, and null for readFile`, async () => {
    assert.ok(hasErrorCode(await rejection(disk.open(join(root, 'none'), 'read')), 'ENOENT'))
    assert.ok(hasErrorCode(await rejection(disk.open(join(root, 'none'), 'write')), 'ENOENT'))
    assert.ok(
      hasErrorCode(await rejection(disk.rename(join(root, 'none'), join(root, 'x'))), 'ENOENT'),
    )
    assert.is(await readFile(disk, join(root, 'none')), null)
  })

  test(`${name}: a file opened for reading cannot be written`, async () => {
    await writeFileAtomic(disk, join(root, 'ro'), bytes('x'))
    const file = await disk.open(join(root, 'ro'), 'read')
    assert.ok(hasErrorCode(await rejection(file.writeAt([bytes('y')], 0)), 'EBADF'))
    await file.close()
  })

  test(`${name}: a directory is locked by one owner at a time`, async () => {
    await disk.mkdir(join(root, 'locked'))
    const lock = await disk.lock(join(root, 'locked'))
    assert.instance(await rejection(disk.lock(join(root, 'locked'))), LockedError)
    await lock.release()
    await (await disk.lock(join(root, 'locked'))).release()
  })

  test(`${name}: readFile refuses a file larger than expected`, async () => {
    await writeFileAtomic(disk, join(root, 'large'), bytes('12345'))
    assert.match((await rejection(readFile(disk, join(root, 'large'), 4))).message, '5 bytes')
  })
}

test('node: a symbolic link is not followed', async () => {
  await symlink('/etc/hostname', join(folder, 'link'))
  assert.ok(hasErrorCode(await rejection(nodeDisk.open(join(folder, 'link'), 'read')), 'ELOOP'))
})

test('memory: a crash loses what was not synced, in files and in directories', async () => {
  const disk = new MemoryDisk({ tracksDurability: true })
  await disk.mkdir('/d')
  await disk.syncDir('/')
  const file = await disk.open('/d/kept', 'create')
  await file.append([bytes('synced')])
  await file.sync()
  await disk.syncDir('/d')
  await file.append([bytes(' lost')])
  await disk.open('/d/lost', 'create')
  disk.crash()
  assert.equal(await disk.list('/d'), [{ name: 'kept', kind: 'file' }])
  assert.is(text(await readFile(disk, '/d/kept')), 'synced')
  assert.ok(hasErrorCode(await rejection(file.append([bytes('x')])), 'EBADF'))
})

test('memory: a crash may keep part of the unsynced bytes', async () => {
  const disk = new MemoryDisk({ tracksDurability: true })
  const file = await disk.open('/torn', 'create')
  await disk.syncDir('/')
  await file.append([bytes('abcdef')])
  disk.crash((durable, current) => current.subarray(0, durable.length + 2))
  assert.is(text(await readFile(disk, '/torn')), 'ab')
})

test('memory: a full disk answers ENOSPC and works again when there is room', async () => {
  const disk = new MemoryDisk({ capacityBytes: 10 })
  const file = await disk.open('/f', 'create')
  await file.append([bytes('12345678')])
  assert.ok(hasErrorCode(await rejection(file.append([bytes('901')])), 'ENOSPC'))
  await file.truncate(0)
  await file.append([bytes('1234567890')])
  assert.equal(await disk.free(), { freeBytes: 0, totalBytes: 10 })
})

/** A file of three pages `a`, synced, then pages 1 and 2 written with `b`. */
async function dirtyFile(disk: MemoryDisk) {
  await disk.mkdir('/d')
  await disk.syncDir('/')
  const file = await disk.open('/d/f', 'create')
  await disk.syncDir('/d')
  await file.writeAt([Buffer.alloc(12_288, 'a')], 0)
  await file.sync()
  await file.writeAt([Buffer.alloc(10_000, 'b')], 4096)
  return file
}

/** Runs of equal bytes, as text. */
const runs = (bytes: Uint8Array) =>
  Buffer.from(bytes)
    .toString('latin1')
    .replaceAll('\0', '0')
    .replace(/(.)\1*/g, (run) => `${run[0]}${run.length} `)
    .trim()

test('a power cut decides page by page, and may tear one', async () => {
  for (const [fates, keepsSize, expected] of [
    [['lost', 'lost', 'lost'], false, 'a12288'],
    [['kept', 'lost', 'lost'], false, 'a4096 b4096 a4096'],
    [['lost', 'kept', 'lost'], false, 'a8192 b4096'],
    [['kept', 'kept', 'kept'], false, 'a4096 b10000'],
    [['lost', 'lost', 'kept'], false, 'a12288 b1808'],
    [['kept', 'kept', 'lost'], true, 'a4096 b8192 01808'],
    [[{ tornAt: 512 }, 'lost', 'lost'], false, 'a4096 b512 a7680'],
  ] as const) {
    const disk = new MemoryDisk({ tracksDurability: true })
    await dirtyFile(disk)
    const page = (index: number) => fates[index - 1] ?? 'lost'
    disk.cutPower({ file: () => ({ page, keepsSize }), changesKept: (_, count) => count })
    assert.is(runs((await readFile(disk, '/d/f')) ?? new Uint8Array(0)), expected)
  }
})

test('after a sync that failed the bytes are read, and never written unless written again', async () => {
  const disk = new MemoryDisk({ tracksDurability: true })
  const file = await dirtyFile(disk)
  disk.beforeEach = (operation) => {
    if (operation === 'sync') throw nativeError('EIO', 'sync', '/d/f')
  }
  await rejection(file.sync())
  disk.beforeEach = () => {}
  await file.writeAt([Buffer.from('c')], 8192)
  await file.sync()
  disk.killProcess()
  assert.is(runs((await readFile(disk, '/d/f')) ?? new Uint8Array(0)), 'a4096 b4096 c1 b5903')
  disk.crash()
  assert.is(runs((await readFile(disk, '/d/f')) ?? new Uint8Array(0)), 'a8192 c1 b4095 01808')
})

/** `/d` with the file `a`, both durable. */
async function withOneFile(): Promise<MemoryDisk> {
  const disk = new MemoryDisk({ tracksDurability: true })
  await disk.mkdir('/d')
  await disk.syncDir('/')
  await disk.open('/d/a', 'create')
  await disk.syncDir('/d')
  return disk
}

/** Cuts the power with all bytes of files lost that were not synced; gives the names left in `/d`. */
async function namesAfterCut(
  disk: MemoryDisk,
  directory: Pick<PowerCut, 'changesKept' | 'keepsChange'>,
): Promise<string[]> {
  disk.cutPower({ file: () => ({ page: () => 'lost', keepsSize: false }), ...directory })
  return (await disk.list('/d')).map(({ name }) => name)
}

test('a power cut keeps the first changes of a directory, and loses the rest', async () => {
  for (const [kept, names] of [
    [0, ['a']],
    [1, ['a', 'b']],
    [2, ['b', 'c']],
    [3, ['b']],
  ] as const) {
    const disk = await withOneFile()
    await disk.open('/d/b', 'create')
    await disk.rename('/d/a', '/d/c')
    await disk.remove('/d/c')
    assert.equal(await namesAfterCut(disk, { changesKept: () => kept }), names)
  }
})

test('a power cut may keep changes of a directory out of order, but no half of what goes together', async () => {
  for (const [lost, names] of [
    [[], ['b.swap', 'c']],
    [['create b'], ['c']],
    [['rename b'], ['b', 'c']],
    [['create c'], ['b.swap']],
    [
      ['remove a', 'create c'],
      ['a', 'b.swap'],
    ],
  ] as const) {
    const disk = await withOneFile()
    await disk.open('/d/b', 'create')
    await disk.rename('/d/b', '/d/b.swap')
    await disk.remove('/d/a')
    await disk.open('/d/c', 'create')
    // It is not asked about the rename when the file itself is lost.
    const asked = ['create b', 'rename b', 'remove a', 'create c'].filter(
      (change) => change !== 'rename b' || !lost.some((one) => one === 'create b'),
    )
    const keepsChange = () => {
      const change = asked.shift()
      return !lost.some((one) => one === change)
    }
    assert.equal(await namesAfterCut(disk, { changesKept: () => 0, keepsChange }), names)
  }
})

test('a killed process loses its files and locks, the page cache stays', async () => {
  const disk = new MemoryDisk({ tracksDurability: true })
  const file = await dirtyFile(disk)
  await disk.lock('/d')
  disk.killProcess()
  await rejection(file.sync())
  await disk.lock('/d')
  assert.is(((await readFile(disk, '/d/f')) ?? []).length, 14_096)
})
