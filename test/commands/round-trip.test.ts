/**
 * The law of the record envelope: `consume -e --json A | produce --json --keep-partition B` makes
 * keys, values, headers and timestamps of B equal to A's, byte for byte, in order per partition.
 */

import { Client } from '../../lib/client/client.ts'
import { assert, suite } from '../support/suite.ts'
import { dice, difference, randomRecords, readAll, writeRecords } from './support/random-records.ts'
import { type Cluster, run, startCluster } from './support/session.ts'

const test = suite('round trip')

const partitions = 4
const settings = 'max.message.bytes=2000000,message.timestamp.after.max.ms=9223372036854775807'
let cluster: Cluster
let client: Client

test.before(async () => {
  cluster = await startCluster(`a:${partitions}:${settings}`, `b:${partitions}:${settings}`)
  client = new Client({ brokers: [cluster.address] })
})
test.after(async () => {
  client.close()
  await cluster.stop()
})

test(
  '10,000 random records come through JSON unchanged',
  async () => {
    const records = randomRecords(dice(20261121), { topic: 'a', count: 10_000, partitions })
    await writeRecords(client, records)
    const brokers = cluster.address
    const consumed = await run(['consume', 'a', '-e', '--json'], { brokers })
    assert.is(consumed.stderr, '')
    const lines = consumed.stdout.toString().trimEnd().split('\n')
    assert.is(lines.length, records.length)
    for (const line of lines) JSON.parse(line)
    const flags = ['--json', '--keep-partition']
    const produced = await run(['produce', 'b', ...flags], { brokers, stdin: consumed.stdout })
    assert.is(produced.exit, 0, produced.stderr)
    assert.is(difference(await readAll(client, 'a'), await readAll(client, 'b')), null)
  },
  { timeoutMs: 60_000 },
)
