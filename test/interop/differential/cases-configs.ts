/** DescribeConfigs and IncrementalAlterConfigs. */

import {
  DescribeConfigs,
  type DescribeConfigsResponse,
} from '../../../lib/protocol/apis/describe-configs.ts'
import {
  IncrementalAlterConfigs,
  type IncrementalAlterConfigsRequest,
} from '../../../lib/protocol/apis/incremental-alter-configs.ts'
import type { Encodable } from '../../../lib/protocol/schema.ts'
import type { NoAnswer, Peer } from './peer.ts'
import { type Accepted, accept, rowsOf, type Section } from './row.ts'

const description = rowsOf(DescribeConfigs)
const alteration = rowsOf(IncrementalAlterConfigs)

const [topicType, brokerType] = [2, 4]

/** Configs by name, without those that only one of the brokers has. */
function byName(answer: DescribeConfigsResponse | NoAnswer) {
  if (typeof answer === 'string') return answer
  const results = answer.results.map(({ configs, ...result }) => ({
    ...result,
    configs: Object.fromEntries(configs.map(({ name, ...config }) => [name, config])),
  }))
  return { ...answer, results }
}

const onlyOne = {
  reason: 'each broker has settings that the other one does not have',
  is: ({ path, kafka, ottla }: { path: string; kafka: unknown; ottla: unknown }) =>
    /\.configs\.[a-z0-9._]+$/.test(path) && (kafka === undefined || ottla === undefined),
}

const ownPlace = accept(
  'each broker was started with settings of its own',
  /\.configs\.(log\.dirs?|listener[a-z.]*|advertised\.listeners|controller\.[a-z.]*|process\.roles|node\.id|group\.initial\.rebalance\.delay\.ms|share\.coordinator\.state\.topic\.min\.isr|ottla\.durability)\./,
)
const laterTypes = accept('ottla has no settings of client metrics and groups yet', /./)

function describe(
  name: string,
  resources: readonly [type: number, name: string, keys: readonly string[] | null][],
  {
    accepted = [],
    ...fields
  }: {
    includeSynonyms?: boolean
    includeDocumentation?: boolean
    accepted?: readonly Accepted[]
  } = {},
) {
  const versions: [number, number] = [
    fields.includeDocumentation ? 3 : fields.includeSynonyms ? 1 : 0,
    99,
  ]
  return description.steps(
    name,
    async (_, ask) =>
      byName(
        await ask({
          resources: resources.map(([resourceType, resourceName, configurationKeys]) => ({
            resourceType,
            resourceName,
            configurationKeys,
          })),
          ...fields,
        }),
      ),
    { versions, accepted: [...accepted, onlyOne, ownPlace] },
  )
}

const descriptions = [
  describe('a topic', [[topicType, 'configs-plain', null]]),
  describe('a topic, empty list of keys', [[topicType, 'configs-plain', []]]),
  describe('a topic with overrides, synonyms', [[topicType, 'configs-set', null]], {
    includeSynonyms: true,
  }),
  describe('a topic, documentation', [[topicType, 'configs-set', null]], {
    includeDocumentation: true,
  }),
  describe('keys of a topic', [
    [topicType, 'configs-set', ['retention.ms', 'cleanup.policy', 'no.such.key', 'retention.ms']],
  ]),
  describe('unknown, bad and empty topic names', [
    [topicType, 'zz-unknown', null],
    [topicType, 'a b', null],
    [topicType, '', null],
  ]),
  describe('a resource twice', [
    [topicType, 'configs-set', ['retention.ms']],
    [topicType, 'configs-set', ['retention.ms']],
  ]),
  describe('the broker', [[brokerType, '1', null]]),
  describe('the broker, synonyms', [[brokerType, '1', null]], { includeSynonyms: true }),
  describe(
    'keys of the broker',
    [[brokerType, '1', ['log.retention.ms', 'no.such.key', 'log.dirs']]],
    {
      includeSynonyms: true,
    },
  ),
  describe('all brokers', [[brokerType, '', null]], { includeSynonyms: true }),
  ...['2', 'x', '-1', ' 1'].map((name) =>
    describe(`broker ${JSON.stringify(name)}`, [[brokerType, name, null]]),
  ),
  ...[0, 1, 3, 16, 32, 64, -1].map((type) =>
    describe(`resource type ${type}`, [[type, 'x', null]], {
      accepted: type === 16 || type === 32 ? [laterTypes] : [],
    }),
  ),
  describe('broker loggers of another broker', [[8, '2', null]]),
  describe('no resources', []),
]

type Operation = readonly [key: string, op: number, value: string | null]
type Resource = Encodable<IncrementalAlterConfigsRequest['resources'][number]>

const resource = (type: number, name: string, operations: readonly Operation[]): Resource => ({
  resourceType: type,
  resourceName: name,
  configs: operations.map(([key, configOperation, value]) => ({
    name: key,
    configOperation,
    value,
  })),
})

/** What DescribeConfigs then says of what is set. */
async function overrides(peer: Peer, type: number, name: string) {
  await peer.settle()
  const { results } = await peer.call(DescribeConfigs, 3, {
    resources: [{ resourceType: type, resourceName: name, configurationKeys: null }],
  })
  const configs = results[0]?.configs.filter(({ configSource }) => configSource < 4) ?? []
  return Object.fromEntries(
    configs
      .filter(({ name: key }) => key !== 'min.insync.replicas')
      .map(({ name: key, value, configSource }) => [key, { value, configSource }]),
  )
}

const badOperation = accept('an unknown operation: Kafka says UNKNOWN_SERVER_ERROR', /\.errorCode$/)
const emptyItem = accept('ottla passes over an empty item of a list', /./)
const unknownKey = accept('ottla refuses a setting of brokers that it does not know', /./)
const badValue = accept(
  'a bad value of a setting of brokers: ottla says INVALID_CONFIG as for topics, Kafka INVALID_REQUEST',
  /\.errorCode$/,
)

/** Changes a topic that has some overrides. */
function alter(name: string, ...operations: readonly Operation[]) {
  const accepted = name.startsWith('operation')
    ? [badOperation]
    : name === 'append nothing'
      ? [emptyItem]
      : []
  return alteration.steps(
    name,
    async ({ peer, topic, version }, ask) => {
      await peer.create(topic, { configs: { 'retention.ms': '1000', 'cleanup.policy': 'compact' } })
      const answer = await ask({
        resources: [resource(topicType, topic, operations)],
        validateOnly: version === 0 && name.startsWith('validate'),
      })
      return [answer, await overrides(peer, topicType, topic)]
    },
    { accepted },
  )
}

const [set, remove, append, subtract] = [0, 1, 2, 3]

const alterations = [
  alter('set', ['segment.ms', set, '5000']),
  alter('set what is set', ['retention.ms', set, '5000']),
  alter('set two', ['segment.ms', set, '5000'], ['retention.ms', set, '5000']),
  alter('set one good, one bad', ['segment.ms', set, '5000'], ['retention.ms', set, 'x']),
  alter('set an empty value', ['retention.ms', set, '']),
  alter('set to null', ['retention.ms', set, null]),
  alter('set an unknown key', ['no.such.key', set, '1']),
  alter('set the empty key', ['', set, '1']),
  alter('set out of range', ['retention.ms', set, '-2']),
  alter('set a bad list', ['cleanup.policy', set, 'shred']),
  alter('set remote storage', ['remote.storage.enable', set, 'true']),
  alter('set a key twice', ['segment.ms', set, '5000'], ['segment.ms', set, '6000']),
  alter('set and delete a key', ['segment.ms', set, '5000'], ['segment.ms', remove, null]),
  alter('validate only: set', ['segment.ms', set, '5000']),
  alter('delete', ['retention.ms', remove, null]),
  alter('delete with a value', ['retention.ms', remove, '7']),
  alter('delete what is not set', ['segment.ms', remove, null]),
  alter('delete an unknown key', ['no.such.key', remove, null]),
  alter('delete all', ['retention.ms', remove, null], ['cleanup.policy', remove, null]),
  alter('append', ['cleanup.policy', append, 'delete']),
  alter('append what is there', ['cleanup.policy', append, 'compact']),
  alter('append two', ['cleanup.policy', append, 'delete,compact']),
  alter('append a bad value', ['cleanup.policy', append, 'shred']),
  alter('append nothing', ['cleanup.policy', append, '']),
  alter('append null', ['cleanup.policy', append, null]),
  alter('append to what is not set', ['leader.replication.throttled.replicas', append, '0:1']),
  alter('append to a number', ['retention.ms', append, '1']),
  alter('append to an unknown key', ['no.such.key', append, '1']),
  alter('subtract', ['cleanup.policy', subtract, 'compact']),
  alter('subtract what is not there', ['cleanup.policy', subtract, 'delete']),
  alter('subtract from what is not set', [
    'leader.replication.throttled.replicas',
    subtract,
    '0:1',
  ]),
  alter('subtract from a number', ['retention.ms', subtract, '1']),
  alter('subtract null', ['cleanup.policy', subtract, null]),
  alter('operation 4', ['retention.ms', 4, '1']),
  alter('operation -1', ['retention.ms', -1, '1']),
  alter('no operations'),
]

/** Changes resources as they are; asks for what the brokers then have. */
function alterBrokers(name: string, resources: readonly Resource[], validateOnly = false) {
  const accepted = /^(unknown|topic) key/.test(name)
    ? [unknownKey]
    : name.startsWith('bad value')
      ? [badValue]
      : []
  return alteration.steps(
    name,
    async ({ peer }, ask) => {
      const answer = await ask({ resources, validateOnly })
      return [answer, await overrides(peer, brokerType, ''), await overrides(peer, brokerType, '1')]
    },
    { accepted },
  )
}

const brokers = [
  alterBrokers('all brokers', [resource(brokerType, '', [['log.retention.ms', set, '777000']])]),
  alterBrokers('this broker', [resource(brokerType, '1', [['log.retention.ms', set, '888000']])]),
  describe('dynamic settings of the broker', [[brokerType, '1', ['log.retention.ms']]], {
    includeSynonyms: true,
  }),
  describe('dynamic settings of a topic', [[topicType, 'configs-plain', ['retention.ms']]], {
    includeSynonyms: true,
  }),
  alterBrokers('validate only', [resource(brokerType, '', [['log.retention.ms', set, '5']])], true),
  alterBrokers('a list', [resource(brokerType, '', [['log.cleanup.policy', append, 'compact']])]),
  alterBrokers('delete them', [
    resource(brokerType, '1', [['log.retention.ms', remove, null]]),
    resource(brokerType, '', [
      ['log.retention.ms', remove, null],
      ['log.cleanup.policy', remove, null],
    ]),
  ]),
  ...['', '1'].flatMap((name) => [
    alterBrokers(`read-only, broker '${name}'`, [
      resource(brokerType, name, [['log.dirs', set, '/x']]),
    ]),
    alterBrokers(`node.id, broker '${name}'`, [
      resource(brokerType, name, [['node.id', set, '5']]),
    ]),
    alterBrokers(`unknown key, broker '${name}'`, [
      resource(brokerType, name, [['no.such.key', set, '5']]),
    ]),
    alterBrokers(`clear it again, broker '${name}'`, [
      resource(brokerType, name, [['no.such.key', remove, null]]),
    ]),
    alterBrokers(`bad value, broker '${name}'`, [
      resource(brokerType, name, [['log.retention.ms', set, 'x']]),
    ]),
    alterBrokers(`null value, broker '${name}'`, [
      resource(brokerType, name, [['log.retention.ms', set, null]]),
    ]),
    alterBrokers(`append to a number, broker '${name}'`, [
      resource(brokerType, name, [['log.retention.ms', append, '1']]),
    ]),
    alterBrokers(`topic key, broker '${name}'`, [
      resource(brokerType, name, [['retention.ms', set, '5']]),
    ]),
    alterBrokers(`clear that again, broker '${name}'`, [
      resource(brokerType, name, [['retention.ms', remove, null]]),
    ]),
  ]),
  ...['2', 'x', '-1'].map((name) =>
    alterBrokers(`broker ${name}`, [
      resource(brokerType, name, [['log.retention.ms', set, '5000']]),
    ]),
  ),
  alterBrokers('unknown, bad and empty topic names', [
    resource(topicType, 'zz-unknown', [['retention.ms', set, '5']]),
    resource(topicType, 'a b', [['retention.ms', set, '5']]),
    resource(topicType, '', [['retention.ms', set, '5']]),
  ]),
  alterBrokers('a resource twice', [
    resource(topicType, 'configs-set', [['retention.ms', set, '5']]),
    resource(topicType, 'configs-set', [['segment.ms', set, '5']]),
  ]),
  ...[0, 1, 3, 64, -1].map((type) =>
    alterBrokers(`resource type ${type}`, [resource(type, 'x', [['retention.ms', set, '5']])]),
  ),
  alterBrokers('no resources', []),
]

export const configsSection: Section = {
  name: 'configs',
  prepare: async (peer) => {
    await peer.create('configs-plain')
    await peer.create('configs-set', {
      configs: { 'retention.ms': '1000', 'cleanup.policy': 'compact,delete' },
    })
  },
  rows: [...descriptions, ...alterations, ...brokers],
}
