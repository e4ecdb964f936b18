/**
 * Where README's examples run: an empty folder with an `app.log`, `ottla` on the PATH, and a broker
 * in memory on a free port. Every process that is started here is ended here.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A process in a group of its own, so that all of a pipeline can be ended. */
interface Running {
  readonly child: ChildProcess
  readonly output: Outcome
  readonly closed: Promise<Outcome>
}

export class Playground {
  readonly folder = mkdtempSync(join(tmpdir(), 'ottla-docs-'))
  address = ''
  #variables: NodeJS.ProcessEnv = {}
  readonly #running = new Set<Running>()

  /** `ottla` is the command as it was built for the tests. */
  async open(ottla: string): Promise<void> {
    const { folder } = this
    this.#program('ottla', `exec '${process.execPath}' '${ottla}' "$@"`)
    // In a pipe grep holds its output back; on a terminal, as README's reader has it, it does not.
    this.#program('grep', 'exec /usr/bin/env PATH="$OUTER_PATH" grep --line-buffered "$@"')
    copyFileSync('fixtures/demo/app.log', join(folder, 'app.log'))
    appendFileSync(join(folder, 'app.log'), 'ERROR the last line of the log\n')
    this.#variables = {
      ...process.env,
      OUTER_PATH: process.env['PATH'],
      PATH: `${folder}:${process.env['PATH']}`,
      HOME: folder,
      XDG_DATA_HOME: folder,
      XDG_STATE_HOME: folder,
      XDG_CONFIG_HOME: folder,
    }
    const broker = this.#start('ottla broker start --memory --listen 127.0.0.1:0')
    this.address = await printed(broker, /^BROKERS=(.+)$/m)
    this.#variables['OTTLA_BROKERS'] = this.address
  }

  #program(name: string, line: string): void {
    const path = join(this.folder, name)
    writeFileSync(path, `#!/bin/sh\n${line}\n`)
    chmodSync(path, 0o755)
  }

  /** Runs a line to its end. */
  run(line: string): Promise<Outcome> {
    return this.#start(line).closed
  }

  /** Starts a line that goes on by itself, lets `until` look at it, then ends it. */
  async runUntil(line: string, until: (running: Running) => Promise<unknown>): Promise<void> {
    const running = this.#start(line)
    try {
      await until(running)
    } finally {
      this.#end(running)
      await running.closed
    }
  }

  /** Ends what still runs and removes the folder. */
  async close(): Promise<void> {
    const closing = [...this.#running].map(({ closed }) => closed)
    for (const running of this.#running) this.#end(running)
    await Promise.all(closing)
    rmSync(this.folder, { recursive: true })
  }

  #start(line: string): Running {
    const child = spawn('/bin/sh', ['-c', line], {
      cwd: this.folder,
      env: this.#variables,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const output = { code: null as number | null, stdout: '', stderr: '' }
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk))
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk))
    const closed = new Promise<Outcome>((resolve) => {
      child.on('close', (code) => {
        this.#running.delete(running)
        output.code = code
        resolve(output)
      })
    })
    const running = { child, output, closed }
    this.#running.add(running)
    return running
  }

  #end({ child }: Running): void {
    if (child.pid === undefined || child.exitCode !== null) return
    try {
      process.kill(-child.pid, 'SIGTERM')
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

/** Resolves with the first group of `pattern` once standard output has it; rejects when it ends without. */
export function printed({ child, output, closed }: Running, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const match = pattern.exec(output.stdout)
      if (match) resolve(match[1] ?? match[0])
    }
    child.stdout?.on('data', look)
    look()
    void closed.then(({ code, stderr }) =>
      reject(new Error(`ended with ${code} before it printed ${pattern}: ${stderr}`)),
    )
  })
}
