/**
 * Keeps what the regular expressions of a group stand for up to date. An expression that is new is
 * resolved at once; all of them together when topics came or went, at most every ten seconds, so
 * that one rebalance does for all.
 * Source: KIP-848; apache/kafka: .../GroupMetadataManager.java (maybeUpdateRegularExpressions).
 */

import type { ShardRecord } from '../../shard/shard.ts'
import type { ConsumerGroup, ResolvedRegex } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'
import { regexRecord, regexTombstone } from './consumer-records.ts'
import { isRegexEngineLoaded, isSameTopics, resolveRegex } from './consumer-regex.ts'
import type { ConsumerShard } from './consumer-shard.ts'

const refreshMsMin = 10_000
const refreshMsMax = 600_000

export interface Regexes {
  readonly resolved: ReadonlyMap<string, ResolvedRegex>
  /** Whether members read other topics because of it. */
  readonly hasChanged: boolean
}

/** INVALID_REGULAR_EXPRESSION for a new one that is none. */
export function refreshRegexes(
  shard: ConsumerShard,
  group: ConsumerGroup,
  { before, updated }: { before: ConsumerMember; updated: ConsumerMember },
  records: ShardRecord[],
): Regexes {
  const old = before.subscribedTopicRegex
  const current = updated.subscribedTopicRegex
  if (old === '' && current === '' && group.resolvedRegexes.size === 0) {
    return { resolved: group.resolvedRegexes, hasChanged: false }
  }
  const { image, env } = shard.context
  const nowMs = env.clock.nowMs()
  const resolved = new Map(group.resolvedRegexes)
  let hasChanged = old !== current
  const put = (regex: string): boolean => {
    const known = resolved.get(regex)
    const next = resolveRegex(regex, image, nowMs)
    resolved.set(regex, next)
    records.push(regexRecord(group.groupId, regex, next))
    return known === undefined || !isSameTopics(known.topics, next.topics)
  }
  if (old !== '' && old !== current && !isReadByOthers(group, old, before)) {
    records.push(regexTombstone(group.groupId, old))
    resolved.delete(old)
  }
  if (current !== '' && !resolved.has(current)) hasChanged = put(current) || hasChanged
  if (isRefreshDue(group, { nowMs, topics: image.topics })) {
    const stale = [...resolved.keys()].filter((regex) => resolved.get(regex)?.timestampMs !== nowMs)
    const changed = stale.filter(put)
    if (changed.length > 0) hasChanged = true
    // Not looked at again until the topics are others. After a change it is, once more.
    else group.regexTopics = image.topics
  }
  return { resolved, hasChanged }
}

function isReadByOthers(group: ConsumerGroup, regex: string, member: ConsumerMember): boolean {
  for (const other of group.members.values()) {
    if (other.subscribedTopicRegex === regex && other.memberId !== member.memberId) {
      return other.instanceId === null || other.instanceId !== member.instanceId
    }
  }
  return false
}

function isRefreshDue(
  group: ConsumerGroup,
  { nowMs, topics }: { nowMs: number; topics: ConsumerGroup['regexTopics'] },
): boolean {
  if (!isRegexEngineLoaded()) return false
  let lastMs = 0
  for (const { timestampMs } of group.resolvedRegexes.values()) {
    lastMs = Math.max(lastMs, timestampMs)
  }
  if (nowMs <= lastMs + refreshMsMin) return false
  return group.regexTopics !== topics || nowMs > lastMs + refreshMsMax
}
