import { readFile, writeFileAtomic } from '../../lib/io/disk.ts'
import { MemoryDisk } from '../../lib/io/memory/disk.ts'
import { LossyDisk } from '../../lib/io/memory/lossy-disk.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('lossy-disk')
const root = '/data'

/** A lossy disk over one in memory, and what is on the latter: what a power cut leaves. */
async function world() {
  const below = new MemoryDisk()
  const text = async (path: string) => {
    const bytes = await readFile(below, path)
    return bytes === null ? null : Buffer.from(bytes).toString()
  }
  return { below, text, disk: await LossyDisk.open(below, root) }
}

async function write(disk: LossyDisk, path: string, text: string, isSynced: boolean) {
  const file = await disk.open(path, 'create')
  await file.writeAt([Buffer.from(text)], 0)
  if (isSynced) await file.sync()
  return file
}

test('bytes go to the disk at the sync of the file, its name at that of the directory', async () => {
  const { disk, text } = await world()
  const file = await write(disk, '/data/a', 'one', true)
  assert.is(await text('/data/a'), null)
  await disk.syncDir(root)
  assert.is(await text('/data/a'), 'one')
  await file.append([Buffer.from(' two')])
  assert.is(await text('/data/a'), 'one')
  assert.is(Buffer.from((await readFile(disk, '/data/a')) ?? []).toString(), 'one two')
  await file.sync()
  assert.is(await text('/data/a'), 'one two')
  await file.truncate(3)
  assert.is(await text('/data/a'), 'one two')
  await file.sync()
  assert.is(await text('/data/a'), 'one')
})

test('a file that appears has what was synced of it', async () => {
  const { disk, text } = await world()
  const file = await write(disk, '/data/a', 'one', true)
  await file.append([Buffer.from('!')])
  await disk.syncDir(root)
  assert.is(await text('/data/a'), 'one')
})

test('only what changed of a large file is written', async () => {
  const { disk, below } = await world()
  const file = await write(disk, '/data/a', 'x'.repeat(50_000), true)
  await disk.syncDir(root)
  const writes: string[] = []
  below.beforeEach = (operation) => void writes.push(operation)
  await file.writeAt([Buffer.from('yy')], 20_000)
  await file.sync()
  assert.equal(writes, ['open', 'write'])
  below.beforeEach = () => {}
  const bytes = Buffer.from((await readFile(below, '/data/a')) ?? [])
  assert.is(bytes.length, 50_000)
  assert.is(bytes.indexOf('yy'), 20_000)
})

test('renames and removes happen when the directory is synced', async () => {
  const { disk, text } = await world()
  await write(disk, '/data/a', 'old', true)
  await write(disk, '/data/gone', 'x', true)
  await disk.syncDir(root)
  await write(disk, '/data/a.tmp', 'new', true)
  await disk.rename('/data/a.tmp', '/data/a')
  await disk.remove('/data/gone')
  assert.equal([await text('/data/a'), await text('/data/gone')], ['old', 'x'])
  await disk.syncDir(root)
  assert.equal(
    [await text('/data/a'), await text('/data/a.tmp'), await text('/data/gone')],
    ['new', null, null],
  )
})

test('a directory comes with what was synced in it, moves with it, and goes', async () => {
  const { disk, text, below } = await world()
  await disk.mkdir('/data/making')
  await write(disk, '/data/making/kept', 'k', true)
  await disk.syncDir('/data/making')
  const late = await write(disk, '/data/making/late', 'l', true)
  await disk.rename('/data/making', '/data/log')
  assert.equal(await below.list(root), [])
  await disk.syncDir(root)
  assert.equal([await text('/data/log/kept'), await text('/data/log/late')], ['k', null])
  await disk.syncDir('/data/log')
  assert.is(await text('/data/log/late'), 'l')
  await disk.rename('/data/log', '/data/moved')
  await disk.syncDir(root)
  await late.append([Buffer.from('!')])
  await late.sync()
  assert.is(await text('/data/moved/late'), 'l!')
  await disk.remove('/data/moved')
  await disk.syncDir(root)
  assert.equal(await below.list(root), [])
})

test('what is on the disk is there again when it is opened', async () => {
  const { disk, below } = await world()
  await disk.mkdir('/data/log')
  await disk.syncDir(root)
  await writeFileAtomic(disk, '/data/log/a', Buffer.from('one'))
  await write(disk, '/data/log/b', 'lost', false)
  const again = await LossyDisk.open(below, root)
  assert.equal(await again.list('/data/log'), [{ name: 'a', kind: 'file' }])
  assert.is(Buffer.from((await readFile(again, '/data/log/a')) ?? []).toString(), 'one')
})
