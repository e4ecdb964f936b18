/**
 * man/ holds exactly what the tables say (`UPDATE=1` rewrites it: `npm run man`), the pages are free
 * of mandoc's warnings, and every flag stands in its page and in the completion.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { candidatesFor } from '../../cli/complete.ts'
import { manPages, pageName } from '../../cli/man.ts'
import { longName } from '../../cli/option-names.ts'
import { registry } from '../../cli/registry.ts'
import { escaped } from '../../cli/roff.ts'
import { helpText } from '../../cli/usage.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('man')
const folder = join(process.cwd(), 'man')

test('regenerating man/ changes nothing', async () => {
  const pages = await manPages()
  if (process.env['UPDATE'] === '1') {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    for (const [name, text] of pages) writeFileSync(join(folder, name), text)
  }
  const there = existsSync(folder) ? readdirSync(folder).sort() : []
  assert.equal(there, [...pages.keys()].sort(), 'npm run man writes the missing and drops the rest')
  for (const [name, text] of pages) {
    assert.is(readFileSync(join(folder, name), 'utf8') === text, true, `${name}: run npm run man`)
  }
})

test('every flag stands in the page, the help and the completion of its command', async () => {
  const pages = await manPages()
  for (const entry of registry()) {
    const command = await entry.load()
    assert.is(command.name, entry.name)
    const page = pages.get(`${pageName(command)}.1`) ?? ''
    const offered = (await candidatesFor([...entry.name.split(' '), '--'])).map(([word]) => word)
    for (const [key, option] of Object.entries(command.options)) {
      const flag = `--${longName(key)}`
      assert.is(page.includes(escaped(flag)), !option.isHidden, `${entry.name} ${flag} in its page`)
      assert.is(helpText(command).includes(flag), !option.isHidden, `${entry.name} ${flag} in help`)
      assert.is(offered.includes(flag), !option.isHidden, `${entry.name} ${flag} in completion`)
    }
  }
})

test('help is at most 60 lines of 80 columns, examples first', async () => {
  for (const entry of registry()) {
    const command = await entry.load()
    const lines = helpText(command).trimEnd().split('\n')
    assert.ok(lines.length <= 60, `${entry.name}: ${lines.length} lines`)
    for (const line of lines) assert.ok(line.length <= 80, `${entry.name}: ${line}`)
    assert.ok(command.examples.length > 0, `${entry.name} has an example`)
    assert.ok(lines[2]?.startsWith('  ottla '), `${entry.name} begins with an example`)
  }
})

const hasMandoc = spawnSync('mandoc', ['-V']).error === undefined
const lint = 'mandoc finds nothing to warn of'
if (hasMandoc) {
  test(lint, async () => {
    const names = [...(await manPages()).keys()].map((name) => join(folder, name))
    const { stdout, status } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', ...names], {
      encoding: 'utf8',
    })
    assert.is(stdout, '')
    assert.is(status, 0)
  })
} else {
  test.skip(lint, 'mandoc is not installed')
}
