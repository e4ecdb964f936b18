/**
 * The machine's file system. A directory is held by a lock that dies with the process where the
 * system has one.
 */

import { constants, promises as fs } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import {
  type DirectoryEntry,
  type Disk,
  type DiskLock,
  hasErrorCode,
  LockedError,
} from '../disk.ts'
import { NodeFile } from './file.ts'
import { whenHandles } from './handles.ts'
import { nodeThreads } from './threads.ts'

export const nodeDisk: Disk = {
  get threads() {
    return nodeThreads()
  },
  open: NodeFile.open,
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => whenHandles(() => fs.rm(path, { recursive: true, force: true })),
  list,
  async mkdir(path) {
    await fs.mkdir(path, { recursive: true, mode: 0o700 })
  },
  syncDir,
  async free(path) {
    const { bavail, blocks, bsize } = await fs.statfs(path)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  },
  lock: (directory) =>
    process.platform === 'linux' ? lockBySocket(directory) : lockByFile(directory),
}

async function list(path: string): Promise<DirectoryEntry[]> {
  const entries = await whenHandles(() => fs.readdir(path, { withFileTypes: true }))
  const kindOf = (entry: { isFile(): boolean; isDirectory(): boolean }): DirectoryEntry['kind'] =>
    entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other'
  return entries
    .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function syncDir(path: string): Promise<void> {
  // Windows cannot open a directory; there a rename is durable with its file.
  if (process.platform === 'win32') return
  const handle = await whenHandles(() => fs.open(path, constants.O_RDONLY))
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * An abstract socket named by the directory's device and inode: the kernel frees it when the
 * process dies, however it dies, and there is no file to be left behind or copied.
 */
async function lockBySocket(directory: string): Promise<DiskLock> {
  const { dev, ino } = await fs.stat(directory, { bigint: true })
  const name = process
    .getBuiltinModule('node:crypto')
    .createHash('sha256')
    .update(`${dev}:${ino}`)
    .digest('hex')
    .slice(0, 32)
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const isHeld = hasErrorCode(error, 'EADDRINUSE')
      reject(isHeld ? new LockedError(`${directory} is in use by another running broker`) : error)
    })
    server.listen(`\0ottla-${name}`, resolve)
  })
  server.unref()
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Elsewhere: a file with the owner's pid; one whose owner is gone is taken over. */
async function lockByFile(directory: string): Promise<DiskLock> {
  const path = join(directory, '.lock')
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await fs.writeFile(path, `${process.pid}\n`, { flag: 'wx', mode: 0o600 })
      return { release: () => fs.rm(path, { force: true }) }
    } catch (error) {
      if (!hasErrorCode(error, 'EEXIST')) throw error
    }
    const owner = Number.parseInt(await fs.readFile(path, 'utf8'), 10)
    if (isAlive(owner))
      throw new LockedError(`${directory} is in use by the broker with pid ${owner}`)
    await fs.rm(path, { force: true })
  }
  throw new LockedError(`${path} is taken again and again by others`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasErrorCode(error, 'EPERM')
  }
}
