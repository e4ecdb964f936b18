import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeDisk } from '../../lib/io/node/disk.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('node file')
const folder = mkdtempSync(join(tmpdir(), 'ottla-node-file-'))
test.after(() => rm(folder, { recursive: true, force: true }))

test('nothing reaches a handle that is closed: its number may be of another file by now', async () => {
  const file = await nodeDisk.open(join(folder, 'closed'), 'create')
  await file.writeAt([Buffer.from('abc')], 0)
  await file.close()
  const other = await nodeDisk.open(join(folder, 'other'), 'create')
  const large = Buffer.alloc(1_000_000)
  for (const use of [
    () => file.readAt(Buffer.alloc(3), 0),
    () => file.readAt(large, 0),
    () => file.writeAt([Buffer.from('x')], 0),
    () => file.writeAt([large], 0),
    () => file.append([Buffer.from('x')]),
    () => file.truncate(0),
    () => file.sync(),
    () => file.size(),
  ]) {
    assert.match((await rejection(use())).message, /EBADF: .*closed is closed/)
  }
  await file.close()
  assert.is(await other.size(), 0)
  await other.close()
})

test('a handle is closed when what the threads have in work is done', async () => {
  const file = await nodeDisk.open(join(folder, 'busy'), 'create')
  const large = Buffer.alloc(5_000_000, 'l')
  const ended: string[] = []
  const work = [
    file.writeAt([large], 0).then(() => ended.push('write')),
    file.sync().then(() => ended.push('sync')),
    file.close().then(() => ended.push('close')),
  ]
  await Promise.all(work)
  assert.is(ended.at(-1), 'close')
  assert.is(ended.length, 3)
})
