import { readdirSync, readFileSync, statSync } from 'node:fs'
import { assert, suite } from './support/suite.ts'
import { type SourceFile, tidy } from './support/tidy.ts'

const test = suite('tidy')

function sources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/\.d\.ts$|node_modules/.test(name))
    .map((name) => `${folder}/${name}`)
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
}

test('the project keeps its house rules', () => {
  const files = ['cli', 'commands', 'lib', 'test'].flatMap(sources)
  const findings = tidy(files)
  if (findings.length > 0) throw new Error(`\n${findings.join('\n')}\n`)
})

test('no file in the project is larger than 200 KB', () => {
  const large = ['fixtures', 'man'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name}`)
      .filter((path) => statSync(path).isFile() && statSync(path).size > 200_000),
  )
  assert.equal(large, [])
})

test('package.json lists every man page, so that man finds them after an installation', () => {
  const { man } = JSON.parse(readFileSync('package.json', 'utf8')) as { man: string[] }
  assert.equal(
    man,
    readdirSync('man')
      .sort()
      .map((name) => `./man/${name}`),
  )
})

const header = '/** A file. */\n'
const filler = (count: number) => 'x()\n'.repeat(count)

/** What is planted, where, and what the finding must say; null = nothing is found. */
const planted: [what: string, path: string, text: string, finding: string | null][] = [
  ['a clean file', 'lib/storage/a.ts', `${header}import { b } from '../base/b.ts'\n`, null],
  [
    'an upward import',
    'lib/storage/a.ts',
    `${header}import { b } from '../broker/b.ts'\n`,
    'stands below',
  ],
  [
    'the client importing the server',
    'lib/client/a.ts',
    `${header}import { b } from '../storage/b.ts'\n`,
    'do not know each other',
  ],
  [
    'the server importing the client',
    'lib/broker/a.ts',
    `${header}import { b } from '../client/b.ts'\n`,
    'do not know each other',
  ],
  [
    'the real machine below its edge',
    'lib/storage/a.ts',
    `${header}import { b } from '../io/node/b.ts'\n`,
    'Env is injected',
  ],
  [
    'a command using the server',
    'commands/topic-list.ts',
    `${header}import { b } from '../lib/storage/b.ts'\n`,
    'server stack',
  ],
  [
    'the broker command using the server',
    'commands/broker-start.ts',
    `${header}import { b } from '../lib/broker/b.ts'\n`,
    null,
  ],
  [
    'lib importing cli',
    'lib/base/a.ts',
    `${header}import { b } from '../../cli/b.ts'\n`,
    'nothing imports cli/',
  ],
  ['an ambient clock', 'lib/storage/a.ts', `${header}const now = Date.now()\n`, 'env.clock'],
  ['an ambient timer', 'lib/broker/a.ts', `${header}setTimeout(() => {}, 1)\n`, 'env.clock'],
  ['ambient chance', 'lib/client/a.ts', `${header}const x = Math.random()\n`, 'env.random'],
  ['the process', 'commands/a.ts', `${header}const x = process.env\n`, 'cli/'],
  ['the console', 'lib/broker/a.ts', `${header}console.log(1)\n`, 'env.log'],
  [
    'a file opened past Env',
    'lib/storage/a.ts',
    `${header}import { open } from 'node:fs/promises'\n`,
    'use Env',
  ],
  [
    'a banned call in a comment only',
    'lib/storage/a.ts',
    `${header}// not Date.now() here\n`,
    null,
  ],
  ['a swallowed error', 'lib/storage/a.ts', `${header}try { f() } catch {}\n`, 'naming why'],
  [
    'a heavy package loaded eagerly',
    'cli/output.ts',
    `${header}import chalk from 'chalk'\n`,
    'await import',
  ],
  ['a missing header', 'lib/base/a.ts', 'const x = 1\n', 'no header comment'],
  ['a note to oneself', 'lib/base/a.ts', `${header}// TODO later\n`, 'an issue'],
  ['a long file', 'lib/base/a.ts', header + filler(600), 'lines, at most'],
  [
    'a long function',
    'lib/base/a.ts',
    `${header}function f() {\n${filler(70)}}\n`,
    'in one function',
  ],
  [
    'a function of the longest length',
    'lib/base/a.ts',
    `${header}function f() {\n${filler(68)}}\n`,
    null,
  ],
  ['uvu itself', 'test/a.test.ts', "import { suite } from 'uvu'\n", 'suite.ts'],
]

for (const [what, path, text, finding] of planted) {
  test(`planted: ${what}`, () => {
    // A second file imports the planted one and is imported by it, so that only the plant stands out.
    const target = /'(\.[^']+)'/.exec(text)?.[1]
    const others: SourceFile[] = [{ path: 'test/x.test.ts', text: `import '../${path}'\n` }]
    if (target) others[0] = { path: 'test/x.test.ts', text: `import '../${path}'\n` }
    const findings = tidy([{ path, text }, ...others])
    if (finding === null) assert.equal(findings, [])
    else
      assert.ok(findings.length === 1 && findings[0]?.includes(finding), JSON.stringify(findings))
  })
}

test('planted: a file nobody imports', () => {
  assert.equal(tidy([{ path: 'lib/base/a.ts', text: header }]), [
    'lib/base/a.ts: nobody imports it',
  ])
})
