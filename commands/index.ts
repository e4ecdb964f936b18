/**
 * The registry: one line per command, imported only when it is run (or all, for help and man
 * pages). The order is the order of help.
 */

import type { Command } from './command.ts'

export interface Entry {
  readonly name: string
  /** Other names that work and stand in no help. */
  readonly aliases?: readonly string[]
  load(): Promise<Command>
}

const entries: readonly Entry[] = [
  { name: 'produce', load: async () => (await import('./produce.ts')).produce },
  { name: 'consume', load: async () => (await import('./consume.ts')).consume },
  { name: 'tail', load: async () => (await import('./tail.ts')).tail },
  { name: 'lag', load: async () => (await import('./lag.ts')).lag },
  { name: 'broker start', load: async () => (await import('./broker-start.ts')).brokerStart },
  { name: 'broker run', load: async () => (await import('./broker-run.ts')).brokerRun },
  { name: 'broker stop', load: async () => (await import('./broker-stop.ts')).brokerStop },
  { name: 'broker status', load: async () => (await import('./broker-status.ts')).brokerStatus },
  { name: 'log dump', load: async () => (await import('./log-dump.ts')).logDump },
  { name: 'log check', load: async () => (await import('./log-check.ts')).logCheck },
  { name: 'demo', load: async () => (await import('./demo.ts')).demo },
  { name: 'topic list', load: async () => (await import('./topic-list.ts')).topicList },
  { name: 'topic create', load: async () => (await import('./topic-create.ts')).topicCreate },
  { name: 'topic describe', load: async () => (await import('./topic-describe.ts')).topicDescribe },
  { name: 'topic delete', load: async () => (await import('./topic-delete.ts')).topicDelete },
  { name: 'topic exists', load: async () => (await import('./topic-exists.ts')).topicExists },
  { name: 'topic offsets', load: async () => (await import('./topic-offsets.ts')).topicOffsets },
  { name: 'topic grow', load: async () => (await import('./topic-grow.ts')).topicGrow },
  { name: 'topic trim', load: async () => (await import('./topic-trim.ts')).topicTrim },
  { name: 'group list', load: async () => (await import('./group-list.ts')).groupList },
  { name: 'group describe', load: async () => (await import('./group-describe.ts')).groupDescribe },
  {
    name: 'group reset',
    aliases: ['group seek'],
    load: async () => (await import('./group-reset.ts')).groupReset,
  },
  { name: 'group delete', load: async () => (await import('./group-delete.ts')).groupDelete },
  { name: 'group forget', load: async () => (await import('./group-forget.ts')).groupForget },
  { name: 'config get', load: async () => (await import('./config-get.ts')).configGet },
  { name: 'config set', load: async () => (await import('./config-set.ts')).configSet },
  { name: 'config unset', load: async () => (await import('./config-unset.ts')).configUnset },
  { name: 'cluster info', load: async () => (await import('./cluster-info.ts')).clusterInfo },
  { name: 'cluster wait', load: async () => (await import('./cluster-wait.ts')).clusterWait },
  { name: 'api-versions', load: async () => (await import('./api-versions.ts')).apiVersions },
]

/** Every command, in the order of help. */
export function commandEntries(): readonly Entry[] {
  return entries
}
