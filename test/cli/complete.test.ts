/** What the shell is offered: commands, verbs, flags, values, names of topics from the cache. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { ottla, refusedAddress, shell, temporaryFolder } from './process.ts'

const test = suite('complete')
const folder = temporaryFolder()
test.after(folder.remove)

async function offered(words: string[], variables = {}): Promise<string[]> {
  const { code, stdout, stderr } = await ottla(['__complete', ...words], { variables })
  assert.equal([code, stderr], [0, ''], words.join(' '))
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t')[0] ?? '')
}

test('commands, verbs, flags and values', async () => {
  const cases: [string[], string[]][] = [
    [['top'], ['topic']],
    [
      ['topic', 'de'],
      ['describe', 'delete'],
    ],
    [['-b', 'h:1', 'topic', 'gr'], ['grow']],
    [['topic', 'list', '--int'], ['--internal']],
    [['topic', 'list', '--format', 'j'], ['json']],
    [['topic', 'list', '--format=nd'], ['--format=ndjson']],
    [['completion', 'b'], ['bash']],
    [['config', 'get', 't'], ['topic']],
    [['topic', 'create', '--from', ''], [':file']],
    [['nosuch', ''], []],
    [['topic', 'list', '--nosuch'], []],
  ]
  for (const [words, expected] of cases) {
    assert.equal(await offered(words), expected, words.join(' '))
  }
})

test('names of topics come from the cache while it is fresh, and when nobody answers', async () => {
  const address = await refusedAddress()
  mkdirSync(join(folder.path, 'ottla'))
  writeFileSync(join(folder.path, 'ottla', `topics-${address.replace(':', '_')}`), 'logs\norders\n')
  const variables = { XDG_STATE_HOME: folder.path, OTTLA_BROKERS: address }
  assert.equal(await offered(['topic', 'describe', 'or'], variables), ['orders'])
  assert.equal(await offered(['topic', 'describe', 'logs', ''], variables), ['logs', 'orders'])
  assert.equal(
    await offered(['-b', address, 'topic', 'delete', ''], { XDG_STATE_HOME: folder.path }),
    ['logs', 'orders'],
  )
  const elsewhere = { XDG_STATE_HOME: join(folder.path, 'none'), OTTLA_BROKERS: address }
  assert.equal(await offered(['topic', 'describe', ''], elsewhere), [])
})

test('names of groups likewise', async () => {
  const address = await refusedAddress()
  const state = join(folder.path, 'groups')
  mkdirSync(join(state, 'ottla'), { recursive: true })
  writeFileSync(join(state, 'ottla', `groups-${address.replace(':', '_')}`), 'audit\nbilling\n')
  const variables = { XDG_STATE_HOME: state, OTTLA_BROKERS: address }
  assert.equal(await offered(['lag', 'b'], variables), ['billing'])
  assert.equal(await offered(['lag', 'audit', ''], variables), ['audit', 'billing'])
  assert.equal(await offered(['group', 'reset', ''], variables), ['audit', 'billing'])
})

test('the bash script completes', () => {
  const line = `source <(ottla completion bash)
    COMP_WORDS=(ottla topic des); COMP_CWORD=2; _ottla; echo "\${COMPREPLY[@]}"
    COMP_WORDS=(ottla topic list --int); COMP_CWORD=3; _ottla; echo "\${COMPREPLY[@]}"`
  const { stdout, stderr } = shell(line)
  assert.equal([stdout, stderr], ['describe\n--internal\n', ''])
})
