/**
 * A machine of the simulated world: its disk outlives its processes, its wall clock may be wrong. Each
 * process runs on an Env of its own, which dies with it: timers no longer fire, disk operations and
 * connections under way never answer, so whatever the process was waiting for it waits for in vain.
 */

import type { Clock } from '../../lib/io/clock.ts'
import type { Disk } from '../../lib/io/disk.ts'
import type { Env } from '../../lib/io/env.ts'
import type { LogFields, Logger } from '../../lib/io/logger.ts'
import { MemoryDisk } from '../../lib/io/memory/disk.ts'
import { MemoryThreads } from '../../lib/io/memory/threads.ts'
import type { Random } from '../../lib/io/random.ts'
import { cleanForOthers } from '../../lib/storage/cleaner/cleaner-thread.ts'
import { DiskFaults } from './disk-faults.ts'
import type { SimNetwork } from './network.ts'
import type { World } from './world.ts'

export type LogLevel = 'error' | 'warn' | 'info'

export class Machine {
  readonly name: string
  readonly world: World
  readonly network: SimNetwork
  readonly disk = new MemoryDisk({ tracksDurability: true, capacityBytes: 1 << 30 })
  readonly faults: DiskFaults
  /** How far the wall clock is off, in ms. */
  wallSkewMs = 0
  /** What the process logs. */
  onLog: (level: LogLevel, event: string, fields: LogFields) => void = () => {}
  #process: Process | null = null
  readonly #random: Random

  constructor(name: string, world: World, network: SimNetwork) {
    this.name = name
    this.world = world
    this.network = network
    this.#random = world.random(`machine ${name}`)
    this.faults = new DiskFaults(this)
    this.disk.beforeEach = (operation, path) => this.faults.before(operation, path)
  }

  /** What runs on it now. */
  get process(): Process | null {
    return this.#process
  }

  /** Begins a process; the one before must have ended. */
  start(): Env {
    if (this.#process !== null) throw new Error(`${this.name} runs already`)
    this.#process = new Process(this, this.#random)
    return this.#process.env
  }

  /** kill -9: the page cache stays. `isSilent`: peers are not told that their connections are gone. */
  kill({ isSilent = false }: { isSilent?: boolean } = {}): void {
    const process = this.#process
    if (process === null) return
    this.#process = null
    process.isAlive = false
    this.network.closeAllOf(process, isSilent)
    this.disk.killProcess()
  }
}

/** One run of a program. */
export class Process {
  isAlive = true
  readonly machine: Machine
  readonly env: Env

  constructor(machine: Machine, random: Random) {
    this.machine = machine
    const { world } = machine
    this.env = {
      clock: clockOf(this, world),
      random,
      disk: diskOf(this, machine),
      network: machine.network.viewOf(this),
      log: loggerOf(this),
      verify: true,
    }
  }
}

function clockOf(process: Process, world: World): Clock {
  const { machine } = process
  const guarded = (fn: () => void) => () => {
    if (process.isAlive) fn()
  }
  return {
    nowMs: () => Math.floor(startMs + world.nowMs + machine.wallSkewMs),
    monotonicMs: () => world.nowMs,
    timer: (ms, fn) =>
      world.after(
        ms,
        guarded(() => {
          world.note('timer', Math.floor(ms), machine.name)
          fn()
        }),
      ),
    endOfTurn: (fn) => void world.after(0, guarded(fn)),
  }
}

const tasks = { 'clean-log': cleanForOthers }
const startMs = Date.UTC(2026, 0, 1)

/** `free` and `lock` cannot fail and take no time on the memory disk; all else goes through DiskFaults. */
function diskOf(process: Process, { disk, world }: Machine): Disk {
  const never = new Promise<never>(() => {})
  const alive = <T>(call: () => Promise<T>): Promise<T> => (process.isAlive ? call() : never)
  return {
    // With every other seed the cleaner works as in a thread of its own.
    threads: world.seed % 2 === 0 ? null : new MemoryThreads(() => process.env, tasks),
    open: (path, mode) => alive(() => disk.open(path, mode)),
    rename: (from, to) => alive(() => disk.rename(from, to)),
    remove: (path) => alive(() => disk.remove(path)),
    list: (path) => alive(() => disk.list(path)),
    mkdir: (path) => alive(() => disk.mkdir(path)),
    syncDir: (path) => alive(() => disk.syncDir(path)),
    free: () => alive(() => disk.free()),
    lock: (directory) => alive(() => disk.lock(directory)),
  }
}

function loggerOf(process: Process): Logger {
  const { machine } = process
  const say =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (!process.isAlive) return
      if (machine.world.onTrace !== null) {
        machine.world.onTrace(`  ${machine.name} ${level} ${event} ${JSON.stringify(fields)}`)
      }
      machine.onLog(level, event, fields)
    }
  return { error: say('error'), warn: say('warn'), info: say('info'), debug() {} }
}
