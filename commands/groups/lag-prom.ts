/**
 * Lag in the text format of Prometheus, for a textfile collector: the names that exporters of Kafka
 * use, and two of our own. A partition without a commit, or one that could not be read, has no lag.
 */

import type { GroupLag, PartitionLag } from '../../lib/client/lag.ts'

interface Family {
  readonly name: string
  readonly help: string
  readonly samples: (group: GroupLag) => readonly Sample[]
}

type Sample = readonly [labels: Readonly<Record<string, string | number>>, value: number | null]

function ofPartition(
  label: 'consumergroup' | 'group',
  value: (one: PartitionLag) => number | null,
): Family['samples'] {
  return ({ groupId, partitions }) =>
    partitions.map((one) => [
      { [label]: groupId, topic: one.topic, partition: one.partition },
      value(one),
    ])
}

/** Those that are known and committed. */
const committedLag = (one: PartitionLag) => (one.flag === 'nocommit' ? null : one.lag)

const families: readonly Family[] = [
  {
    name: 'kafka_consumergroup_current_offset',
    help: 'Offset of the next record that the group reads.',
    samples: ofPartition('consumergroup', ({ committed }) => committed),
  },
  {
    name: 'kafka_consumergroup_lag',
    help: 'Records that the group has not read.',
    samples: ofPartition('consumergroup', committedLag),
  },
  {
    name: 'kafka_consumergroup_lag_sum',
    help: 'Records of a topic that the group has not read.',
    samples: ({ groupId, partitions }) => {
      const sums = new Map<string, number | null>()
      for (const one of partitions) {
        const before = sums.get(one.topic)
        const lag = one.flag === 'nocommit' ? 0 : one.lag
        sums.set(one.topic, before === null || lag === null ? null : (before ?? 0) + lag)
      }
      return [...sums].map(([topic, sum]) => [{ consumergroup: groupId, topic }, sum])
    },
  },
  {
    name: 'kafka_consumergroup_members',
    help: 'Members of the group.',
    samples: ({ groupId, group, error }) => [
      [{ consumergroup: groupId }, error === null ? group.members.length : null],
    ],
  },
  {
    name: 'kafka_consumergroup_group_lag_seconds',
    help: 'Seconds since the first record that the group has not read was written.',
    samples: ofPartition('group', (one) => (one.flag === 'nocommit' ? null : one.seconds)),
  },
  {
    name: 'ottla_group_expired_records',
    help: 'Records that were deleted before the group read them.',
    samples: ofPartition('group', ({ expired }) => expired),
  },
  {
    name: 'ottla_group_uncommitted_partitions',
    help: 'Partitions for which the group has no commit.',
    samples: ({ groupId, partitions, error }) => [
      [
        { group: groupId },
        error === null ? partitions.filter(({ flag }) => flag === 'nocommit').length : null,
      ],
    ],
  },
]

/** The lines, without a last newline. */
export function promText(groups: readonly GroupLag[]): string {
  return families
    .flatMap(({ name, help, samples }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...groups.flatMap(samples).flatMap(([labels, value]) => {
        return value === null ? [] : [`${name}{${labelText(labels)}} ${value}`]
      }),
    ])
    .join('\n')
}

function labelText(labels: Readonly<Record<string, string | number>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(String(value))}"`)
    .join(',')
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`))
}
