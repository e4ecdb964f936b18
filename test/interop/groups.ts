/**
 * `npm run interop:groups`: consumer groups of other people's clients, mixed, through joins and kills
 * of members and of the broker; and Kafka's own tool for groups beside Apache Kafka. `--against kafka`
 * runs the first part against Apache Kafka, to check it. Words name the parts to run: classic, next,
 * upgrade, refused, tool. Ends with `N passed, N failed, N skipped`.
 */

import { existsSync } from 'node:fs'
import { apacheKafka } from './apache-kafka.ts'
import { startKafka, startOttla } from './groups/broker.ts'
import type { MemberKind } from './groups/members.ts'
import { checkMixedGroup, checkNoCommonProtocol } from './groups/mixed-checks.ts'
import { checkTool } from './groups/tool-checks.ts'
import { isInstalled } from './process.ts'
import { Checks } from './support/checks.ts'

const against = process.argv.includes('kafka') ? 'kafka' : 'ottla'
const parts = ['classic', 'next', 'upgrade', 'refused', 'tool']
const named = process.argv.slice(2).filter((word) => parts.includes(word))
const isWanted = (part: string) => named.length === 0 || named.includes(part)

const checks = new Checks()
const found = await apacheKafka()
const kafka = typeof found === 'string' ? null : found
const kinds = new Set<MemberKind>(['ottla', 'ottla-next'])
if (typeof found === 'string') checks.skip('members of Java', found)
else for (const kind of ['java', 'java-next'] as const) kinds.add(kind)
if (await isInstalled('kcat')) kinds.add('kcat')
else checks.skip('kcat', 'is missing; Debian: apt-get install kcat')
if (existsSync('test/interop/clients/node_modules/kafkajs')) {
  for (const kind of ['kafkajs', 'platformatic', 'platformatic-next'] as const) kinds.add(kind)
} else {
  checks.skip('kafkajs, @platformatic/kafka', 'run npm ci in test/interop/clients')
}
const atHand = (wanted: readonly MemberKind[]) => wanted.filter((kind) => kinds.has(kind))

const groups: Readonly<Record<string, readonly MemberKind[]>> = {
  classic: ['kcat', 'kafkajs', 'platformatic', 'java', 'ottla'],
  next: ['java-next', 'platformatic-next', 'ottla-next'],
  upgrade: ['kcat', 'java', 'java-next', 'ottla', 'ottla-next'],
}

async function checkGroups(): Promise<void> {
  if (against === 'kafka' && kafka === null) return
  const broker = await (against === 'kafka' && kafka ? startKafka(kafka) : startOttla())
  try {
    for (const [group, wanted] of Object.entries(groups)) {
      const first = atHand(wanted)
      if (!isWanted(group)) continue
      if (first.length < 2) checks.skip(`group ${group}`, 'fewer than two of its clients')
      else await checkMixedGroup(checks, broker, { group, first, kafka, kinds })
    }
    if (isWanted('refused')) await checkNoCommonProtocol(checks, broker, { kafka, kinds })
  } finally {
    await broker.close()
  }
}

async function checkKafkaTool(): Promise<void> {
  if (!isWanted('tool') || against === 'kafka') return
  if (kafka === null || !kinds.has('kcat')) return checks.skip('kafka-consumer-groups', 'see above')
  const theirs = await startKafka(kafka)
  try {
    const ours = await (process.argv.includes('--twice') ? startKafka(kafka) : startOttla())
    try {
      await checkTool(checks, [theirs, ours], kafka)
    } finally {
      await ours.close()
    }
  } finally {
    await theirs.close()
  }
}

await checkGroups()
await checkKafkaTool()
checks.end()
