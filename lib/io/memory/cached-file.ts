/**
 * A file as the system sees it (the page cache) over what the medium holds. Of each page that was
 * changed since the last sync the medium's bytes are remembered, so a sync forgets them and a power
 * cut goes back to them, page by page.
 *
 * A failed sync counts the pages as clean and does not write them, as Linux does: a later sync
 * succeeds and says nothing of them (Rebello et al., "Can Applications Recover from fsync Failures?").
 */

import { BlockFile } from './block-file.ts'

export const pageBytes = 4096

/** What a power cut does to a changed page: the new bytes, the old ones, or so many of the new at its front. */
export type PageFate = 'kept' | 'lost' | { readonly tornAt: number }

export interface FileFate {
  /** Asked of each page that was changed and not synced, in the order of the pages. */
  page(index: number): PageFate
  /** Whether the size follows the last change although the bytes may not: lost pages then read as zero. */
  readonly keepsSize: boolean
}

export class CachedFile {
  readonly content = new BlockFile()
  /** The medium's bytes of pages that are dirty; shorter than a page where the medium's file ends. */
  readonly #dirty = new Map<number, Uint8Array>()
  /** The same, of pages that count as clean after a sync that failed. */
  readonly #lost = new Map<number, Uint8Array>()
  readonly #tracks: boolean
  #mediumSize = 0

  constructor({ tracksDurability }: { tracksDurability: boolean }) {
    this.#tracks = tracksDurability
  }

  /** A file that is on the medium as it is. */
  static of(bytes: Uint8Array): CachedFile {
    const file = new CachedFile({ tracksDurability: true })
    file.content.write(bytes, 0)
    file.#mediumSize = bytes.length
    return file
  }

  get size(): number {
    return this.content.size
  }

  write(bytes: Uint8Array, position: number): void {
    // What lies between the old end and `position` reads as zero from now on, so it is changed too.
    if (this.#tracks) this.#touch(Math.min(position, this.size), position + bytes.length)
    this.content.write(bytes, position)
  }

  resize(sizeBytes: number): void {
    if (this.#tracks)
      this.#touch(Math.min(sizeBytes, this.size), Math.max(this.size, this.#mediumSize))
    this.content.resize(sizeBytes)
  }

  #touch(from: number, to: number): void {
    for (let page = Math.floor(from / pageBytes); page * pageBytes < to; page++) {
      if (this.#dirty.has(page)) continue
      const lost = this.#lost.get(page)
      this.#lost.delete(page)
      this.#dirty.set(page, lost ?? this.#current(page, this.#mediumSize))
    }
  }

  /** A copy of the page's bytes in the cache, up to `endBytes` of the file. */
  #current(page: number, endBytes: number): Uint8Array {
    const from = page * pageBytes
    const bytes = new Uint8Array(Math.max(Math.min(endBytes - from, pageBytes), 0))
    this.content.read(bytes, from)
    return bytes
  }

  sync(): void {
    this.#dirty.clear()
    this.#mediumSize = this.size
  }

  /** The sync failed: what was to be written never will be, and nobody remembers that. */
  failSync(): void {
    for (const [page, bytes] of this.#dirty) this.#lost.set(page, bytes)
    this.#dirty.clear()
    this.#mediumSize = this.size
  }

  /** Pages and the file's size differ from what the medium holds. */
  get isDirty(): boolean {
    return this.#dirty.size > 0 || this.#mediumSize !== this.size
  }

  /** Those that the next sync writes, in order. */
  dirtyPages(): number[] {
    return [...this.#dirty.keys()].sort((a, b) => a - b)
  }

  /** What the medium holds now. */
  mediumBytes(): Uint8Array {
    return this.#after({ page: () => 'lost', keepsSize: false })
  }

  /** What a power cut leaves. */
  cutPower(fate: FileFate): Uint8Array {
    return this.#after(fate)
  }

  #after({ page: fateOf, keepsSize }: FileFate): Uint8Array {
    const all = new Uint8Array(Math.max(this.size, this.#mediumSize))
    this.content.read(all, 0)
    let size = keepsSize ? this.size : this.#mediumSize
    for (const [page, before] of [...this.#dirty].sort(([a], [b]) => a - b)) {
      const fate = fateOf(page)
      const from = page * pageBytes
      if (fate === 'kept') {
        if (from < this.size) size = Math.max(size, Math.min(from + pageBytes, this.size))
        continue
      }
      const tornAt = fate === 'lost' ? 0 : fate.tornAt
      if (tornAt > 0) size = Math.max(size, Math.min(from + tornAt, this.size))
      restore(all, from, { before, tornAt })
    }
    for (const [page, before] of this.#lost) {
      restore(all, page * pageBytes, { before, tornAt: 0 })
    }
    return all.slice(0, size)
  }

  /** Rot: the bits of `mask` turn over, on the medium and for whoever reads. */
  rot(position: number, mask: number): void {
    const byte = new Uint8Array(1)
    this.content.read(byte, position)
    this.content.write(Uint8Array.of((byte[0] ?? 0) ^ mask), position)
  }
}

/** The page at `from` holds what it held before; nothing is the same as zeros. */
function restore(
  all: Uint8Array,
  from: number,
  { before, tornAt }: { before: Uint8Array; tornAt: number },
): void {
  const end = Math.min(from + pageBytes, all.length)
  for (let at = from + tornAt; at < end; at++) all[at] = before[at - from] ?? 0
}
