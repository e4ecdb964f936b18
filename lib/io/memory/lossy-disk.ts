/**
 * A disk for tests of real processes (`broker start --test-disk=lossy`): what a program writes stays in
 * this process's memory, and goes to the real disk below only when it is synced: the bytes of a file at
 * the file's sync, creates, renames and removes at the directory's. So kill -9, which takes only what
 * the process holds, is a power cut.
 *
 * Everything under the root is read into memory when it is opened; paths elsewhere go straight through.
 * What becomes durable is carried out one thing after another, files that appear do so by a rename from
 * a folder beside the root.
 */

import type { DirectoryEntry, Disk, DiskFile, DiskLock, OpenMode } from '../disk.ts'
import { CachedFile, pageBytes } from './cached-file.ts'
import { nativeError } from './disk.ts'

interface FileNode {
  readonly kind: 'file'
  readonly file: CachedFile
  /** Where it is on the real disk; null = it is not. */
  real: string | null
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly entries: Map<string, Node>
  /** As the real disk has them, or will when the directory gets there. */
  durable: Map<string, Node>
  real: string | null
}

type Node = FileNode | DirectoryNode

const fileBytesMax = 2 ** 31

export class LossyDisk implements Disk {
  readonly #real: Disk
  readonly #rootPath: string
  readonly #root: DirectoryNode
  #madeCount = 0
  /** The last of what is being made durable. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(real: Disk, rootPath: string) {
    this.#real = real
    this.#rootPath = rootPath
    this.#root = { kind: 'directory', entries: new Map(), durable: new Map(), real: rootPath }
  }

  /** Reads everything under `rootPath`, which is made when it is not there. */
  static async open(real: Disk, rootPath: string): Promise<LossyDisk> {
    await real.mkdir(rootPath)
    const lossy = new LossyDisk(real, rootPath)
    await lossy.#load(lossy.#root, rootPath)
    return lossy
  }

  async #load(directory: DirectoryNode, path: string): Promise<void> {
    for (const { name, kind } of await this.#real.list(path)) {
      const at = `${path}/${name}`
      if (kind === 'other') throw new Error(`${at}: a lossy disk holds files and directories only`)
      const node: Node =
        kind === 'directory'
          ? { kind, entries: new Map(), durable: new Map(), real: at }
          : { kind, file: CachedFile.of(await this.#read(at)), real: at }
      directory.entries.set(name, node)
      directory.durable.set(name, node)
      if (node.kind === 'directory') await this.#load(node, at)
    }
  }

  async #read(path: string): Promise<Uint8Array> {
    const file = await this.#real.open(path, 'read')
    try {
      const size = await file.size()
      if (size > fileBytesMax) throw new Error(`${path}: ${size} bytes do not fit into memory`)
      const bytes = new Uint8Array(size)
      await file.readAt(bytes, 0)
      return bytes
    } finally {
      await file.close()
    }
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (!this.#isHere(path)) return this.#real.open(path, mode)
    const { parent, name } = this.#place(path)
    let node = parent.entries.get(name)
    if (node === undefined && mode === 'create') {
      node = { kind: 'file', file: new CachedFile({ tracksDurability: true }), real: null }
      parent.entries.set(name, node)
    }
    if (node === undefined) throw nativeError('ENOENT', 'open', path)
    if (node.kind === 'directory') throw nativeError('EISDIR', 'open', path)
    return this.#handle(node)
  }

  #handle(node: FileNode): DiskFile {
    const { file } = node
    const write = (buffers: readonly Uint8Array[], position: number) => {
      let at = position
      for (const buffer of buffers) {
        file.write(buffer, at)
        at += buffer.length
      }
    }
    return {
      readAt: async (target, position) => file.content.read(target, position),
      writeAt: async (buffers, position) => write(buffers, position),
      append: async (buffers) => write(buffers, file.size),
      truncate: async (sizeBytes) => file.resize(sizeBytes),
      sync: () => this.#inOrder(() => this.#syncFile(node)),
      size: async () => file.size,
      close: async () => {},
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const source = this.#place(from)
    const node = source.parent.entries.get(source.name)
    if (node === undefined) throw nativeError('ENOENT', 'rename', from)
    const target = this.#place(to)
    const replaced = target.parent.entries.get(target.name)
    if (replaced?.kind === 'directory' && replaced.entries.size > 0)
      throw nativeError('ENOTEMPTY', 'rename', to)
    source.parent.entries.delete(source.name)
    target.parent.entries.set(target.name, node)
  }

  async remove(path: string): Promise<void> {
    if (!this.#isHere(path)) return this.#real.remove(path)
    const parent = this.#find(path.slice(0, path.lastIndexOf('/')))
    if (parent?.kind === 'directory') parent.entries.delete(path.slice(path.lastIndexOf('/') + 1))
  }

  async list(path: string): Promise<DirectoryEntry[]> {
    if (!this.#isHere(path)) return this.#real.list(path)
    return [...this.#directory(path).entries]
      .map(([name, { kind }]) => ({ name, kind }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async mkdir(path: string): Promise<void> {
    if (!this.#isHere(path)) return this.#real.mkdir(path)
    let directory = this.#root
    for (const name of this.#partsOf(path)) {
      let next = directory.entries.get(name)
      if (next === undefined) {
        next = { kind: 'directory', entries: new Map(), durable: new Map(), real: null }
        directory.entries.set(name, next)
      }
      if (next.kind === 'file') throw nativeError('EEXIST', 'mkdir', path)
      directory = next
    }
  }

  async syncDir(path: string): Promise<void> {
    if (!this.#isHere(path)) return this.#real.syncDir(path)
    const directory = this.#directory(path)
    await this.#inOrder(() => this.#syncDirectory(directory))
  }

  free(path: string): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.#real.free(path)
  }

  lock(directory: string): Promise<DiskLock> {
    return this.#real.lock(directory)
  }

  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  /** Its changed pages go to the real file, if there is one; else it is written when its directory is synced. */
  async #syncFile(node: FileNode): Promise<void> {
    const { file, real } = node
    const pages = file.dirtyPages()
    const size = file.size
    const runs = real === null ? [] : runsOf(file, pages)
    // What is written from here on belongs to the next sync.
    file.sync()
    if (real === null) return
    const target = await this.#real.open(real, 'write')
    try {
      for (const { bytes, position } of runs) await target.writeAt([bytes], position)
      if ((await target.size()) !== size) await target.truncate(size)
    } finally {
      await target.close()
    }
  }

  async #syncDirectory(directory: DirectoryNode): Promise<void> {
    const before = directory.durable
    const after = new Map(directory.entries)
    directory.durable = after
    if (directory.real === null) return
    for (const [name, node] of after) {
      if (before.get(name) === node) continue
      const target = `${directory.real}/${name}`
      const replaced = before.get(name)
      if (node.real === null) await this.#make(node, target)
      else await this.#real.rename(node.real, target)
      if (replaced !== undefined) setReal(replaced, null)
      setReal(node, target)
    }
    for (const [name, node] of before) {
      const path = `${directory.real}/${name}`
      if (after.has(name) || node.real !== path) continue
      await this.#real.remove(path)
      setReal(node, null)
    }
  }

  /** Brings what is durable of a node to the real disk: whole, or not at all. */
  async #make(node: Node, target: string): Promise<void> {
    const folder = `${this.#rootPath}.lossy`
    const making = `${folder}/${this.#madeCount++}`
    await this.#real.mkdir(folder)
    await this.#real.remove(making)
    await this.#write(node, making)
    await this.#real.rename(making, target)
  }

  async #write(node: Node, path: string): Promise<void> {
    if (node.kind === 'directory') {
      await this.#real.mkdir(path)
      for (const [name, child] of node.durable) await this.#write(child, `${path}/${name}`)
      return
    }
    const file = await this.#real.open(path, 'create')
    try {
      await file.writeAt([node.file.mediumBytes()], 0)
    } finally {
      await file.close()
    }
  }

  #isHere(path: string): boolean {
    return path === this.#rootPath || path.startsWith(`${this.#rootPath}/`)
  }

  #partsOf(path: string): string[] {
    return path
      .slice(this.#rootPath.length)
      .split('/')
      .filter((part) => part !== '')
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of this.#partsOf(path)) {
      if (node?.kind !== 'directory') return undefined
      node = node.entries.get(name)
    }
    return node
  }

  #directory(path: string): DirectoryNode {
    const node = this.#find(path)
    if (node === undefined) throw nativeError('ENOENT', 'open', path)
    if (node.kind === 'file') throw nativeError('ENOTDIR', 'open', path)
    return node
  }

  #place(path: string): { parent: DirectoryNode; name: string } {
    const at = path.lastIndexOf('/')
    return { parent: this.#directory(path.slice(0, at)), name: path.slice(at + 1) }
  }
}

/** The node is at `real` now, and what is durable in it below; null = nowhere. */
function setReal(node: Node, real: string | null): void {
  node.real = real
  if (node.kind === 'file') return
  for (const [name, child] of node.durable) setReal(child, real === null ? null : `${real}/${name}`)
}

/** The bytes of the pages, neighbours together. */
function runsOf(
  file: CachedFile,
  pages: readonly number[],
): { bytes: Uint8Array; position: number }[] {
  const runs: { from: number; to: number }[] = []
  for (const page of pages) {
    const last = runs.at(-1)
    if (last?.to === page) last.to = page + 1
    else runs.push({ from: page, to: page + 1 })
  }
  return runs.flatMap(({ from, to }) => {
    const position = from * pageBytes
    const end = Math.min(to * pageBytes, file.size)
    if (end <= position) return []
    const bytes = new Uint8Array(end - position)
    file.content.read(bytes, position)
    return [{ bytes, position }]
  })
}
