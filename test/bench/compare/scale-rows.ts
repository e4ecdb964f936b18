/** What a record costs the broker when there are many partitions, or many connections. */

import { connectionLoad } from './connection-load.ts'
import {
  newTopic,
  notIdempotent,
  processorSecondsOf,
  producerPerfTest,
  type Row,
  type Tools,
} from './row.ts'

export function scaleRows(tools: Tools): Row[] {
  const count = 2_000_000
  const unit = 's per M records'
  return [
    ...[1, 16, 512].map(
      (partitions): Row => ({
        name: `broker's processor time, 100 B over ${partitions} partition${partitions > 1 ? 's' : ''}`,
        unit,
        better: 'less',
        async measure(target) {
          const topic = await newTopic(target, { partitions })
          const options = { size: 100, count, topic, props: notIdempotent }
          const work = () => producerPerfTest(tools, target, options)
          return (await processorSecondsOf(target, work)) / (count / 1e6)
        },
      }),
    ),
    ...[1, 200, 1000].map(
      (connections): Row => ({
        name: `broker's processor time, 100 B from ${connections} connection${connections > 1 ? 's' : ''}`,
        unit,
        better: 'less',
        async measure(target) {
          const load = await connectionLoad({
            address: target.address,
            topic: await newTopic(target),
            connections,
          })
          try {
            return (await processorSecondsOf(target, () => load.send(count))) / (count / 1e6)
          } finally {
            load.close()
          }
        },
      }),
    ),
  ]
}
