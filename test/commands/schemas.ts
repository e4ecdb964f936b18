/** JSON Schemas of what commands print under --json: one per kind. Additions are allowed, changes not. */

const name = { type: 'string', minLength: 1 }
const count = { type: 'integer', minimum: 0 }
const offset = { type: ['integer', 'null'], minimum: 0 }
const brokers = { type: 'array', items: count }

function object(properties: Record<string, unknown>): Record<string, unknown> {
  return { type: 'object', required: Object.keys(properties), properties }
}

function snapshot(
  kind: string,
  plural: string,
  row: Record<string, unknown>,
  extra: Record<string, unknown> = {},
) {
  return object({
    kind: { const: `ottla.${kind}/v1` },
    ...extra,
    [plural]: { type: 'array', items: object(row) },
  })
}

const config = {
  key: name,
  value: { type: ['string', 'null'] },
  source: name,
  readOnly: { type: 'boolean' },
  sensitive: { type: 'boolean' },
}
const resource = { resource: object({ type: { enum: ['topic', 'broker'] }, name }) }
const text = { type: ['string', 'null'] }
const problem = { type: ['object', 'null'] }
/** Sums and what they are of; null where something could not be read. */
const lagSums = { lag: offset, effectiveLag: offset, seconds: offset, expired: offset }
const lagPartition = {
  topic: name,
  partition: count,
  committed: offset,
  logStart: offset,
  logEnd: offset,
  ...lagSums,
  approximate: { type: 'boolean' },
  flag: { enum: ['nocommit', 'expired', 'ahead', 'blocked', null] },
  memberId: text,
  clientId: text,
  host: text,
  error: problem,
}
const status = { type: 'string', pattern: '^[a-z]+$|^[A-Z_]+$' }

export const schemas: Readonly<Record<string, Record<string, unknown>>> = {
  'topic-list': snapshot('topic-list', 'topics', {
    topic: name,
    partitions: count,
    replicas: count,
    internal: { type: 'boolean' },
  }),
  'topic-create': snapshot('topic-create', 'topics', {
    topic: name,
    partitions: offset,
    replicas: offset,
    status,
  }),
  'topic-describe': snapshot('topic-describe', 'topics', {
    topic: name,
    topicId: { type: ['string', 'null'] },
    internal: { type: 'boolean' },
    replicas: count,
    partitions: {
      type: 'array',
      items: object({
        partition: count,
        leader: offset,
        epoch: offset,
        replicas: brokers,
        isr: brokers,
        offline: brokers,
        start: offset,
        end: offset,
        size: offset,
      }),
    },
  }),
  'topic-delete': snapshot('topic-delete', 'topics', { topic: name, status }),
  'topic-offsets': snapshot(
    'topic-offsets',
    'partitions',
    { partition: count, start: offset, end: offset },
    { topic: name },
  ),
  'topic-grow': snapshot(
    'topic-grow',
    'partitions',
    { partition: count, old: { type: ['array', 'null'], items: count }, new: brokers },
    { topic: name },
  ),
  'topic-trim': snapshot(
    'topic-trim',
    'partitions',
    { partition: count, old: count, new: count },
    { topic: name },
  ),
  lag: snapshot('lag', 'groups', {
    group: name,
    state: text,
    members: offset,
    ...lagSums,
    over: { type: 'boolean' },
    error: problem,
    partitions: { type: 'array', items: object(lagPartition) },
  }),
  'group-list': snapshot('group-list', 'groups', {
    group: name,
    state: text,
    type: text,
    members: offset,
    coordinator: count,
  }),
  'group-describe': snapshot('group-describe', 'groups', {
    group: name,
    state: text,
    type: name,
    assignor: text,
    epoch: offset,
    coordinator: offset,
    ...lagSums,
    error: problem,
    members: {
      type: 'array',
      items: object({
        memberId: name,
        instanceId: text,
        clientId: text,
        host: text,
        rack: text,
        epoch: offset,
        assigned: {
          type: ['array', 'null'],
          items: object({ topic: name, partitions: brokers }),
        },
      }),
    },
    partitions: { type: 'array', items: object(lagPartition) },
  }),
  'group-reset': snapshot(
    'group-reset',
    'partitions',
    {
      topic: name,
      partition: count,
      current: offset,
      new: offset,
      delta: { type: ['integer', 'null'] },
      note: text,
    },
    { group: name, executed: { type: 'boolean' } },
  ),
  'group-delete': snapshot('group-delete', 'groups', { group: name, status }),
  'group-forget': snapshot(
    'group-forget',
    'partitions',
    { topic: name, partition: count, offset, status },
    { group: name },
  ),
  'config-get': snapshot('config-get', 'configs', config, resource),
  'config-set': snapshot('config-set', 'configs', config, resource),
  'config-unset': snapshot('config-unset', 'configs', config, resource),
  'cluster-info': snapshot(
    'cluster-info',
    'brokers',
    {
      broker: count,
      host: name,
      port: { type: 'integer', minimum: 1, maximum: 65535 },
      rack: { type: ['string', 'null'] },
      role: { enum: ['controller', 'broker'] },
    },
    { clusterId: { type: ['string', 'null'] }, controller: offset },
  ),
  'api-versions': snapshot('api-versions', 'apis', {
    broker: count,
    api: name,
    key: count,
    min: count,
    max: count,
  }),
  help: snapshot(
    'help',
    'commands',
    {
      name,
      about: name,
      positionals: { type: 'string' },
      options: { type: 'array' },
      columns: { type: 'array' },
      exits: { type: 'array' },
      examples: { type: 'array', minItems: 1 },
    },
    { globalOptions: { type: 'array', minItems: 1 } },
  ),
}
