/** Runs the built command (test/cli/ottla.ts, beside the tests) as a process of its own. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// From the test file that runs: this file's own place depends on how the build cuts its chunks.
const [, testFile = ''] = process.argv
export const program = join(testFile.slice(0, testFile.lastIndexOf('/test/')), 'test/cli/ottla.mjs')

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly elapsedMs: number
}

export interface RunOptions {
  readonly variables?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Kills it, and the test with it. */
  readonly timeoutMs?: number
  /** Sees the child once it runs, to send signals or close streams. */
  readonly onStart?: (child: ChildProcess) => void
}

/** The environment of a run: nothing of the machine's own settings. */
export function cleanVariables(more: Readonly<Record<string, string>> = {}) {
  const { PATH = '', HOME = '' } = process.env
  return { PATH, HOME, TERM: 'xterm', ...more }
}

/** `ottla ARGUMENTS`. Standard input is empty unless given. */
export function ottla(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { variables = {}, stdin = '', timeoutMs = 9000, onStart } = options
  if (!existsSync(program)) throw new Error('build test/cli/ottla.ts too: --test ... cli/ottla')
  return new Promise((resolve, reject) => {
    const startedMs = performance.now()
    const child = spawn(process.execPath, [program, ...args], { env: cleanVariables(variables) })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`ottla ${args.join(' ')}: no end in ${timeoutMs} ms\n${stdout}${stderr}`))
    }, timeoutMs)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout, stderr, elapsedMs: performance.now() - startedMs })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(stdin)
    onStart?.(child)
  })
}

/** Through a shell, for redirections; `ottla` is the command. */
export function shell(line: string, variables: Readonly<Record<string, string>> = {}): Finished {
  const startedMs = performance.now()
  const define = `ottla() { '${process.execPath}' '${program}' "$@"; }`
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `${define}\n${line}`], {
    env: cleanVariables(variables),
    encoding: 'utf8',
    timeout: 9000,
  })
  return { code: status, stdout, stderr, elapsedMs: performance.now() - startedMs }
}

const ptyScript = `
import fcntl, os, pty, struct, sys, termios
rows, columns, typed = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    os.execvp(sys.argv[4], sys.argv[4:])
os.write(fd, typed.encode())
out = b''
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    out += piece
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(out.replace(b'\\r\\n', b'\\n'))
sys.exit(os.waitstatus_to_exitcode(status))
`

export const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0

/** On a terminal of this size, with all three streams; `typed` is on its keyboard from the start. */
export function onTerminal(
  args: readonly string[],
  options: {
    rows?: number
    columns?: number
    typed?: string
    variables?: Readonly<Record<string, string>>
  } = {},
): Promise<Finished> {
  const { rows = 0, columns = 0, typed = '', variables = {} } = options
  return new Promise((resolve, reject) => {
    const startedMs = performance.now()
    const words = ['-c', ptyScript, String(rows), String(columns), typed, process.execPath, program]
    const child = spawn('python3', [...words, ...args], { env: cleanVariables(variables) })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`ottla ${args.join(' ')} on a terminal: no end in 20 s\n${stdout}`))
    }, 20_000)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout, stderr, elapsedMs: performance.now() - startedMs })
    })
  })
}

export interface Peer {
  readonly address: string
  /** Resolves when nothing of it runs or writes any more. */
  close(): Promise<void>
}

/** Accepts connections and says nothing. */
export function silentPeer(): Promise<Peer> {
  const sockets: { destroy(): void }[] = []
  const server: Server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const place = server.address()
      const port = typeof place === 'object' && place !== null ? place.port : 0
      resolve({
        address: `127.0.0.1:${port}`,
        close: () => {
          for (const socket of sockets) socket.destroy()
          return new Promise((closed) => server.close(() => closed()))
        },
      })
    })
  })
}

/** A port that nobody listens on. */
export async function refusedAddress(): Promise<string> {
  const peer = await silentPeer()
  await peer.close()
  return peer.address
}

/** A broker of ours as a process, in memory unless told otherwise; resolves when it answers. */
export async function startBroker(...args: string[]): Promise<Peer> {
  const place = args.includes('--data') ? [] : ['--memory']
  const port = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']
  const child = spawn(process.execPath, [program, 'broker', 'start', ...place, ...port, ...args], {
    env: cleanVariables(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log += chunk))
  const address = await new Promise<string>((resolve, reject) => {
    let stdout = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      const found = /^BROKERS=(.+)$/m.exec(stdout)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.on('close', (code) => reject(new Error(`the broker ended with ${code}\n${log}`)))
  })
  const close = (): Promise<void> => {
    child.kill('SIGTERM')
    return ended
  }
  return { address, close }
}

/** A folder of its own, removed by `remove`. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'ottla-cli-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
