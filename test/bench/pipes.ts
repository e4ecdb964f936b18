/**
 * Lines of 100 bytes through pipes: `ottla produce`, `ottla consume -e`, and kcat doing the same to
 * the same broker. Wall clock and processor seconds of each, the best of three.
 * `node build/test/bench/pipes.mjs HOST:PORT [MILLIONS]`; the broker must be running, and gets two topics.
 */

import { spawn, spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [, , brokers = '127.0.0.1:9092', millions = '3'] = process.argv
const lineCount = Math.round(Number(millions) * 1_000_000)
const ottla = `'${process.execPath}' dist/ottla.mjs`
const stamp = process.pid

interface Measured {
  readonly wallSeconds: number
  readonly processorSeconds: number
}

/** A command line of bash, and what `time` says of its last part. */
function measure(line: string): Promise<Measured> {
  const child = spawn('bash', ['-c', `set -o pipefail; TIMEFORMAT='%R %U %S'; ${line}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk))
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      const [, wall, user, system] = /(\d+\.\d+) (\d+\.\d+) (\d+\.\d+)\s*$/.exec(said) ?? []
      if (code !== 0 || wall === undefined) return reject(new Error(`${line}: ${code}\n${said}`))
      const processorSeconds = Number(user) + Number(system)
      resolve({ wallSeconds: Number(wall), processorSeconds })
    })
  })
}

async function best(line: string): Promise<Measured> {
  const runs = [await measure(line), await measure(line), await measure(line)]
  return {
    wallSeconds: Math.min(...runs.map(({ wallSeconds }) => wallSeconds)),
    processorSeconds: Math.min(...runs.map(({ processorSeconds }) => processorSeconds)),
  }
}

const file = join(tmpdir(), `ottla-bench-${stamp}.txt`)
const block = `${'x'.repeat(99)}\n`.repeat(10_000)
writeFileSync(file, '')
for (let written = 0; written < lineCount; written += 10_000)
  writeFileSync(file, block, { flag: 'a' })

const topics = [`bench-ottla-${stamp}`, `bench-kcat-${stamp}`]
for (const topic of topics) {
  spawnSync('bash', ['-c', `${ottla} topic create ${topic} -p 1 -b ${brokers}`], {
    stdio: 'inherit',
  })
}
const [own = '', other = ''] = topics
const range = `-o 0:${lineCount}`
const rows: [string, string][] = [
  ['ottla produce', `time (${ottla} produce ${own} -b ${brokers} -q < <(cat ${file}))`],
  ['kcat -P', `time (kcat -P -q -b ${brokers} -t ${other} < <(cat ${file}))`],
  ['ottla consume', `time (${ottla} consume ${own} ${range} -b ${brokers}) | cat`],
  ['kcat -C', `time (kcat -C -q -b ${brokers} -t ${own} -o 0 -c ${lineCount}) | cat`],
]
console.log(`${lineCount} lines of 100 bytes`)
for (const [name, line] of rows) {
  const { wallSeconds, processorSeconds } = await best(line)
  const rate = (lineCount / wallSeconds / 1e6).toFixed(2)
  console.log(
    `${name.padEnd(14)} ${wallSeconds.toFixed(2)} s, ${rate} M lines/s, ${processorSeconds.toFixed(2)} processor s`,
  )
}
rmSync(file)
