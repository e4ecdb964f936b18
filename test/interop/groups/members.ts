/**
 * Members of consumer groups as processes of other people's clients. Each prints the place of every
 * record that it reads, and lives until it is signalled: SIGTERM is a polite leave.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import type { ApacheKafka } from '../apache-kafka.ts'
import { ottla } from '../support/broker-process.ts'

/** Those with `next` speak the new protocol (KIP-848). */
export type MemberKind =
  | 'kcat'
  | 'kafkajs'
  | 'platformatic'
  | 'java'
  | 'java-next'
  | 'platformatic-next'
  | 'ottla'
  | 'ottla-next'

export interface MemberPlace {
  readonly address: string
  readonly group: string
  readonly topic: string
  readonly kafka: ApacheKafka | null
  /** Of the classic members. */
  readonly strategy?: 'roundrobin' | 'range'
}

export interface Member {
  readonly name: string
  readonly kind: MemberKind
  readonly child: ChildProcess
  /** `partition offset`, in the order they were read. */
  readonly places: string[]
  /** The end of what it said on standard error. */
  said(): string
  stop(signal?: NodeJS.Signals): Promise<void>
}

const folder = 'test/interop/clients'
const sessionMs = '6000'

/** Starts a member; `name` is its client id. */
export function startMember(kind: MemberKind, name: string, place: MemberPlace): Member {
  const [program = '', ...args] = commandLineOf(kind, name, place)
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const places: string[] = []
  let [rest, stderr] = ['', '']
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk).slice(-20_000)))
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [, partition, offset] = /^\D*(\d+)\s\D*(\d+)\D*$/.exec(line) ?? []
      if (partition !== undefined) places.push(`${partition} ${offset}`)
    }
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  child.on('error', (error) => (stderr += error.message))
  return {
    name,
    kind,
    child,
    places,
    said: () => stderr,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const killer = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await ended
      clearTimeout(killer)
    },
  }
}

function commandLineOf(kind: MemberKind, name: string, place: MemberPlace): string[] {
  switch (kind) {
    case 'kcat':
      return kcatLine(name, place)
    case 'kafkajs':
    case 'platformatic':
    case 'platformatic-next':
      return nodeLine(kind, name, place)
    case 'java':
    case 'java-next':
      return javaLine(kind, name, place)
    case 'ottla':
    case 'ottla-next':
      return ottlaLine(kind, name, place)
  }
}

function kcatLine(
  name: string,
  { address, group, topic, strategy = 'roundrobin' }: MemberPlace,
): string[] {
  const settings = {
    'client.id': name,
    'partition.assignment.strategy': strategy,
    'auto.offset.reset': 'earliest',
    'session.timeout.ms': sessionMs,
    'heartbeat.interval.ms': '500',
    'auto.commit.interval.ms': '300',
    'fetch.wait.max.ms': '100',
  }
  const options = Object.entries(settings).flatMap(([key, value]) => ['-X', `${key}=${value}`])
  return ['kcat', '-b', address, '-G', group, '-u', '-f', '%p %o\n', ...options, topic]
}

function nodeLine(
  kind: 'kafkajs' | 'platformatic' | 'platformatic-next',
  name: string,
  { address, group, topic }: MemberPlace,
): string[] {
  const [client = ''] = kind.split('-')
  const protocol = kind === 'platformatic-next' ? 'consumer' : 'classic'
  const request = { do: 'member', groupId: group, clientId: name, protocol }
  const script = `${folder}/${client}.mjs`
  return [process.execPath, script, address, topic, JSON.stringify(request)]
}

function javaLine(
  kind: 'java' | 'java-next',
  name: string,
  { address, group, topic, kafka, strategy = 'roundrobin' }: MemberPlace,
): string[] {
  if (kafka === null) throw new Error('Apache Kafka is not at hand')
  const assignor = strategy === 'range' ? 'RangeAssignor' : 'RoundRobinAssignor'
  const classic = {
    'partition.assignment.strategy': `org.apache.kafka.clients.consumer.${assignor}`,
    'session.timeout.ms': sessionMs,
    'heartbeat.interval.ms': '500',
  }
  const settings = {
    'client.id': name,
    'auto.commit.interval.ms': '300',
    'fetch.max.wait.ms': '100',
    ...(kind === 'java' ? classic : { 'group.protocol': 'consumer' }),
  }
  return kafka.commandLine('kafka-console-consumer', [
    ...['--bootstrap-server', address, '--topic', topic, '--group', group, '--from-beginning'],
    ...Object.entries(settings).flatMap(([key, value]) => [
      '--command-property',
      `${key}=${value}`,
    ]),
    ...['print.partition=true', 'print.offset=true', 'print.value=false'].flatMap((property) => [
      '--formatter-property',
      property,
    ]),
  ])
}

function ottlaLine(
  kind: 'ottla' | 'ottla-next',
  name: string,
  { address, group, topic, strategy = 'roundrobin' }: MemberPlace,
): string[] {
  const settings =
    kind === 'ottla'
      ? { 'partition.assignment.strategy': strategy, 'session.timeout.ms': sessionMs }
      : { 'group.protocol': 'consumer' }
  const options = Object.entries({ ...settings, 'client.id': name })
  return [
    ...[...ottla, '-b', address, 'consume', topic, '-g', group, '-f', '%p %o\\n'],
    ...options.flatMap(([key, value]) => ['-X', `${key}=${value}`]),
  ]
}
