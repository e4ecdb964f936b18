import { randomUuid } from '../../lib/base/uuid.ts'
import { PartitionLog } from '../../lib/coordinator/partition-log.ts'
import { nativeError } from '../../lib/io/memory/disk.ts'
import { Partition } from '../../lib/replication/partition.ts'
import { batchOf, Scenario } from '../storage/support/scenario.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('coordinator/partition-log')

async function world() {
  const scenario = await new Scenario().open()
  const { log, env } = scenario
  let onChange = () => {}
  const partition = new Partition({
    ...{ log, brokerId: 1, highWatermark: 0, config: scenario.config },
    topicId: randomUuid((count) => env.random.bytes(count)),
    onChange: () => onChange(),
  })
  partition.apply({ leader: 1, leaderEpoch: 0, isr: [1], replicas: [1], minIsr: 1 })
  const shardLog = new PartitionLog(partition)
  onChange = () => shardLog.update()
  const append = () => shardLog.append(batchOf().chunks[0] ?? Buffer.alloc(0))
  return { scenario, shardLog, append, log, env }
}

test('what a full disk did not take is never committed, nor what is appended behind it', async () => {
  const { shardLog, append, log, env } = await world()
  await shardLog.whenCommitted(append())
  env.disk.beforeEach = (operation, path) => {
    if (operation === 'write') throw nativeError('ENOSPC', operation, path)
  }
  const lostEnd = append()
  const lost = shardLog.whenCommitted(lostEnd)
  assert.match((await rejection(lost)).message, /events-0: the disk did not take it/)
  assert.match((await rejection(shardLog.whenCommitted(lostEnd))).message, /did not take it/)
  assert.throws(append, /ENOSPC|full|space/)
  env.disk.beforeEach = () => {}
  await log.resume()
  const end = append()
  assert.is(end, lostEnd)
  await shardLog.whenCommitted(end)
})
