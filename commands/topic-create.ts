/** `topic create`: topics by name or from a file, and the wait until they have leaders. */

import { Admin } from '../lib/client/admin.ts'
import type { CreateTopicResult, NewTopic } from '../lib/client/admin-topics.ts'
import type { Client } from '../lib/client/client.ts'
import {
  type Args,
  type CommandContext,
  CommandError,
  command,
  exitCodes,
  type Row,
} from './command.ts'
import { file, flag, option, parsePair, repeated } from './options.ts'
import { declaredTopics } from './topics/declared.ts'
import { replicaCount } from './topics/find.ts'
import { failed, type ItemOutcome, reportItems, succeeded } from './topics/items.ts'
import { BadValue, parseInteger } from './values.ts'

const columns = [
  { title: 'TOPIC', key: 'topic', about: 'name' },
  { title: 'PARTITIONS', key: 'partitions', about: 'number of partitions', isNumber: true },
  { title: 'REPLICAS', key: 'replicas', about: 'copies of each partition', isNumber: true },
  {
    title: 'STATUS',
    key: 'status',
    about: 'created, exists, valid (with --dry-run), or the name of the error',
  },
]

const options = {
  partitions: option("number of partitions, -1 = the broker's default", parseCount, {
    word: 'N',
    letter: 'p',
    fallback: '-1',
  }),
  replicas: option("copies of each, -1 = the broker's default", parseCount, {
    word: 'N',
    letter: 'r',
    fallback: '-1',
    aliases: ['replication-factor'],
  }),
  config: repeated('a setting of the topic', parsePair, { word: 'KEY=VALUE', letter: 'c' }),
  ifNotExists: flag('a topic that exists already is no failure'),
  dryRun: flag('let the broker check it, create nothing'),
  from: file('topics from a JSON file, - = standard input', { completes: 'file' }),
  noWait: flag('do not wait until every partition has a leader'),
}

export const topicCreate = command({
  name: 'topic create',
  about: 'create topics',
  positionals: '[TOPIC...]',
  options,
  examples: [
    ['topic create orders -p 6 -r 3', 'six partitions, three copies of each'],
    ['topic create orders --if-not-exists', 'may be run again'],
    ['topic create users -c cleanup.policy=compact', 'with a setting'],
    ['topic create --from topics.json', 'many at once'],
  ],
  description: [
    'The file of --from holds what topic describe --configs --json prints: {"topics":[{"topic":"orders","partitions":6,"replicas":3,"configs":{"cleanup.policy":"compact"}}]}, a list of such topics, or one. -p, -r and -c are for what the file leaves open.',
  ],
  columns,
  exits: {
    4: 'the file of --from is invalid',
    6: 'not allowed, or exists already',
    7: 'some failed',
  },
  run: async (context, args) => {
    const wanted = await wantedTopics(context, args)
    const client = await context.client()
    const admin = new Admin(client)
    const results = await admin.createTopics(wanted, { validateOnly: args.dryRun })
    const outcomes = results.map((result) => outcomeOf(result, args))
    const created = outcomes.filter(({ status }) => status === 'created').map(({ name }) => name)
    const lateness = args.noWait || created.length === 0 ? null : await leaderless(admin, created)
    const rows = await rowsOf(client, results, outcomes)
    await context.out.snapshot({ kind: 'topic-create', plural: 'topics', columns, rows })
    const exit = reportItems(context, 'topic', outcomes)
    if (lateness !== null) throw lateness
    return exit
  },
})

/** Why there are partitions without a leader when the time is over: the topics exist all the same. */
async function leaderless(admin: Admin, names: readonly string[]): Promise<Error | null> {
  try {
    await admin.waitForLeaders(names)
    return null
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}

function parseCount(text: string): number {
  if (text === '-1') return -1
  try {
    return parseInteger(text, { min: 1, max: 0x7fffffff })
  } catch {
    throw new BadValue("a whole number from 1, or -1 for the broker's default")
  }
}

async function wantedTopics(
  context: CommandContext,
  { positionals, from, partitions, replicas, config }: Args<typeof options>,
): Promise<NewTopic[]> {
  const configs = Object.fromEntries(config)
  const declared = from === undefined ? [] : await declaredTopics(context, from)
  const wanted = [
    ...positionals.map((name) => ({ name, partitions, replicationFactor: replicas, configs })),
    ...declared.map((topic) => ({
      name: topic.name,
      partitions: topic.partitions === -1 ? partitions : (topic.partitions ?? -1),
      replicationFactor:
        topic.replicationFactor === -1 ? replicas : (topic.replicationFactor ?? -1),
      configs: { ...configs, ...topic.configs },
    })),
  ]
  if (wanted.length === 0 && from === undefined) {
    const usage = 'usage: ottla topic create [TOPIC...] [--from FILE]; see --help'
    throw new CommandError(exitCodes.usage, 'no topic given', usage)
  }
  const names = wanted.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new CommandError(exitCodes.usage, `topic "${twice}" given twice`)
  }
  return wanted
}

function outcomeOf(
  { name, error }: CreateTopicResult,
  { ifNotExists, dryRun }: Args<typeof options>,
): ItemOutcome {
  if (error === null) return succeeded(name, dryRun ? 'valid' : 'created')
  if (ifNotExists && error.name === 'TOPIC_ALREADY_EXISTS') return succeeded(name, 'exists')
  return failed(name, error)
}

/** Counts come with the answer, or, from brokers that do not tell, out of the metadata. */
async function rowsOf(
  client: Client,
  results: readonly CreateTopicResult[],
  outcomes: readonly ItemOutcome[],
): Promise<Row[]> {
  const open = outcomes.filter(
    ({ status }, index) =>
      status === 'exists' || (status === 'created' && (results[index]?.partitions ?? -1) < 0),
  )
  const known =
    open.length === 0
      ? []
      : (await client.metadata({ topics: open.map(({ name }) => name) })).topics
  return outcomes.map(({ name, status }, index) => {
    const result = results[index]
    const there = known.find((topic) => topic.name === name && topic.error === null)
    const partitions = there?.partitions.length ?? result?.partitions ?? -1
    const replicas = there === undefined ? (result?.replicationFactor ?? -1) : replicaCount(there)
    return {
      topic: name,
      partitions: partitions < 0 ? null : partitions,
      replicas: replicas < 0 ? null : replicas,
      status,
    }
  })
}
