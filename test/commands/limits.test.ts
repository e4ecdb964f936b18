/** A broker process that the system gives little: few file handles, a directory it may not write. */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '../../lib/client/client.ts'
import { Producer } from '../../lib/client/producer.ts'
import { ottla, shell, temporaryFolder } from '../cli/process.ts'
import { type BrokerProcess, startBroker } from '../interop/support/broker-process.ts'
import { RawConnection } from '../interop/support/raw-connection.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('limits of the system')
const folder = temporaryFolder()
const children: BrokerProcess[] = []
test.after(async () => {
  for (const broker of children) await broker.stop('SIGKILL')
  folder.remove()
})

const filesMax = 256
const partitions = 500

async function start(data: string, args: readonly string[] = []): Promise<BrokerProcess> {
  const broker = await startBroker({ data, args, shell: `ulimit -n ${filesMax}` })
  children.push(broker)
  return broker
}

/** Handles that the process holds at the moment. */
function openFiles({ child }: BrokerProcess): number {
  return readdirSync(`/proc/${child.pid}/fd`).length
}

/** One record to each partition, so that each log has a file in use. */
async function writeEverywhere(broker: BrokerProcess, value: string): Promise<void> {
  const { address } = broker
  const client = new Client({ brokers: [address] })
  const producer = new Producer(client)
  const sent = Array.from({ length: partitions }, (_, partition) =>
    producer.send({ topic: 'many', partition, value }),
  )
  await Promise.all(sent).catch((error: Error) => {
    throw new Error(`${error.message}: ${broker.log().slice(-2000)}`, { cause: error })
  })
  await producer.close()
  client.close()
}

/** More connections than there are handles; gives them back when the last are refused. */
async function crowd({ address }: BrokerProcess): Promise<void> {
  const connections: RawConnection[] = []
  for (let count = 0; count < filesMax; count++) connections.push(await RawConnection.open(address))
  const late = connections.slice(-100)
  const outcomes = await Promise.all(late.map((each) => each.outcome({ withinMs: 10_000 })))
  for (const connection of connections) connection.close()
  assert.ok(
    outcomes.every((outcome) => outcome === 'closed'),
    outcomes.join(' '),
  )
}

test(
  `ulimit -n ${filesMax} and ${partitions} partitions: everything works, beside too many connections`,
  async () => {
    const data = join(folder.path, 'many')
    const args = ['--topic', `many:${partitions}`, '-c', 'ottla.durability=replicated']
    const first = await start(data, args)
    assert.match(first.log(), /open files limited.*filesMax=256/)
    await writeEverywhere(first, 'one')
    await crowd(first)
    await writeEverywhere(first, 'two')
    if (process.platform === 'linux') assert.ok(openFiles(first) < filesMax, `${openFiles(first)}`)
    assert.not.match(first.log(), /EMFILE|offline/)
    assert.is(await first.stop('SIGKILL'), null)

    const second = await start(data, args)
    const read = await ottla(['consume', 'many', '-e', '-b', second.address], { timeoutMs: 30_000 })
    assert.is(read.code, 0, read.stderr)
    const lines = read.stdout.trimEnd().split('\n')
    for (const value of ['one', 'two']) {
      assert.is(lines.filter((line) => line === value).length, partitions, value)
    }
    assert.is(await second.stop(), 0)
    assert.not.match(second.log(), /EMFILE|offline/)
  },
  { timeoutMs: 100_000 },
)

test('too few file handles for any broker: says so, and what to do', () => {
  const { code, stderr } = shell('ulimit -n 120; ottla broker start --memory --listen 127.0.0.1:0')
  assert.is(code, 5, stderr)
  assert.match(stderr, /120 files.*needs 128\n.*ulimit -n 4096/)
})

test('the directory of another cluster is refused with both ids', async () => {
  const data = join(folder.path, 'cluster')
  const [mine, other] = ['AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg']
  const made = await startBroker({ data, args: ['--cluster-id', mine] })
  assert.is(await made.stop(), 0)
  const before = readdirSync(data)
  const words = ['broker', 'start', '--listen', '127.0.0.1:0', '--data', data]
  const { code, stderr } = await ottla([...words, '--cluster-id', other])
  assert.is(code, 4)
  assert.match(
    stderr,
    `${data} belongs to cluster ${mine}, expected ${other}. Give the right --data`,
  )
  assert.equal(readdirSync(data), before)
})

const isRoot = process.getuid?.() === 0
const canMount = isRoot && spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0

if (isRoot) {
  test.skip('a directory without the right to write', 'root may write everywhere')
} else {
  test('a directory without the right to write: names it, and the way out', async () => {
    const data = join(folder.path, 'locked')
    mkdirSync(data)
    chmodSync(data, 0o500)
    const { code, stderr } = await ottla([
      'broker',
      'start',
      '--listen',
      '127.0.0.1:0',
      '--data',
      data,
    ])
    chmodSync(data, 0o700)
    assert.is(code, 4, stderr)
    assert.match(stderr, `${data} cannot be read or written by this user`)
    assert.match(stderr, '--data DIR')
  })
}

if (canMount) {
  test('a read-only file system: names the directory, and the way out', () => {
    const data = join(folder.path, 'read-only')
    mkdirSync(data)
    // In a name space of its own: nothing is left mounted.
    const { code, stderr } = shell(
      `export -f ottla; unshare -m bash -c 'mount -t tmpfs -o ro tmpfs ${data} && ottla broker start --listen 127.0.0.1:0 --data ${data}'`,
    )
    assert.is(code, 4, stderr)
    assert.match(stderr, `${data} is on a read-only file system`)
    assert.match(stderr, '--data DIR')
  })
} else test.skip('a read-only file system', 'it takes root to mount one')
