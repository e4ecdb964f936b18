/**
 * A data directory as a value: its files by path, and what of them is a symbolic link or has a size that
 * its bytes do not show. Taken from one memory disk, changed, put on another.
 */

import { dirname } from 'node:path'
import type { DirectoryEntry, DiskFile, OpenMode } from '../../../lib/io/disk.ts'
import { MemoryDisk, nativeError } from '../../../lib/io/memory/disk.ts'

export const root = '/data'

export interface Tree {
  readonly files: Map<string, Uint8Array>
  readonly directories: Set<string>
  /** Symbolic links, to nowhere: a file of this name, or a directory. */
  readonly links: Set<string>
  /** Files with a hole behind their bytes: the size they have. */
  readonly sizes: Map<string, number>
}

export function copyOf({ files, directories, links, sizes }: Tree): Tree {
  return {
    files: new Map(files),
    directories: new Set(directories),
    links: new Set(links),
    sizes: new Map(sizes),
  }
}

/** A memory disk that knows symbolic links and sparse files, as far as a start meets them. */
export class TreeDisk extends MemoryDisk {
  readonly #links: Set<string>
  readonly #sizes: Map<string, number>

  constructor(
    { links, sizes }: Pick<Tree, 'links' | 'sizes'> = { links: new Set(), sizes: new Map() },
  ) {
    super({ tracksDurability: true })
    this.#links = new Set(links)
    this.#sizes = new Map(sizes)
  }

  get links(): ReadonlySet<string> {
    return this.#links
  }
  get sizes(): ReadonlyMap<string, number> {
    return this.#sizes
  }

  override async list(path: string): Promise<DirectoryEntry[]> {
    const entries = await super.list(path)
    return entries.map((entry) =>
      this.#links.has(`${path}/${entry.name}`) ? { name: entry.name, kind: 'other' } : entry,
    )
  }

  override async open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (this.#links.has(path)) throw nativeError('ELOOP', 'open', path)
    const file = await super.open(path, mode)
    const size = this.#sizes.get(path)
    return size === undefined ? file : this.#sparse(path, file)
  }

  /** What was written to it. */
  async bytesOf(path: string): Promise<Uint8Array> {
    const file = await super.open(path, 'read')
    const bytes = new Uint8Array(await file.size())
    await file.readAt(bytes, 0)
    return bytes
  }

  #sparse(path: string, file: DiskFile): DiskFile {
    const size = async () => Math.max(this.#sizes.get(path) ?? 0, await file.size())
    return {
      ...file,
      size,
      readAt: async (target, position) => {
        const count = await file.readAt(target, position)
        const wanted = Math.max(Math.min(target.length, (await size()) - position), count)
        target.fill(0, count, wanted)
        return wanted
      },
      truncate: async (sizeBytes) => {
        this.#sizes.delete(path)
        await file.truncate(sizeBytes)
      },
    }
  }

  override async remove(path: string): Promise<void> {
    await super.remove(path)
    for (const known of [...this.#links, ...this.#sizes.keys()]) {
      if (known !== path && !known.startsWith(`${path}/`)) continue
      this.#links.delete(known)
      this.#sizes.delete(known)
    }
  }

  override async rename(from: string, to: string): Promise<void> {
    await super.rename(from, to)
    this.#links.delete(to)
    this.#sizes.delete(to)
    for (const known of [...this.#links, ...this.#sizes.keys()]) {
      if (known !== from && !known.startsWith(`${from}/`)) continue
      const moved = to + known.slice(from.length)
      if (this.#links.delete(known)) this.#links.add(moved)
      const size = this.#sizes.get(known)
      if (this.#sizes.delete(known) && size !== undefined) this.#sizes.set(moved, size)
    }
  }
}

export async function treeOf(disk: TreeDisk): Promise<Tree> {
  const { links, sizes } = disk
  const tree: Tree = {
    files: new Map(),
    directories: new Set(),
    links: new Set(links),
    sizes: new Map(sizes),
  }
  const visit = async (directory: string): Promise<void> => {
    tree.directories.add(directory)
    for (const { name, kind } of await disk.list(directory)) {
      const path = `${directory}/${name}`
      if (kind === 'directory') await visit(path)
      else tree.files.set(path, await disk.bytesOf(path))
    }
  }
  await visit(root)
  return tree
}

/** A disk with all of it, synced. */
export async function diskWith(tree: Tree): Promise<TreeDisk> {
  const bare = new TreeDisk(tree)
  for (const directory of tree.directories) await bare.mkdir(directory)
  for (const [path, bytes] of tree.files) {
    await bare.mkdir(dirname(path))
    const file = await MemoryDisk.prototype.open.call(bare, path, 'create')
    await file.writeAt([bytes], 0)
    await file.sync()
    await file.close()
  }
  const sync = async (directory: string): Promise<void> => {
    for (const { name, kind } of await bare.list(directory)) {
      if (kind === 'directory') await sync(`${directory}/${name}`)
    }
    await bare.syncDir(directory)
  }
  await sync('/')
  return bare
}
