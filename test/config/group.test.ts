/** Settings of one group: in place of the broker's, and within its limits. */

import { SettingError } from '../../lib/base/setting.ts'
import { type Configs, noLayers, resolveBrokerConfig } from '../../lib/config/config.ts'
import { describeGroupConfigs } from '../../lib/config/describe.ts'
import { checkGroupConfigs, groupConfig } from '../../lib/config/group.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('config/group')

const session = 'consumer.session.timeout.ms'
const interval = 'consumer.heartbeat.interval.ms'
const brokerOf = (configs: Configs) => resolveBrokerConfig({ ...noLayers, static: configs })

test('what holds', () => {
  const rows: [broker: Configs, group: Configs, expected: [number, number]][] = [
    [{}, {}, [45_000, 5000]],
    [{}, { [session]: '50000' }, [50_000, 5000]],
    [{ 'group.consumer.heartbeat.interval.ms': '6000' }, {}, [45_000, 6000]],
    [{ 'group.consumer.heartbeat.interval.ms': '6000' }, { [interval]: '7000' }, [45_000, 7000]],
    [{ 'group.consumer.max.session.timeout.ms': '46000' }, { [session]: '50000' }, [46_000, 5000]],
    [
      { 'group.consumer.min.heartbeat.interval.ms': '8000' },
      { [interval]: '7000' },
      [45_000, 8000],
    ],
  ]
  for (const [broker, group, expected] of rows) {
    const { sessionTimeoutMs, heartbeatIntervalMs } = groupConfig(brokerOf(broker), group)
    assert.equal([sessionTimeoutMs, heartbeatIntervalMs], expected)
  }
})

test('what is refused', () => {
  const loose = { 'group.consumer.min.session.timeout.ms': '1000' }
  const rows: [broker: Configs, group: Configs, reason: RegExp][] = [
    [{}, { [session]: '44999' }, /45000 to 60000/],
    [{}, { [interval]: '15001' }, /5000 to 15000/],
    [{}, { [interval]: 'x' }, /heartbeat/],
    [{}, { 'consumer.sesion.timeout.ms': '1' }, /did you mean consumer.session.timeout.ms/],
    [loose, { [session]: '5000', [interval]: '5000' }, /more than consumer.heartbeat/],
  ]
  for (const [broker, group, reason] of rows) {
    try {
      checkGroupConfigs(group, brokerOf(broker))
      assert.unreachable(JSON.stringify(group))
    } catch (error) {
      assert.instance(error, SettingError)
      assert.match(error instanceof Error ? error.message : '', reason)
    }
  }
})

test('what is described', () => {
  const layers = { ...noLayers, static: { 'group.consumer.heartbeat.interval.ms': '6000' } }
  const [entry] = describeGroupConfigs({
    layers,
    overrides: { [interval]: '7000' },
    names: [interval, 'nothing'],
  })
  assert.is(entry?.value, '7000')
  assert.equal(
    entry?.synonyms.map((one) => [one.name, one.value, one.source]),
    [
      [interval, '7000', 8],
      ['group.consumer.heartbeat.interval.ms', '6000', 4],
      ['group.consumer.heartbeat.interval.ms', '5000', 5],
    ],
  )
})
