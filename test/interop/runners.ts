/**
 * `npm run interop:runners`: README's examples of `ottla/testing`, as they stand there, each with its
 * own test runner and other people's client. Packs the project and installs the tarball beside the
 * packages of test/interop/runners. The first line of an example says how it is run; `uvu` and its
 * like end with 0 in too many ways, so the count that a runner prints is looked at as well.
 * Ends with `N passed, N failed, N skipped`.
 */

import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Block, blocksOf } from '../docs/support/markdown.ts'
import { output, run } from './process.ts'

/** What a runner prints when its only test passed. */
const onePassed: Readonly<Record<string, RegExp>> = {
  node: /^# pass 1$[\s\S]*^# fail 0$/m,
  vitest: /Tests {2}1 passed \(1\)/,
  uvu: /Total: +1\s+Passed: +1$/m,
}

const project = mkdtempSync(join(tmpdir(), 'ottla-runners-'))
const examples = blocksOf(readFileSync('README.md', 'utf8'))
  .filter(({ language }) => language === 'js')
  .map(exampleOf)
let passed = 0
let failed = 0

try {
  await install()
  for (const { file, code } of examples) writeFileSync(join(project, file), code)
  for (const { command } of examples) if (command !== null) await runExample(command)
} catch (error) {
  failed++
  console.log(`FAIL ${error instanceof Error ? error.message : String(error)}`)
}
rmSync(project, { recursive: true })
console.log(`${passed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed > 0 || passed < Object.keys(onePassed).length ? 1 : 0

/** `// orders.mjs` is a file; `// npx vitest run a.test.mjs` one that is run so. */
function exampleOf({ code }: Block): { file: string; command: string[] | null; code: string } {
  const [, first = ''] = /^\/\/ (.+)\n/.exec(code) ?? []
  const words = first.split(' ')
  return { file: words.at(-1) ?? '', command: words.length > 1 ? words : null, code }
}

/** The packages of the lock file, and the product as a user gets it. */
async function install(): Promise<void> {
  for (const name of ['package.json', 'package-lock.json']) {
    copyFileSync(join('test/interop/runners', name), join(project, name))
  }
  const options = { cwd: project, timeoutMs: 300_000 }
  await output(['npm', 'ci', '--ignore-scripts', '--prefer-offline'], options)
  await output(['npm', 'pack', '--pack-destination', project], { timeoutMs: 120_000 })
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz')) ?? ''
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-save']
  await output(['npm', 'install', ...flags, join(project, tarball)], options)
}

async function runExample(command: readonly string[]): Promise<void> {
  const runner = Object.keys(onePassed).find((name) => command.slice(0, 2).includes(name)) ?? ''
  const began = performance.now()
  const env = { NO_COLOR: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1' }
  const { code, stdout, stderr } = await run(command, { cwd: project, env })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  if (code === 0 && onePassed[runner]?.test(stdout.toString()) === true) {
    passed++
    console.log(`ok   ${command.join(' ')} (${seconds} s)`)
  } else {
    failed++
    console.log(`FAIL ${command.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
  }
}
