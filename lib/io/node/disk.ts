/**
 * The machine's file system. Files are opened without following a symbolic link in the last place
 * (O_NOFOLLOW) and created for their owner only. `append` and `writeAt` go out as one writev;
 * short writes are continued. `sync` is fdatasync: bytes and size, not the times. Small
 * writes are done in the calling thread while that is quick (small-operations.ts).
 *
 * Many logs may want a small file for a moment at the same time. Whoever finds no handle left
 * (EMFILE) waits for one to be closed and tries again, for `handleWaitMs` at most.
 */

import { constants, promises as fs, writevSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import {
  type DirectoryEntry,
  type Disk,
  type DiskFile,
  type DiskLock,
  hasErrorCode,
  LockedError,
  type OpenMode,
} from '../disk.ts'
import { SmallOperations } from './small-operations.ts'

const flags: Record<OpenMode, number> = {
  read: constants.O_RDONLY | constants.O_NOFOLLOW,
  write: constants.O_RDWR | constants.O_NOFOLLOW,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
}

/** IOV_MAX on Linux and macOS: more buffers in one call are refused. */
const buffersPerWriteMax = 1024

const handleWaitMs = 5000
const handlePollMs = 5

/** Runs `open` again while the process has no handle left. */
async function whenHandles<T>(open: () => Promise<T>): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += handlePollMs) {
    try {
      return await open()
    } catch (error) {
      const isShort = hasErrorCode(error, 'EMFILE') || hasErrorCode(error, 'ENFILE')
      if (!isShort || waitedMs >= handleWaitMs) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, handlePollMs))
  }
}

const small = new SmallOperations()

class NodeFile implements DiskFile {
  readonly #handle: FileHandle
  readonly #path: string

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle
    this.#path = path
  }

  async readAt(target: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < target.length) {
      const length = target.length - filled
      // Never in this thread: replies of readers that catch up would pile up before they leave.
      const { bytesRead: count } = await this.#handle.read(
        target,
        filled,
        length,
        position + filled,
      )
      if (count === 0) break
      filled += count
    }
    return filled
  }

  async writeAt(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let at = position
    for (let from = 0; from < buffers.length; from += buffersPerWriteMax) {
      at += await this.#writeAll(buffers.slice(from, from + buffersPerWriteMax), at)
    }
  }

  async append(buffers: readonly Uint8Array[]): Promise<void> {
    await this.writeAt(buffers, await this.size())
  }

  /** Writes at most 1,024 buffers at `position`, going on after a short write; resolves with the bytes written. */
  async #writeAll(buffers: readonly Uint8Array[], position: number): Promise<number> {
    let size = 0
    for (const buffer of buffers) size += buffer.length
    let rest = buffers
    let written = 0
    while (written < size) {
      const at = position + written
      const count = small.fits(size - written)
        ? small.run(() => writevSync(this.#handle.fd, rest, at))
        : (await this.#handle.writev(rest, at)).bytesWritten
      if (count === 0)
        throw new Error(`${this.#path}: the system wrote 0 of ${size - written} bytes`)
      written += count
      if (written < size) rest = withoutFirst(rest, count)
    }
    return written
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes)
  }

  sync(): Promise<void> {
    return this.#handle.datasync()
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** The buffers without their first `count` bytes. */
function withoutFirst(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  let skip = count
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length
    else {
      rest.push(skip > 0 ? buffer.subarray(skip) : buffer)
      skip = 0
    }
  }
  return rest
}

export const nodeDisk: Disk = {
  async open(path, mode) {
    return new NodeFile(await whenHandles(() => fs.open(path, flags[mode], 0o600)), path)
  },
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
