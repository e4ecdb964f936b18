// Builds ottla with esbuild. `node build.mjs` makes dist/ (the product: one entry each for the
// command, the library, the testing helpers and threads, lazily loaded chunks, type declarations);
// `node build.mjs --test` makes build/ (every test and script, runnable by plain Node 20).
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { build } from 'esbuild'

const require = createRequire(import.meta.url)
const { version, dependencies } = require('./package.json')
const forTests = process.argv.includes('--test')
// `--test` builds the tests; `--test NAME-PART...` the tests and scripts whose path has one of the
// parts. The runner, the command itself and the program of its threads are always there. $OTTLA_BUILD is where (default build).
const always = ['test/run.ts', 'test/ottla-thread.ts', 'test/cli/ottla.ts']
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const testFolder = process.env['OTTLA_BUILD'] ?? 'build'

/** Every file under `folder` whose name ends with `suffix`, as paths from here. */
function filesUnder(folder, suffix) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(suffix) && !name.includes('node_modules'))
    .map((name) => join(folder, name))
    .sort()
}

// Two versions of string-width in the tree compile Intl.Segmenter and a large regular expression at
// import: half of the command's start-up time. Ours does so only when a text is not ASCII.
const stringWidth = {
  name: 'string-width',
  setup(builder) {
    // cli-table3 requires it (version 4, a function as module.exports), the others import its default.
    const path = join(import.meta.dirname, 'cli/string-width.ts')
    builder.onResolve({ filter: /^string-width$/ }, ({ kind }) =>
      kind === 'require-call' ? { path, namespace: 'string-width-cjs' } : { path },
    )
    // What yargs/helpers brings beside the parser is not used, and may be left out.
    builder.onResolve({ filter: /platform-shims\/esm\.mjs$/ }, ({ path: shim, resolveDir }) => ({
      path: join(resolveDir, shim),
      sideEffects: false,
    }))
    builder.onLoad({ filter: /.*/, namespace: 'string-width-cjs' }, () => ({
      contents: `module.exports = require(${JSON.stringify(path)}).stringWidth`,
      resolveDir: import.meta.dirname,
    }))
  },
}

// The WebAssembly module of zstd becomes text inside the bundle, tests included: loaded synchronously
// at its first use, and there wherever the bundle is (lib/record/compression-zstd-wasm.ts).
const zstdWasm = {
  name: 'zstd-wasm',
  setup(builder) {
    builder.onResolve({ filter: /\/wasm-zstd\.wasm$/ }, ({ path }) => ({
      path: require.resolve(path),
    }))
    builder.onLoad({ filter: /\/wasm-zstd\.wasm$/ }, ({ path }) => {
      const text = brotliCompressSync(readFileSync(path)).toString('base64')
      return { contents: `export const compressedModule = '${text}'` }
    })
  },
}

// Bugs that the simulator plants (lib/base/planted.ts) are not in the product: each `planted.name` is
// `false` before the bundler looks at it, and what it guards is dropped as dead code.
const noPlantedBugs = {
  name: 'no-planted-bugs',
  setup(builder) {
    builder.onLoad({ filter: /\/lib\/.*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      // Not the file's own name in an import.
      const use = /(?<![\w/])planted\.\w+/g
      return use.test(text) ? { contents: text.replace(use, 'false'), loader: 'ts' } : undefined
    })
  },
}

// A CommonJS package that is imported late has only a default export in a bundle of several chunks,
// while Node itself finds its names. ajv is imported by name: in the bundle, too, from here.
const ajvNames = {
  name: 'ajv-names',
  setup(builder) {
    builder.onResolve({ filter: /^ajv(\/dist\/\d+\.js)?$/ }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path, namespace: 'ajv-names' } : undefined,
    )
    builder.onLoad({ filter: /.*/, namespace: 'ajv-names' }, ({ path }) => {
      const names = Object.keys(require(path)).filter((name) => /^(Ajv|_$)/.test(name))
      const contents = `export { ${names.join(', ')} } from '${path}'`
      return { contents, resolveDir: import.meta.dirname }
    })
  },
}

/** The licence texts of the packages whose files are in the bundle. */
function licences(inputs) {
  const folders = new Set()
  for (const input of inputs) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)
    if (match) folders.add(match[1])
  }
  const parts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    )
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    const text = file
      ? readFileSync(join(folder, file), 'utf8').trim()
      : `(${license}; the package holds no text of it)`
    return `${name} ${version} (${license})\n\n${text}\n`
  })
  return `ottla bundles these packages.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

const common = {
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: Object.keys(dependencies),
  outExtension: { '.js': '.mjs' },
  define: { OTTLA_VERSION: JSON.stringify(version) },
  plugins: [stringWidth, zstdWasm, ajvNames],
  banner: {
    js: "import { createRequire as ottlaCreateRequire } from 'node:module'; const require = ottlaCreateRequire(import.meta.url);",
  },
  logLevel: 'warning',
}

if (forTests) {
  rmSync(testFolder, { recursive: true, force: true })
  const entryPoints = filesUnder('test', '.ts')
    .filter((name) => !name.includes('/support/'))
    .filter((name) => {
      if (always.includes(name)) return true
      return wanted.length === 0
        ? name.endsWith('.test.ts')
        : wanted.some((part) => name.includes(part))
    })
  await build({
    ...common,
    entryPoints,
    outdir: `${testFolder}/test`,
    outbase: 'test',
    sourcemap: true,
    packages: 'external',
  })
} else {
  rmSync('dist', { recursive: true, force: true })
  const entryPoints = {
    ottla: 'cli/main.ts',
    index: 'lib/index.ts',
    'ottla-thread': 'cli/thread.ts',
  }
  if (existsSync('lib/testing/index.ts')) entryPoints.testing = 'lib/testing/index.ts'
  const result = await build({
    ...common,
    entryPoints,
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    plugins: [...common.plugins, noPlantedBugs],
  })
  writeFileSync('dist/THIRD_PARTY_LICENSES', licences(Object.keys(result.metafile.inputs)))
  const types = spawnSync(
    process.execPath,
    [
      join(import.meta.dirname, 'node_modules/typescript/lib/tsc.js'),
      '--emitDeclarationOnly',
      '-p',
      'tsconfig.build.json',
    ],
    { stdio: 'inherit' },
  )
  if (types.status !== 0) process.exit(types.status ?? 1)
}
