/**
 * README, ARCHITECTURE and CHANGELOG say nothing that the code does not hold: every name in a walk,
 * every path, every bound, every command, flag, exit code and npm script is looked up.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { optionsOf, usageLine } from '../../cli/option-names.ts'
import { readArgs, split } from '../../cli/parse.ts'
import { commandWords, findCommand, registry } from '../../cli/registry.ts'
import { exitCodes } from '../../commands/command.ts'
import { assert, suite } from '../support/suite.ts'
import { blocksOf, codeSpansOf, rowsOf, sectionOf } from './support/markdown.ts'
import { ottlaLines, shellWords } from './support/shell.ts'

const test = suite('docs')
const readme = readFileSync('README.md', 'utf8')
const architecture = readFileSync('ARCHITECTURE.md', 'utf8')
const documents = { 'README.md': readme, 'ARCHITECTURE.md': architecture }
const places = /`((?:lib|cli|commands|test)\/[\w./-]+\.ts): (#?\w+)`/g

const words: readonly [line: string, words: readonly string[]][] = [
  ['ottla topic list', ['ottla', 'topic', 'list']],
  ["a 'b c' \"d\" # e", ['a', 'b c', 'd']],
  ["printf 'k:\\n'|ottla produce t -K : <f", ['printf', 'k:\\n', '|', 'ottla', 'produce', 't', '-K', ':', '<', 'f']],
  ['a#b && c', ['a#b', '&&', 'c']],
] // biome-ignore format: a table
for (const [line, expected] of words) {
  test(`reads the words of ${line}`, () => assert.equal(shellWords(line), expected))
}

test('finds the ottla command lines of an example', () => {
  assert.equal(ottlaLines('tail -f a | ottla produce t > b && npx ottla demo'), [
    ['produce', 't'],
    ['demo'],
  ])
  assert.equal(ottlaLines('ottla broker run -- ottla topic list')[1], ['topic', 'list'])
})

test('every step of a walk names a function that its file defines', () => {
  const steps = [...sectionOf(architecture, '## 6. Walks').matchAll(places)]
  assert.ok(steps.length > 60, `${steps.length} steps`)
  assert.equal(steps.filter(([, file, name]) => !defines(file, name)).map(String), [])
})

test('every other `file: name` is there too', () => {
  const named = [...(readme + architecture).matchAll(places)]
  assert.equal(named.filter(([, file, name]) => !defines(file, name)).map(String), [])
})

test('every bound in the table of limits is the one in the code', () => {
  const limits = rowsOf(sectionOf(architecture, '## 7. ')).filter((row) => row.length === 4)
  assert.ok(limits.length > 20)
  for (const [what, bound = '', where = ''] of limits) {
    const [, file = '', name = ''] = [...where.matchAll(places)][0] ?? []
    const found = boundOf(readFileSync(file, 'utf8'), name)
    assert.is(found, numberOf(bound), `${what}: ${bound} (${file}: ${name})`)
  }
})

test('every path that is named exists', () => {
  const missing: string[] = []
  for (const [document, text] of Object.entries(documents)) {
    for (const span of codeSpansOf(text)) {
      const [, path] = /^((?:lib|cli|commands|test|fixtures|man)\/[\w./*-]*)(?:: #?\w+)?$/.exec(span) ?? []
      if (path !== undefined && !exists(path)) missing.push(`${document}: ${path}`)
      if (/^[A-Z]+\.md$/.test(span) && !existsSync(span)) missing.push(`${document}: ${span}`)
    }
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)\)/g)) {
      if (!target.includes('://') && !existsSync(target)) missing.push(`${document}: ${target}`)
    }
  }
  assert.equal(missing, [])
}) // biome-ignore format: patterns

test('the code map has every folder, and the files it names are in them', () => {
  const map = sectionOf(architecture, '## 5. Code map')
  const folders = readdirSync('lib', { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const { name } of folders) assert.ok(map.includes(`**\`lib/${name}/\`**`), `lib/${name}/`)
  for (const [, folder = '', text = ''] of map.matchAll(
    /- \*\*`([\w/]+\/)`\*\*([\s\S]*?)(?=\n- |\n\n|$)/g,
  )) {
    for (const span of codeSpansOf(text)) {
      if (!/^[\w/*-]+(\.ts|\/)$/.test(span)) continue
      assert.ok(exists(span) || exists(folder + span), `${folder}: ${span}`)
    }
  }
})

test("README's table of commands is the registry", async () => {
  const listed = rowsOf(sectionOf(readme, '## Commands')).map(([first = '']) => first)
  const named = listed.filter((cell) => cell.startsWith('`')).map((cell) => cell.slice(1, -1))
  const commands = await Promise.all(registry().map((entry) => entry.load()))
  assert.equal(
    named,
    commands.map((command) => usageLine(command).slice('ottla '.length)),
  )
})

test("README's exit codes are those of the code", () => {
  const cells = rowsOf(sectionOf(readme, '## Commands')).map(([first = '']) => first)
  const listed = cells.filter((cell) => /^\d/.test(cell)).flatMap((cell) => cell.split(', '))
  assert.equal(listed.map(Number), Object.values(exitCodes))
})

test('every ottla command line in the documents is one that ottla takes', async () => {
  const lines = Object.values(documents).flatMap((text) => [
    ...blocksOf(text)
      .filter(({ language }) => language === 'sh')
      .flatMap(({ code }) => code.split('\n')),
    ...codeSpansOf(text).filter((span) => /^(npx )?ottla [a-z]/.test(span)),
  ])
  const found = lines.flatMap(ottlaLines)
  assert.ok(found.length > 15, `${found.length} command lines`)
  const refused: string[] = []
  for (const argv of found) {
    await parse(argv).catch((error: Error) =>
      refused.push(`ottla ${argv.join(' ')}: ${error.message}`),
    )
  }
  assert.equal(refused, [])
})

test('every npm script that is named is there', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    scripts: Record<string, string>
  }
  const named = [...(readme + architecture).matchAll(/npm (?:run )?([\w:-]+)/g)]
  const known = new Set([...Object.keys(scripts), 'ci', 'install', 'package'])
  assert.equal(
    named.map(([, name = '']) => name).filter((name) => !known.has(name)),
    [],
  )
})

test('README stays under 380 lines, and the changelog knows this version', () => {
  assert.ok(readme.split('\n').length <= 380)
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  assert.ok(readFileSync('CHANGELOG.md', 'utf8').includes(`## [${version}]`))
})

/** Whether `file` declares a function, method, constant, field or option of this name. */
function defines(file = '', name = ''): boolean {
  if (!existsSync(file)) return false
  const words = '(?:export |async |static |readonly |get |const |function\\*? |class )*'
  const pattern = new RegExp(`(?:^|[{,(]) *${words}${name}(?:<[^>\\n]*>)?(?:\\(|:| =|\\?:)`, 'm')
  return pattern.test(readFileSync(file, 'utf8'))
}

/** `32 MiB`, `10,000`, `1 GiB, or 5 %` as a number. */
function numberOf(text: string): number {
  const [, digits = '', unit = ''] = /^([\d,]+)(?: (KiB|MiB|GiB|ms))?/.exec(text) ?? []
  const factor = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }[unit] ?? 1
  return Number(digits.replace(/,/g, '').trim()) * factor
}

/** The value that is given to `name` in a source: a product of numbers. */
function boundOf(source: string, name: string): number {
  const pattern = new RegExp(`\\b${name}(?:: | = | \\?\\? )(\\d[\\d_]*(?: \\* [\\d_]+)*)`)
  const [, text = ''] = pattern.exec(source) ?? []
  return text.split('*').reduce((product, part) => product * Number(part.replaceAll('_', '')), 1)
}

/** A file or folder; a star in the last part stands for anything. */
function exists(path: string): boolean {
  if (!path.includes('*')) return existsSync(path)
  const folder = dirname(path)
  const [start = '', end = ''] = path.slice(folder === '.' ? 0 : folder.length + 1).split('*')
  if (!existsSync(folder)) return false
  return readdirSync(join('.', folder)).some((one) => one.startsWith(start) && one.endsWith(end))
}

/** Throws CommandError for what the command line of ottla would refuse. */
async function parse(argv: readonly string[]): Promise<void> {
  const { words: first, rest } = commandWords(argv)
  const found = findCommand(first)
  // `ottla broker`, `ottla topic`: nouns, named in prose.
  if (found.kind === 'group' && argv.length === 1) return
  if (found.kind !== 'command') throw new Error('no such command')
  const command = await found.entry.load()
  const given = split(optionsOf(command), rest(found.wordCount))
  // In prose a command stands without its operands.
  if (argv.length > found.wordCount) readArgs(command, given)
}
