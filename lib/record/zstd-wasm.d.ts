/**
 * What the build makes of the WebAssembly module of @foxglove/wasm-zstd (see build.mjs), and the
 * little of WebAssembly's own types that loading it needs: Node's types have none.
 */

declare module '@foxglove/wasm-zstd/dist/wasm-zstd.wasm' {
  /** The module, compressed with brotli, in base64. */
  export const compressedModule: string
}

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => WebAssemblyModule
  readonly Instance: new (
    module: WebAssemblyModule,
    imports: object,
  ) => { readonly exports: object }
}

interface WebAssemblyModule {
  readonly __module: never
}

interface WebAssemblyMemory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}
