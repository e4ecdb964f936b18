/**
 * Zstandard in WebAssembly (@foxglove/wasm-zstd), for a Node whose zlib has none.
 *
 * The build embeds the package's module as text (brotli, base64): so it is there in every bundle,
 * test build and tarball, and loads synchronously, at the first use. The package's own loader is not
 * used: it is asynchronous and looks for the file beside itself. Its exports have one-letter names,
 * which is one more reason for the version to be pinned.
 */

import { brotliDecompressSync } from 'node:zlib'
import { compressedModule } from '@foxglove/wasm-zstd/dist/wasm-zstd.wasm'
import { assert } from '../base/assert.ts'

export interface ZstdWasm {
  compress(bytes: Uint8Array, level: number): Uint8Array
  /** Null when `bytes` are corrupt or stand for more than `capacity` bytes. */
  decompress(bytes: Uint8Array, capacity: number): Uint8Array | null
}

interface Exports {
  readonly c: WebAssemblyMemory
  /** Constructors, to be run once. */
  readonly d: () => void
  /** malloc */
  readonly f: (size: number) => number
  /** free */
  readonly g: (pointer: number) => void
  /** compressBound */
  readonly h: (size: number) => number
  /** compress: destination, its size, source, its size, level; -1 = failed */
  readonly i: (...args: readonly number[]) => number
  /** decompress: destination, its size, source, its size; -1 = failed */
  readonly j: (...args: readonly number[]) => number
}

const pageBytes = 65_536
const memoryBytesMax = 2 ** 31
/** Memory never shrinks: an instance that grew beyond this is left to the garbage collector. */
const keptMemoryBytesMax = 64 * 1024 * 1024

/** Compiles the module: some milliseconds, once. */
export function loadZstdWasm(): ZstdWasm {
  const module = new WebAssembly.Module(
    new Uint8Array(brotliDecompressSync(Buffer.from(compressedModule, 'base64'))),
  )
  let kept: Exports | null = null
  /** Calls `fn` with an instance, source and destination in its memory; null when `fn` gives -1. */
  const run = (
    bytes: Uint8Array,
    capacityOf: (exports: Exports) => number,
    fn: (exports: Exports, args: readonly number[]) => number,
  ): Uint8Array | null => {
    kept ??= instantiate(module)
    const exports = kept
    const capacity = capacityOf(exports)
    const source = exports.f(Math.max(bytes.length, 1))
    const destination = exports.f(Math.max(capacity, 1))
    assert(source !== 0 && destination !== 0, `zstd: no memory for ${capacity} bytes`)
    new Uint8Array(exports.c.buffer).set(bytes, source)
    const size = fn(exports, [destination, capacity, source, bytes.length])
    const output =
      size < 0 ? null : Buffer.from(new Uint8Array(exports.c.buffer, destination, size))
    exports.g(source)
    exports.g(destination)
    if (exports.c.buffer.byteLength > keptMemoryBytesMax) kept = null
    return output
  }
  return {
    compress(bytes, level) {
      const output = run(
        bytes,
        ({ h }) => h(bytes.length),
        ({ i }, args) => i(...args, level),
      )
      assert(output !== null, `zstd: compression of ${bytes.length} bytes failed`)
      return output
    },
    decompress: (bytes, capacity) =>
      run(
        bytes,
        () => capacity,
        ({ j }, args) => j(...args),
      ),
  }
}

function instantiate(module: WebAssemblyModule): Exports {
  let memory: WebAssemblyMemory | null = null
  const { exports } = new WebAssembly.Instance(module, {
    a: {
      /** emscripten_resize_heap */
      a(requestedBytes: number): boolean {
        const bytes = requestedBytes >>> 0
        if (memory === null || bytes > memoryBytesMax) return false
        try {
          memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / pageBytes))
          return true
        } catch {
          // malloc turns this into a null pointer.
          return false
        }
      },
      /** emscripten_memcpy_big */
      b(destination: number, source: number, size: number): void {
        if (memory === null) return
        new Uint8Array(memory.buffer).copyWithin(destination, source, source + size)
      },
    },
  })
  const typed = exports as unknown as Exports
  memory = typed.c
  typed.d()
  return typed
}
