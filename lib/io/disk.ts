/**
 * Files and directories, as a parameter. Paths are absolute. Errors are native ones with a `code`
 * (ENOENT, ENOSPC, EIO, ...). Nothing is durable before `sync` (bytes of a file) or `syncDir`
 * (creates, renames and removes inside a directory) has resolved.
 */

import { DecodeError } from '../base/errors.ts'
import { planted } from '../base/planted.ts'
import type { Threads } from './threads.ts'

/** read: must exist. write: read and write, must exist. create: read and write, created if absent. */
export type OpenMode = 'read' | 'write' | 'create'

export interface DirectoryEntry {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'other'
}

export interface DiskLock {
  release(): Promise<void>
}

export interface Disk {
  /** Nothing outlives the process: there is nothing to make durable. */
  readonly isVolatile?: boolean
  /** Threads that see the same files, where there are any. */
  readonly threads?: Threads | null
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Replaces `to` when it exists. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file or a whole tree; nothing there is no error. Never follows a symbolic link. */
  remove(path: string): Promise<void>
  /** Sorted by name. */
  list(path: string): Promise<DirectoryEntry[]>
  /** Creates it with its parents, for its owner only (0700); existing is no error. */
  mkdir(path: string): Promise<void>
  syncDir(path: string): Promise<void>
  free(path: string): Promise<{ freeBytes: number; totalBytes: number }>
  /**
   * Exclusive hold on an existing directory by this process; freed by the system when it dies.
   * Throws LockedError when another holds it.
   */
  lock(directory: string): Promise<DiskLock>
}

export interface DiskFile {
  /** Fills `target` from `position`; resolves with the bytes read, fewer only at the end of the file. */
  readAt(target: Uint8Array, position: number): Promise<number>
  /** Writes all of it or throws. */
  writeAt(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Writes all of it at the end of the file, in one call to the system where it can, or throws. */
  append(buffers: readonly Uint8Array[]): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  /** Bytes and size are on the medium when it resolves. A failure is never to be retried. */
  sync(): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export class LockedError extends Error {
  override readonly name = 'LockedError'
}

/** Whether `error` is a native one with this code. */
export function hasErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** A whole file; null when there is none. DecodeError when it is larger than `maxBytes`. */
export async function readFile(
  disk: Disk,
  path: string,
  maxBytes = 64 * 1024 * 1024,
): Promise<Uint8Array | null> {
  let file: DiskFile
  try {
    file = await disk.open(path, 'read')
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return null
    throw error
  }
  try {
    const size = await file.size()
    if (size > maxBytes)
      throw new DecodeError(`${path}: ${size} bytes, at most ${maxBytes} expected`)
    const bytes = new Uint8Array(size)
    const count = await file.readAt(bytes, 0)
    return count === size ? bytes : bytes.subarray(0, count)
  } finally {
    await file.close()
  }
}

/** Replaces a file so that a crash leaves either the old or the new content: temp, sync, rename, sync. */
export async function writeFileAtomic(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`
  await disk.remove(temporary)
  const file = await disk.open(temporary, 'create')
  try {
    await file.writeAt([bytes], 0)
    if (!planted.checkpointUnsynced) await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, path)
  await disk.syncDir(path.slice(0, path.lastIndexOf('/')) || '/')
}
