/**
 * A file of the machine's file system, opened without following a symbolic link in the last place
 * (O_NOFOLLOW) and created for its owner only. `append` and `writeAt` go out as one writev;
 * short writes are continued. `sync` is fdatasync: bytes and size, not the times. Small
 * operations are done in the calling thread while that is quick (small-operations.ts).
 */

import * as native from 'node:fs'
import { constants } from 'node:fs'
import { promisify } from 'node:util'
import type { DiskFile, OpenMode } from '../disk.ts'
import { whenHandles } from './handles.ts'
import { SmallOperations } from './small-operations.ts'

const flags: Record<OpenMode, number> = {
  read: constants.O_RDONLY | constants.O_NOFOLLOW,
  write: constants.O_RDWR | constants.O_NOFOLLOW,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
}

/** IOV_MAX on Linux and macOS: more buffers in one call are refused. */
const buffersPerWriteMax = 1024

const threads = {
  open: promisify(native.open),
  read: promisify(native.read),
  writev: promisify(native.writev),
  fstat: promisify(native.fstat),
  ftruncate: promisify(native.ftruncate),
  fdatasync: promisify(native.fdatasync),
  close: promisify(native.close),
}

const small = new SmallOperations()

/**
 * The number of a handle is given out again once it is closed: nothing may use it from then on, and
 * it is closed when the threads are done with it.
 */
export class NodeFile implements DiskFile {
  readonly #fd: number
  readonly #path: string
  readonly #mode: OpenMode
  #isClosed = false
  /** Operations that the threads have in work. */
  #inWork = 0
  #onIdle: (() => void) | null = null

  private constructor(fd: number, path: string, mode: OpenMode) {
    this.#fd = fd
    this.#path = path
    this.#mode = mode
  }

  static async open(path: string, mode: OpenMode): Promise<NodeFile> {
    const fd = await whenHandles(() =>
      small.fits(0)
        ? small.run(() => native.openSync(path, flags[mode], 0o600))
        : threads.open(path, flags[mode], 0o600),
    )
    return new NodeFile(fd, path, mode)
  }

  /** Small operations here, others in a thread. EBADF after `close`. */
  async #run<T>(
    sizeBytes: number,
    here: (fd: number) => T,
    inThread: (fd: number) => Promise<T>,
  ): Promise<T> {
    if (this.#isClosed) throw closedError(this.#path)
    if (small.fits(sizeBytes)) return small.run(() => here(this.#fd))
    return this.#inThread(inThread)
  }

  async #inThread<T>(operation: (fd: number) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw closedError(this.#path)
    this.#inWork++
    try {
      return await operation(this.#fd)
    } finally {
      this.#inWork--
      if (this.#inWork === 0) this.#onIdle?.()
    }
  }

  async readAt(target: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < target.length) {
      const length = target.length - filled
      const at = position + filled
      const from = filled
      const count = await this.#run(
        length,
        (fd) => native.readSync(fd, target, from, length, at),
        async (fd) => (await threads.read(fd, target, from, length, at)).bytesRead,
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
      const left = rest
      const count = await this.#run(
        size - written,
        (fd) => native.writevSync(fd, left, at),
        async (fd) => (await threads.writev(fd, left, at)).bytesWritten,
      )
      if (count === 0)
        throw new Error(`${this.#path}: the system wrote 0 of ${size - written} bytes`)
      written += count
      if (written < size) rest = withoutFirst(rest, count)
    }
    return written
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#inThread((fd) => threads.ftruncate(fd, sizeBytes))
  }

  sync(): Promise<void> {
    return this.#inThread(threads.fdatasync)
  }

  async size(): Promise<number> {
    const stats = await this.#run<native.Stats>(
      0,
      (fd) => native.fstatSync(fd),
      (fd) => threads.fstat(fd),
    )
    return stats.size
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#inWork > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    // The last handle of a file that was removed frees it: one that was written may be large.
    if (this.#mode === 'read' && small.fits(0)) small.run(() => native.closeSync(this.#fd))
    else await threads.close(this.#fd)
  }
}

function closedError(path: string): Error {
  return Object.assign(new Error(`EBADF: ${path} is closed`), { code: 'EBADF' })
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
