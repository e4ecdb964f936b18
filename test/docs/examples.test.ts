/**
 * README's examples, as they stand there: every line of every `sh` block is run by a shell against
 * a broker in memory, and the library's examples are type-checked and run. A comment above a block
 * says why it is not run, or which program it needs. Those in JavaScript need other people's test
 * runners: test/interop/runners.ts runs them.
 */

import { execFile, spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import * as library from '../../lib/index.ts'
import * as testing from '../../lib/testing/index.ts'
import { assert, suite } from '../support/suite.ts'
import { type Block, blocksOf } from './support/markdown.ts'
import { Playground, printed } from './support/playground.ts'

const test = suite('examples')
const execute = promisify(execFile)
const blocks = blocksOf(readFileSync('README.md', 'utf8'))
const shell = blocks.filter(({ language }) => language === 'sh')
const ottla = join(import.meta.dirname, '../cli/ottla.mjs')
const playground = new Playground()

test.before(async () => {
  assert.ok(existsSync(ottla), `${ottla} is built along: node build.mjs --test docs cli/ottla`)
  await playground.open(ottla)
})
test.after(() => playground.close())

/** Lines that go on until they are stopped, and what is seen of them before. */
const endless: Readonly<Record<string, (line: string) => Promise<void>>> = {
  'tail -f app.log | ottla produce logs': (line) =>
    playground.runUntil(line, async () => {
      // tail begins with ten lines; what is written later must come through while it goes on.
      await succeeds('ottla consume logs -n 10')
      appendFileSync(join(playground.folder, 'app.log'), 'ERROR one more\n')
      await succeeds('ottla consume logs -n 11')
    }),
  'ottla tail logs | grep ERROR': (line) =>
    playground.runUntil(line, (running) => printed(running, /ERROR one more/)),
}

async function succeeds(line: string): Promise<void> {
  const { code, stderr } = await playground.run(line)
  assert.is(code, 0, `${line}: ${stderr}`)
}

function linesOf({ code }: Block): string[] {
  return code.split('\n').map((line) => line.replace(/\s{2,}#.*$/, ''))
}

function hasProgram(name: string): boolean {
  return spawnSync(name, ['-V']).error === undefined
}

test('most blocks are run, and the others say why not', () => {
  for (const { note } of shell) assert.match(note, /^$|^needs \w+$|^not run: .{10}/)
  assert.ok(shell.filter(({ note }) => note === '').length >= 3)
})

for (const block of shell.filter(({ note }) => !note.startsWith('not run: '))) {
  const [, needed] = /^needs (\w+)$/.exec(block.note) ?? []
  const isMissing = needed !== undefined && !hasProgram(needed)
  for (const line of linesOf(block)) {
    if (isMissing) test.skip(line, `${needed} is not installed`)
    else {
      test(`runs ${line}`, () => {
        const here = line.replaceAll('localhost:9092', playground.address)
        return (endless[line] ?? succeeds)(here)
      })
    }
  }
}

const examples = blocks.filter(({ language }) => language === 'ts').map(({ code }) => code)
const modules: Readonly<Record<string, object>> = { ottla: library, 'ottla/testing': testing }
/** What each prints. */
const printedBy: readonly (readonly (string | RegExp)[])[] = [['0 hello'], [/^127\.0\.0\.1:\d+ 0$/]]

test("type-checks the library's examples", async () => {
  const folder = join(import.meta.dirname, 'example')
  const paths = {
    ottla: [resolve('lib/index.ts')],
    'ottla/testing': [resolve('lib/testing/index.ts')],
  }
  const config = {
    extends: resolve('tsconfig.json'),
    compilerOptions: { noEmit: true, rootDir: '/', paths },
    include: [resolve('lib/**/*.d.ts')],
    files: examples.map((_, index) => `example-${index}.ts`),
  }
  mkdirSync(folder, { recursive: true })
  for (const [index, code] of examples.entries()) {
    writeFileSync(join(folder, `example-${index}.ts`), code)
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const { stdout } = await execute('node_modules/.bin/tsc', ['-p', folder]).catch(
    (error: { stdout: string }) => error,
  )
  rmSync(folder, { recursive: true })
  assert.is(stdout, '')
})

test('each example of the library has its printed lines here', () => {
  assert.is(examples.length, printedBy.length)
})

for (const [index, expected] of printedBy.entries()) {
  test(`runs example ${index + 1} of the library`, async () => {
    const here = (examples[index] ?? '').replaceAll('localhost:9092', playground.address)
    const { code: script } = await transform(here, { loader: 'ts', target: 'node20' })
    const body = script.replace(/^import (\{.*?\}) from ("[^"]+");/, 'const $1 = modules[$2];')
    const printed: string[] = []
    const AsyncFunction: FunctionConstructor = Object.getPrototypeOf(succeeds).constructor
    await new AsyncFunction('modules', 'console', body)(modules, {
      log: (...words: unknown[]) => printed.push(words.join(' ')),
    })
    assert.is(printed.length, expected.length)
    for (const [line, wanted] of expected.entries()) assert.match(printed[line] ?? '', wanted)
  })
}
