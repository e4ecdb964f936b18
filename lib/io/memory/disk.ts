/**
 * A file system in memory: for `--memory`, for tests and for the simulator. With
 * `tracksDurability` it remembers what was synced, and `crash` falls back to that: bytes since the
 * file's last `sync`, and creates, renames and removes since the directory's last `syncDir`, are
 * lost (or kept in part, as the caller chooses). `beforeEach` may throw to play a failing disk.
 */

import { basename, dirname } from 'node:path'
import {
  type DirectoryEntry,
  type Disk,
  type DiskFile,
  type DiskLock,
  LockedError,
  type OpenMode,
} from '../disk.ts'
import { BlockFile } from './block-file.ts'

interface FileNode {
  readonly kind: 'file'
  readonly content: BlockFile
  durable: Uint8Array
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly entries: Map<string, Node>
  durableEntries: Map<string, Node>
}

type Node = FileNode | DirectoryNode

export type DiskOperation =
  | 'open'
  | 'rename'
  | 'remove'
  | 'list'
  | 'mkdir'
  | 'syncDir'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'

export interface MemoryDiskOptions {
  readonly tracksDurability?: boolean
  readonly capacityBytes?: number
}

export class MemoryDisk implements Disk {
  /** Called before each operation; what it throws (or rejects with) is the operation's failure. */
  beforeEach: (operation: DiskOperation, path: string) => void | Promise<void> = () => {}
  capacityBytes: number
  readonly isVolatile: boolean
  readonly #tracksDurability: boolean
  readonly #locks = new Set<string>()
  #root: DirectoryNode = newDirectory()
  #usedBytes = 0
  /** Counts crashes: files opened before one are dead after it. */
  #era = 0

  constructor({
    tracksDurability = false,
    capacityBytes = Number.MAX_SAFE_INTEGER,
  }: MemoryDiskOptions = {}) {
    this.#tracksDurability = tracksDurability
    this.isVolatile = !tracksDurability
    this.capacityBytes = capacityBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.beforeEach('open', path)
    const parent = this.#directory(dirname(path))
    let node = parent.entries.get(basename(path))
    if (!node && mode === 'create') {
      node = { kind: 'file', content: new BlockFile(), durable: new Uint8Array(0) }
      parent.entries.set(basename(path), node)
    }
    if (!node) throw nativeError('ENOENT', 'open', path)
    if (node.kind === 'directory') throw nativeError('EISDIR', 'open', path)
    return this.#handle(node, path, mode)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.beforeEach('rename', from)
    const source = this.#directory(dirname(from))
    const node = source.entries.get(basename(from))
    if (!node) throw nativeError('ENOENT', 'rename', from)
    const target = this.#directory(dirname(to))
    const replaced = target.entries.get(basename(to))
    if (replaced?.kind === 'directory' && replaced.entries.size > 0)
      throw nativeError('ENOTEMPTY', 'rename', to)
    source.entries.delete(basename(from))
    target.entries.set(basename(to), node)
    if (replaced) this.#usedBytes -= sizeOf(replaced)
  }

  async remove(path: string): Promise<void> {
    await this.beforeEach('remove', path)
    const parent = this.#find(dirname(path))
    if (parent?.kind !== 'directory') return
    const node = parent.entries.get(basename(path))
    if (!node) return
    parent.entries.delete(basename(path))
    this.#usedBytes -= sizeOf(node)
  }

  async list(path: string): Promise<DirectoryEntry[]> {
    await this.beforeEach('list', path)
    return [...this.#directory(path).entries]
      .map(([name, node]) => ({ name, kind: node.kind }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async mkdir(path: string): Promise<void> {
    await this.beforeEach('mkdir', path)
    let directory = this.#root
    for (const name of partsOf(path)) {
      let next = directory.entries.get(name)
      if (!next) {
        next = newDirectory()
        directory.entries.set(name, next)
      }
      if (next.kind === 'file') throw nativeError('EEXIST', 'mkdir', path)
      directory = next
    }
  }

  async syncDir(path: string): Promise<void> {
    await this.beforeEach('syncDir', path)
    const directory = this.#directory(path)
    if (this.#tracksDurability) directory.durableEntries = new Map(directory.entries)
  }

  async free(): Promise<{ freeBytes: number; totalBytes: number }> {
    return { freeBytes: this.capacityBytes - this.#usedBytes, totalBytes: this.capacityBytes }
  }

  async lock(directory: string): Promise<DiskLock> {
    this.#directory(directory)
    if (this.#locks.has(directory))
      throw new LockedError(`${directory} is in use by another running broker`)
    this.#locks.add(directory)
    return { release: async () => void this.#locks.delete(directory) }
  }

  /**
   * A power cut. Needs `tracksDurability`. `keep` chooses what a file holds afterwards from its
   * synced and its current bytes (default: only what was synced); open files are dead.
   */
  crash(
    keep: (durable: Uint8Array, current: Uint8Array, path: string) => Uint8Array = (durable) =>
      durable,
  ): void {
    if (!this.#tracksDurability) throw new Error('this disk does not track what was synced')
    this.#era++
    this.#locks.clear()
    this.#usedBytes = 0
    const restore = (directory: DirectoryNode, path: string): DirectoryNode => {
      const survivor = newDirectory()
      for (const [name, node] of directory.durableEntries) {
        const at = `${path}/${name}`
        survivor.entries.set(
          name,
          node.kind === 'directory' ? restore(node, at) : this.#survivingFile(node, at, keep),
        )
      }
      survivor.durableEntries = new Map(survivor.entries)
      return survivor
    }
    this.#root = restore(this.#root, '')
  }

  #survivingFile(
    node: FileNode,
    path: string,
    keep: (durable: Uint8Array, current: Uint8Array, path: string) => Uint8Array,
  ): FileNode {
    const bytes = keep(node.durable, node.content.bytes(), path)
    const content = new BlockFile()
    content.write(bytes, 0)
    this.#usedBytes += bytes.length
    return { kind: 'file', content, durable: bytes.slice() }
  }

  #handle(node: FileNode, path: string, mode: OpenMode): DiskFile {
    const era = this.#era
    let isOpen = true
    const enter = async (operation: DiskOperation) => {
      if (!isOpen || era !== this.#era) throw nativeError('EBADF', operation, path)
      if (mode === 'read' && (operation === 'write' || operation === 'truncate'))
        throw nativeError('EBADF', operation, path)
      await this.beforeEach(operation, path)
    }
    const write = (buffers: readonly Uint8Array[], position: number) => {
      let at = position
      for (const buffer of buffers) {
        const growth = Math.max(at + buffer.length - node.content.size, 0)
        if (this.#usedBytes + growth > this.capacityBytes)
          throw nativeError('ENOSPC', 'write', path)
        node.content.write(buffer, at)
        this.#usedBytes += growth
        at += buffer.length
      }
    }
    return {
      readAt: async (target, position) => {
        await enter('read')
        return node.content.read(target, position)
      },
      writeAt: async (buffers, position) => {
        await enter('write')
        write(buffers, position)
      },
      append: async (buffers) => {
        await enter('write')
        write(buffers, node.content.size)
      },
      truncate: async (sizeBytes) => {
        await enter('truncate')
        this.#usedBytes += sizeBytes - node.content.size
        node.content.resize(sizeBytes)
      },
      sync: async () => {
        await enter('sync')
        if (this.#tracksDurability) node.durable = node.content.bytes()
      },
      size: async () => node.content.size,
      close: async () => {
        isOpen = false
      },
    }
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of partsOf(path)) {
      if (node?.kind !== 'directory') return undefined
      node = node.entries.get(name)
    }
    return node
  }

  #directory(path: string): DirectoryNode {
    const node = this.#find(path)
    if (!node) throw nativeError('ENOENT', 'open', path)
    if (node.kind === 'file') throw nativeError('ENOTDIR', 'open', path)
    return node
  }
}

function newDirectory(): DirectoryNode {
  return { kind: 'directory', entries: new Map(), durableEntries: new Map() }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}

function sizeOf(node: Node): number {
  if (node.kind === 'file') return node.content.size
  let size = 0
  for (const child of node.entries.values()) size += sizeOf(child)
  return size
}

/** An error as the system would give it. */
export function nativeError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), {
    code,
    path,
    syscall: operation,
  })
}
