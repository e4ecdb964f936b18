/**
 * A file system in memory: for `--memory`, for tests and for the simulator. With
 * `tracksDurability` it remembers what was synced, and `crash` and `cutPower` fall back to that: bytes
 * since the file's last `sync`, and creates, renames and removes since the directory's last `syncDir`,
 * are lost (or kept in part, as the caller chooses). `beforeEach` may throw to play a failing disk, or
 * wait to play a slow one; a sync that it fails leaves the file as a failed sync does (cached-file.ts).
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
import type { Threads } from '../threads.ts'
import { CachedFile, type FileFate } from './cached-file.ts'

interface FileNode {
  readonly kind: 'file'
  readonly file: CachedFile
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly entries: Map<string, Node>
  durableEntries: Map<string, Node>
  /** Changes of `entries` that are not durable, oldest first. */
  changes: EntryChange[]
}

/** A name gets a node, or (undefined) goes; a rename within a directory is one change of two names. */
type EntryChange = readonly (readonly [name: string, node: Node | undefined])[]

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

/** What a power cut does to files and directories. */
export interface PowerCut {
  file(path: string): FileFate
  /** How many of the `count` changes that are not durable a directory keeps; they keep their order. */
  changesKept(path: string, count: number): number
  /**
   * Whether a change behind those is kept all the same: directories promise no order. Only changes that
   * touch no name and no file of a change that is lost; without it none is kept.
   */
  keepsChange?(path: string): boolean
}

export interface MemoryDiskOptions {
  readonly tracksDurability?: boolean
  readonly capacityBytes?: number
}

export class MemoryDisk implements Disk {
  /** Called before each operation; what it throws (or rejects with) is the operation's failure. */
  beforeEach: (operation: DiskOperation, path: string) => void | Promise<void> = () => {}
  capacityBytes: number
  readonly isVolatile: boolean
  threads: Threads | null = null
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
      node = {
        kind: 'file',
        file: new CachedFile({ tracksDurability: this.#tracksDurability }),
      }
      this.#change(parent, [[basename(path), node]])
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
    if (source === target) {
      this.#change(source, [
        [basename(from), undefined],
        [basename(to), node],
      ])
    } else {
      this.#change(source, [[basename(from), undefined]])
      this.#change(target, [[basename(to), node]])
    }
    if (replaced) this.#usedBytes -= sizeOf(replaced)
  }

  async remove(path: string): Promise<void> {
    await this.beforeEach('remove', path)
    const parent = this.#find(dirname(path))
    if (parent?.kind !== 'directory') return
    const node = parent.entries.get(basename(path))
    if (!node) return
    this.#change(parent, [[basename(path), undefined]])
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
        this.#change(directory, [[name, next]])
      }
      if (next.kind === 'file') throw nativeError('EEXIST', 'mkdir', path)
      directory = next
    }
  }

  async syncDir(path: string): Promise<void> {
    await this.beforeEach('syncDir', path)
    const directory = this.#directory(path)
    if (!this.#tracksDurability) return
    directory.durableEntries = new Map(directory.entries)
    directory.changes = []
  }

  #change(directory: DirectoryNode, change: EntryChange): void {
    apply(directory.entries, change)
    if (this.#tracksDurability) directory.changes.push(change)
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
    this.#restart((file, path) => keep(file.mediumBytes(), file.content.bytes(), path), {
      changesKept: () => 0,
    })
  }

  /** A power cut that keeps some of what was not synced, page by page and change by change. */
  cutPower(cut: PowerCut): void {
    this.#restart((file, path) => file.cutPower(cut.file(path)), cut)
  }

  /** The process that used it was killed: its files and locks are dead, the page cache is as it was. */
  killProcess(): void {
    this.#era++
    this.#locks.clear()
  }

  #restart(
    survivingBytes: (file: CachedFile, path: string) => Uint8Array,
    cut: Pick<PowerCut, 'changesKept' | 'keepsChange'>,
  ): void {
    if (!this.#tracksDurability) throw new Error('this disk does not track what was synced')
    this.killProcess()
    this.#usedBytes = 0
    // A node may be reached by two names when half a rename between directories was kept.
    const survivors = new Map<Node, Node>()
    const restore = (node: Node, path: string): Node => {
      const known = survivors.get(node)
      if (known !== undefined) return known
      const survivor =
        node.kind === 'directory' ? newDirectory() : fileNode(survivingBytes(node.file, path))
      survivors.set(node, survivor)
      if (node.kind === 'directory' && survivor.kind === 'directory') {
        const entries = new Map(node.durableEntries)
        for (const change of keptChanges(node.changes, path, cut)) apply(entries, change)
        for (const [name, child] of entries)
          survivor.entries.set(name, restore(child, `${path}/${name}`))
        survivor.durableEntries = new Map(survivor.entries)
      } else this.#usedBytes += sizeOf(survivor)
      return survivor
    }
    const root = restore(this.#root, '')
    if (root.kind === 'directory') this.#root = root
  }

  /** Every file with its bytes as they would be read now; for looking at from outside. */
  *files(path = ''): Iterable<{ readonly path: string; readonly file: CachedFile }> {
    const directory = this.#directory(path)
    for (const [name, node] of [...directory.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const at = `${path}/${name}`
      if (node.kind === 'file') yield { path: at, file: node.file }
      else yield* this.files(at)
    }
  }

  /** One file as it would be read now; undefined when there is none. */
  file(path: string): CachedFile | undefined {
    const node = this.#find(path)
    return node?.kind === 'file' ? node.file : undefined
  }

  #handle(node: FileNode, path: string, mode: OpenMode): DiskFile {
    const era = this.#era
    let isOpen = true
    const enter = async (operation: DiskOperation) => {
      if (!isOpen || era !== this.#era) throw nativeError('EBADF', operation, path)
      if (mode === 'read' && (operation === 'write' || operation === 'truncate'))
        throw nativeError('EBADF', operation, path)
      await this.beforeEach(operation, path)
      // Who used it may be gone while it waited.
      if (era !== this.#era) throw nativeError('EBADF', operation, path)
    }
    const write = (buffers: readonly Uint8Array[], position: number) => {
      let at = position
      for (const buffer of buffers) {
        const growth = Math.max(at + buffer.length - node.file.size, 0)
        if (this.#usedBytes + growth > this.capacityBytes)
          throw nativeError('ENOSPC', 'write', path)
        node.file.write(buffer, at)
        this.#usedBytes += growth
        at += buffer.length
      }
    }
    return {
      readAt: async (target, position) => {
        await enter('read')
        return node.file.content.read(target, position)
      },
      writeAt: async (buffers, position) => {
        await enter('write')
        write(buffers, position)
      },
      append: async (buffers) => {
        await enter('write')
        write(buffers, node.file.size)
      },
      truncate: async (sizeBytes) => {
        await enter('truncate')
        this.#usedBytes += sizeBytes - node.file.size
        node.file.resize(sizeBytes)
      },
      sync: async () => {
        try {
          await enter('sync')
        } catch (error) {
          if (isOpen && era === this.#era) node.file.failSync()
          throw error
        }
        node.file.sync()
      },
      size: async () => node.file.size,
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
  return { kind: 'directory', entries: new Map(), durableEntries: new Map(), changes: [] }
}

function fileNode(bytes: Uint8Array): FileNode {
  return { kind: 'file', file: CachedFile.of(bytes) }
}

/** A change goes with those before it that share a name or a file with it: it keeps no part of them. */
function keptChanges(
  changes: readonly EntryChange[],
  path: string,
  cut: Pick<PowerCut, 'changesKept' | 'keepsChange'>,
): EntryChange[] {
  const kept = changes.slice(0, cut.changesKept(path, changes.length))
  if (cut.keepsChange === undefined) return kept
  const lost = new Set<unknown>()
  for (const change of changes.slice(kept.length)) {
    const touched = change.flatMap(([name, node]) => (node === undefined ? [name] : [name, node]))
    if (!touched.some((one) => lost.has(one)) && cut.keepsChange(path)) kept.push(change)
    else for (const one of touched) lost.add(one)
  }
  return kept
}

function apply(entries: Map<string, Node>, change: EntryChange): void {
  for (const [name, node] of change) {
    if (node === undefined) entries.delete(name)
    else entries.set(name, node)
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}

function sizeOf(node: Node): number {
  if (node.kind === 'file') return node.file.size
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
