/**
 * Disks that fill up and disks that fail, under a broker process that works:
 * `node build/test/interop/full-disk.mjs [--fills N]`. A small file system is filled N times, to the
 * floor and to its last byte: appends are refused with KAFKA_STORAGE_ERROR, reads go on, and the
 * producers go on by themselves when there is space. Then a sync fails: the partitions are offline, the
 * process is not. It takes root for the mount, and strace for the failure; what is not there is
 * skipped. Ends with `N passed, N failed, N skipped`.
 */

import { spawn } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorCode } from '../../lib/base/errors.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { checkWriter, lastAcknowledged, readContents } from './crash/verify.ts'
import { LibraryWriter } from './crash/writers.ts'
import { isInstalled, output, run } from './process.ts'
import { produceRequest } from './support/attacks.ts'
import { type BrokerProcess, ottla, startBroker } from './support/broker-process.ts'
import { Checks, expectThat, numberFlag, same, until } from './support/checks.ts'
import { errorCodeOf } from './support/hostile-peers.ts'
import { RawConnection } from './support/raw-connection.ts'

const fills = numberFlag('--fills', 20)
const sizeMebibytes = 64
const checks = new Checks()
const storageError = errorCode('KAFKA_STORAGE_ERROR')

/** What a record is answered with: an error code. */
async function probe({ address }: BrokerProcess, topic: string): Promise<number> {
  const builder = new BatchBuilder({ codec: 'none' })
  builder.append(Date.now(), null, Buffer.from('probe'), [])
  const connection = await RawConnection.open(address)
  connection.write(produceRequest(topic, builder.build({}), 1))
  same(await connection.outcome({ withinMs: 10_000 }), 'answered', 'a record is answered')
  connection.close()
  return errorCodeOf(connection.frames[0], topic)
}

/** Takes the space of the file system until `leftBytes` are left. */
function fill(folder: string, leftBytes: number): string {
  const path = join(folder, 'ballast')
  const file = openSync(path, 'a')
  const block = Buffer.alloc(256 * 1024)
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(folder)
      const bytes = Math.min(bavail * bsize - leftBytes, block.length)
      if (bytes <= 0) break
      writeSync(file, block, 0, bytes)
    }
  } catch (error) {
    // What is said to be free is not all to be had.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  } finally {
    closeSync(file)
  }
  return path
}

async function fillAgain(
  { broker, folder, writer }: { broker: BrokerProcess; folder: string; writer: LibraryWriter },
  leftBytes: number,
): Promise<string> {
  const ballast = fill(folder, leftBytes)
  await until(async () => (await probe(broker, 'other')) === storageError, 'appends are refused')
  const before = writer.offsets.size
  const contents = await readContents(broker.address, 'log')
  checkWriter(writer, lastAcknowledged(writer), contents)
  const topics = await output([...ottla, 'topic', 'list', '-b', broker.address])
  expectThat(topics.includes('log'), `topics: ${topics}`)
  // Metadata has to wait for space, too; whoever asked is told in time, and the broker lives.
  const made = await run([
    ...ottla,
    'topic',
    'create',
    'late',
    '-b',
    broker.address,
    '--timeout',
    '1s',
  ])
  expectThat(broker.child.exitCode === null, `the broker ended with ${broker.child.exitCode}`)
  unlinkSync(ballast)
  const beganMs = performance.now()
  await until(async () => (await probe(broker, 'other')) === 0, 'appends are taken again')
  const resumedMs = Math.round(performance.now() - beganMs)
  await until(() => writer.offsets.size > before, 'the producer goes on')
  return `${contents[0]?.length} records read while full, creating a topic ended with ${made.code}; taken again after ${resumedMs} ms`
}

/** Fills a file system of its own, `floor` bytes of which the broker wants free. */
async function fillingUp(what: string, floor: number | null, leftBytes: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-full-'))
  await output(['mount', '-t', 'tmpfs', '-o', `size=${sizeMebibytes}m`, 'ottla-full', folder])
  try {
    const data = join(folder, 'data')
    const topics = ['log', 'other'].flatMap((name) => [
      '--topic',
      `${name}:1:segment.bytes=4194304,retention.bytes=-1,file.delete.delay.ms=0`,
    ])
    const args = [...topics, ...(floor === null ? [] : ['-c', `ottla.disk.floor.bytes=${floor}`])]
    const broker = await startBroker({ data, args })
    const writer = new LibraryWriter({
      name: 'w',
      address: broker.address,
      topic: 'log',
      partition: 0,
    })
    for (let round = 1; round <= fills; round++) {
      await checks.run(`${what}, ${round} of ${fills}`, () =>
        fillAgain({ broker, folder, writer }, leftBytes),
      )
    }
    await checks.run(`${what}: everything acknowledged is there, in order, once`, async () => {
      await writer.end()
      const contents = await readContents(broker.address, 'log')
      checkWriter(writer, lastAcknowledged(writer), contents)
      same(contents[0]?.length, writer.written, 'records')
      same(await broker.stop(), 0, 'exit code')
      return `${writer.written} records`
    })
    await broker.stop('SIGKILL')
  } finally {
    await output(['umount', '-l', folder])
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Syncs of the process fail from now on, until the returned function is called. */
async function failSyncs(pid: number): Promise<() => Promise<void>> {
  const inject = ['-e', 'trace=fdatasync,fsync', '-e', 'inject=fdatasync,fsync:error=EIO']
  const child = spawn('strace', ['-f', '-p', String(pid), ...inject, '-o', '/dev/null'])
  const ended = new Promise((resolve) => child.on('close', resolve))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk))
  await until(() => said.includes('attached') || child.exitCode !== null, 'strace attaches')
  expectThat(child.exitCode === null, `strace: ${said}`)
  return async () => {
    child.kill('SIGINT')
    await ended
  }
}

async function failing(): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-failing-'))
  const args = ['--topic', 'log:1', '--topic', 'other:1']
  const broker = await startBroker({ data, args })
  await checks.run('a sync that fails takes the partitions offline, not the process', async () => {
    same(await probe(broker, 'log'), 0, 'before')
    const heal = await failSyncs(broker.child.pid ?? 0)
    same(await probe(broker, 'log'), storageError, 'the record whose sync fails')
    await heal()
    // The disk seems well: nobody may believe it.
    for (const topic of ['log', 'other']) same(await probe(broker, topic), storageError, topic)
    const list = await output([...ottla, 'topic', 'list', '-b', broker.address])
    expectThat(list.includes('other'), `topics: ${list}`)
    expectThat(broker.child.exitCode === null, 'the broker ended')
    expectThat(broker.log().includes('log.dir.offline'), 'it is not logged')
  })
  await checks.run('it stops when told, and the next start has what was acknowledged', async () => {
    const code = await broker.stop()
    const again = await startBroker({ data, args })
    same(await probe(again, 'log'), 0, 'after')
    const contents = await readContents(again.address, 'log')
    expectThat((contents[0]?.length ?? 0) >= 2, `${contents[0]?.length} records`)
    same(await again.stop(), 0, 'exit code')
    return `it ended with ${code}`
  })
  rmSync(data, { recursive: true, force: true })
}

const mayMount = process.platform === 'linux' && process.getuid?.() === 0
if (mayMount) {
  await fillingUp('filled to the floor', null, 1024 * 1024)
  await fillingUp('filled to the last byte', 0, 0)
} else checks.skip('a full disk', 'it takes root to mount a small file system')
if (await isInstalled('strace')) await failing()
else checks.skip('a disk that fails', 'strace is missing; Debian: apt-get install strace')
checks.end()
process.exit()
