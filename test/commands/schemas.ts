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
