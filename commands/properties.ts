/**
 * Client settings by the names that Kafka's and librdkafka's users know, as `-X name=value` and in
 * configuration files. Only names with a meaning here are taken; values are checked when they are
 * read, so a command finds texts that parse. Security settings other than "none" are refused: to
 * connect in the clear where TLS was asked for would be worse than an error.
 *
 * Source: apache/kafka: .../producer/ProducerConfig.java, .../consumer/ConsumerConfig.java;
 * confluentinc/librdkafka: CONFIGURATION.md.
 */

import type { AssignorName } from '../lib/client/assignors/assignor.ts'
import { BadValue, parseInteger } from './values.ts'

export interface Property {
  readonly name: string
  /** Other names of the same setting, librdkafka's. */
  readonly aliases: readonly string[]
  readonly about: string
  check(value: string): void
}

const whole = (min: number, max?: number) => (value: string) => {
  parseInteger(value, max === undefined ? { min } : { min, max })
}

const word =
  (...words: readonly string[]) =>
  (value: string) => {
    if (!words.includes(value)) throw new BadValue(`one of ${words.join(', ')}`)
  }

const groupProtocols = ['classic', 'consumer'] as const

const assignorByName: Readonly<Record<string, AssignorName>> = {
  range: 'range',
  roundrobin: 'roundrobin',
  sticky: 'sticky',
  'cooperative-sticky': 'cooperative-sticky',
  cooperativesticky: 'cooperative-sticky',
}

const notEmpty = (value: string) => {
  if (value === '') throw new BadValue('a text that is not empty')
}

function property(
  name: string,
  about: string,
  check: (value: string) => void,
  aliases: readonly string[] = [],
): Property {
  return { name, aliases, about, check }
}

export const properties: readonly Property[] = [
  property('bootstrap.servers', 'as --brokers', notEmpty, ['metadata.broker.list']),
  property('client.id', 'the name that brokers log for this client', notEmpty),
  property('request.timeout.ms', 'as --timeout, in milliseconds', whole(1), ['socket.timeout.ms']),
  property('security.protocol', 'only PLAINTEXT', (value) => {
    if (value.toUpperCase() !== 'PLAINTEXT') {
      throw new BadValue('PLAINTEXT; TLS and SASL are not supported yet')
    }
  }),
  property('acks', 'produce: 0, 1, or all', word('0', '1', 'all', '-1'), ['request.required.acks']),
  property('enable.idempotence', 'produce: true or false', word('true', 'false')),
  property('compression.type', 'produce: codec', word('none', 'gzip', 'snappy', 'lz4', 'zstd'), [
    'compression.codec',
  ]),
  property('linger.ms', 'produce: how long a batch may wait for more', whole(0), [
    'queue.buffering.max.ms',
  ]),
  property('batch.size', 'produce: bytes per batch', whole(1)),
  property('buffer.memory', 'produce: bytes that may wait', whole(1)),
  property('delivery.timeout.ms', 'produce: until a record counts as failed', whole(1), [
    'message.timeout.ms',
  ]),
  property(
    'partitioner',
    'produce: murmur2, crc32, random or rr',
    word('murmur2', 'murmur2_random', 'crc32', 'consistent_random', 'random', 'rr'),
  ),
  property('fetch.min.bytes', 'consume: bytes a broker waits for', whole(0)),
  property('fetch.max.wait.ms', 'consume: how long it waits', whole(0), ['fetch.wait.max.ms']),
  property('fetch.max.bytes', 'consume: bytes per answer', whole(1)),
  property('max.partition.fetch.bytes', 'consume: bytes per partition', whole(1), [
    'fetch.message.max.bytes',
  ]),
  property(
    'auto.offset.reset',
    'consume: earliest or latest, where no --offset is given',
    word('earliest', 'latest', 'smallest', 'beginning', 'largest', 'end'),
  ),
  property('group.protocol', 'consume -g: classic or consumer (KIP-848)', word(...groupProtocols)),
  property('group.instance.id', 'consume -g: the name of a static member', notEmpty),
  property(
    'group.remote.assignor',
    'consume -g: uniform or range, with group.protocol=consumer',
    notEmpty,
  ),
  property(
    'partition.assignment.strategy',
    'consume -g: range, roundrobin, sticky, cooperative-sticky; several with commas',
    (value) => {
      assignorNames(value)
    },
  ),
  property(
    'enable.auto.commit',
    'consume -g: false is --commit no, where --commit is not given',
    word('true', 'false'),
  ),
  property('session.timeout.ms', 'consume -g: how long the group keeps a silent member', whole(1)),
  property('heartbeat.interval.ms', 'consume -g: how often the member is heard of', whole(1)),
  property('max.poll.interval.ms', 'consume -g: how long standard output may be stuck', whole(1)),
  property('auto.commit.interval.ms', 'consume -g: how often offsets are committed', whole(1)),
  property('client.rack', 'consume -g: where this client stands', notEmpty),
  property('metadata.max.age.ms', 'consume -g: how often new partitions are looked for', whole(1), [
    'topic.metadata.refresh.interval.ms',
  ]),
]

/** Names as groups have them, or Kafka's classes. Throws BadValue. */
export function assignorNames(value: string): AssignorName[] {
  return value.split(',').map((part) => {
    const name = part.trim().replace(/^.*\./, '')
    const found = assignorByName[name.replace(/Assignor$/, '').toLowerCase()]
    if (found !== undefined) return found
    throw new BadValue('range, roundrobin, sticky or cooperative-sticky, several with commas')
  })
}

/** The setting of this name or alias; undefined when the name means nothing here. */
export function propertyByName(name: string): Property | undefined {
  return properties.find((one) => one.name === name || one.aliases.includes(name))
}
