/** The brokers that are compared, each as a process of its own, with what the machine says of it. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApacheKafka } from '../../interop/apache-kafka.ts'
import { startBroker } from '../../interop/support/broker-process.ts'

export interface Target {
  readonly name: string
  readonly address: string
  /** Its log directory. */
  readonly data: string
  /** User and system time that the process has used. */
  processorSeconds(): number
  residentMegabytes(): number
  close(): Promise<void>
}

/** Linux's clock ticks, of which /proc/PID/stat counts a hundred a second. */
const ticksPerSecond = 100

export async function startOttla(name: string, args: readonly string[]): Promise<Target> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
  const broker = await startBroker({ data, args })
  return target(
    { name, address: broker.address, data },
    {
      pid: () => broker.child.pid ?? 0,
      async close() {
        await broker.stop()
        rmSync(data, { recursive: true, force: true })
      },
    },
  )
}

export async function startKafka(
  name: string,
  kafka: ApacheKafka,
  settings: Readonly<Record<string, string>> = {},
): Promise<Target> {
  const broker = await kafka.startBroker(settings)
  return target(
    { name, address: broker.address, data: broker.data },
    {
      pid: () => broker.pid,
      async close() {
        await broker.stop()
        broker.remove()
      },
    },
  )
}

function target(
  place: Pick<Target, 'name' | 'address' | 'data'>,
  { pid, close }: { pid: () => number; close: () => Promise<void> },
): Target {
  return {
    ...place,
    processorSeconds() {
      const stat = readFileSync(`/proc/${pid()}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
    },
    residentMegabytes() {
      const status = readFileSync(`/proc/${pid()}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
    },
    close,
  }
}
