/**
 * Runs test files: `node build/test/run.mjs [NAME-PART...]`. One process per file, two at a time, a
 * deadline each; a file counts only when its last line says how many tests passed. Ends with
 * `N passed, N failed, N skipped`, and with exit code 1 unless all went well.
 */

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

const here = import.meta.dirname
const fileDeadlineMs = 240_000
const wanted = process.argv.slice(2)
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter(
    (name) =>
      name.endsWith('.test.mjs') &&
      (wanted.length === 0 || wanted.some((part) => name.includes(part))),
  )
  .sort()

const total = { passed: 0, failed: 0, skipped: 0 }
const startedMs = performance.now()

/** Runs one file and adds its counts. */
function runFile(name: string): Promise<void> {
  return new Promise((resolve) => {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
    const child = spawn(process.execPath, ['--enable-source-maps', join(here, name)], {
      env: { ...env, NODE_ENV: 'test' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk))
    const timer = setTimeout(() => {
      output += `\nkilled: still running after ${fileDeadlineMs} ms\n`
      child.kill('SIGKILL')
    }, fileDeadlineMs)
    const began = performance.now()
    child.on('close', (code) => {
      clearTimeout(timer)
      const line = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(output)
      const [passed, failed, skipped] = line ? line.slice(1).map(Number) : [0, 1, 0]
      const isGood =
        line !== null && code === 0 && failed === 0 && (passed ?? 0) + (skipped ?? 0) > 0
      total.passed += passed ?? 0
      total.failed += isGood ? 0 : Math.max(failed ?? 0, 1)
      total.skipped += skipped ?? 0
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      console.log(
        `${isGood ? 'ok  ' : 'FAIL'} ${name.replace('.test.mjs', '')} ${passed} in ${seconds} s`,
      )
      if (!isGood) console.log(output.replace(/^/gm, '     '))
      else for (const text of output.match(/^skipped: .*$/gm) ?? []) console.log(`     ${text}`)
      resolve()
    })
  })
}

const queue = [...files]
const lanes = Array.from({ length: Math.max(2, Math.min(4, cpus().length)) }, async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) await runFile(name)
})
await Promise.all(lanes)
if (files.length === 0) {
  console.log(`no test file matches ${wanted.join(' ')}`)
  total.failed++
}
console.log(`${files.length} files in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
