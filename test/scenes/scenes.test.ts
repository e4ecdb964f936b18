/** The scenes of daily use, as shell scripts that a person could have written, against a broker of ours. */

import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { cleanVariables, type Peer, program, startBroker, temporaryFolder } from '../cli/process.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('scenes')
const folder = temporaryFolder()
const bin = join(folder.path, 'bin')
let broker: Peer | undefined

test.before(async () => {
  assert.ok(existsSync(program), 'build test/cli/ottla.ts too: --test scenes cli/ottla')
  mkdirSync(bin)
  writeFileSync(join(bin, 'ottla'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
  chmodSync(join(bin, 'ottla'), 0o755)
  broker = await startBroker('-c', 'group.initial.rebalance.delay.ms=0')
})
test.after(async () => {
  await broker?.close()
  folder.remove()
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function runScene(name: string): Promise<Ended> {
  const cwd = join(folder.path, name)
  mkdirSync(cwd)
  const scenes = resolve('test/scenes')
  const { PATH } = process.env
  const child = spawn('sh', [join(scenes, `${name}.sh`)], {
    cwd,
    env: {
      ...cleanVariables({ OTTLA_BROKERS: broker?.address ?? '', SCENES: scenes }),
      PATH: `${bin}:${PATH}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) => done({ code, stdout, stderr }))
  })
}

for (const name of ['into-a-topic', 'out-of-a-topic', 'lag']) {
  test(
    name,
    async () => {
      const { code, stdout, stderr } = await runScene(name)
      for (const line of stdout.split('\n')) if (line.startsWith('skipped: ')) console.log(line)
      assert.is(code, 0, `${stdout}${stderr}`)
      assert.match(stdout, /^done: /m)
    },
    { timeoutMs: 120_000 },
  )
}
