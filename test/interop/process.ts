/** Child processes with a deadline, for the scripts that call other people's programs. */

import { spawn } from 'node:child_process'

export interface Outcome {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs a program to its end. `input` is its standard input; killed after `timeoutMs`. */
export function run(
  commandLine: readonly string[],
  {
    input = '',
    timeoutMs = 60_000,
    cwd,
    env,
  }: {
    input?: string | Uint8Array
    timeoutMs?: number
    cwd?: string
    env?: Record<string, string>
  } = {},
): Promise<Outcome> {
  const [program = '', ...args] = commandLine
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: 'pipe',
      ...(cwd ? { cwd } : {}),
      env: { ...process.env, ...env },
    })
    const stdout: Buffer[] = []
    let stderr = ''
    const timer = setTimeout(() => {
      stderr += `\nkilled after ${timeoutMs} ms`
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
    child.stdin.on('error', () => {})
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout: Buffer.concat(stdout), stderr })
    })
    child.stdin.end(input)
  })
}

/** The text a program printed; an error with what it said when it failed. */
export async function output(
  commandLine: readonly string[],
  options?: Parameters<typeof run>[1],
): Promise<string> {
  const { code, stdout, stderr } = await run(commandLine, options)
  if (code !== 0) {
    const said = `${stderr}\n${stdout}`.split('\n').filter((line) => line.trim() !== '')
    throw new Error(
      `${commandLine.slice(0, 4).join(' ')} ended with ${code}: ${said.slice(-4).join(' | ')}`,
    )
  }
  return stdout.toString()
}

/** Whether a program is on the PATH. */
export async function isInstalled(program: string): Promise<boolean> {
  return (await run(['sh', '-c', `command -v ${program}`])).code === 0
}

export interface Started<T> {
  readonly value: T
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** The last of what it wrote to standard error. */
  log(): string
}

/** Starts a program that goes on; `ready` is called with each line of its standard output until it gives a value. */
export function start<T>(
  commandLine: readonly string[],
  ready: (line: string) => T | undefined,
  { timeoutMs = 90_000 } = {},
): Promise<Started<T>> {
  const [program = '', ...args] = commandLine
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    let rest = ''
    const ended = new Promise<number | null>((onEnd) => child.on('close', onEnd))
    const fail = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new Error(`${commandLine.slice(0, 4).join(' ')}: ${why}: ${stderr.slice(-500)}`))
    }
    const timer = setTimeout(() => fail(`not ready within ${timeoutMs} ms`), timeoutMs)
    child.on('error', reject)
    child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk).slice(-10_000)))
    child.on('exit', (code) => fail(`ended with ${code} before it was ready`))
    child.stdout.on('data', (chunk: Buffer) => {
      rest += chunk
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const value = ready(line)
        if (value === undefined) continue
        clearTimeout(timer)
        child.removeAllListeners('exit')
        const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
          child.kill(signal)
          const killer = setTimeout(() => child.kill('SIGKILL'), 20_000)
          const code = await ended
          clearTimeout(killer)
          return code
        }
        resolve({ value, stop, log: () => stderr })
        return
      }
    })
  })
}
