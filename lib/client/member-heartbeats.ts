/**
 * The heartbeats of a member of a classic group, from when it has joined until it joins anew. They
 * tell the coordinator that we live, and us that a rebalance has begun, or that we are out.
 */

import { KafkaError } from '../base/errors.ts'
import { sleep } from '../io/clock.ts'
import { Heartbeat } from '../protocol/apis/heartbeat.ts'
import type { MemberIdentity, MemberParts } from './member.ts'

export interface HeartbeatEvents {
  /** The group gathers its members: join again. */
  readonly onRebalance: () => void
  /** Not in the group any more; nothing is sent from now on. */
  readonly onLost: (error: KafkaError) => void
  /** Nothing that time can mend. */
  readonly onFailed: (error: Error) => void
}

/** Sends them until `signal` aborts, or it is over. Never rejects. */
export async function sendHeartbeats(
  { client, link, options }: MemberParts,
  identity: MemberIdentity,
  { signal, ...events }: HeartbeatEvents & { signal: AbortSignal },
): Promise<void> {
  const { clock } = client.env
  const { groupId, sessionTimeoutMs, heartbeatIntervalMs } = options
  const { memberId, generation: generationId, instanceId: groupInstanceId } = identity
  const timeoutMs = Math.min(client.timeoutMs, sessionTimeoutMs)
  let aliveMs = clock.monotonicMs()
  let failures = 0
  let pauseMs = heartbeatIntervalMs
  while (!signal.aborted) {
    try {
      await sleep(clock, pauseMs, signal)
      const sentMs = clock.monotonicMs()
      const body = { groupId, generationId, memberId, groupInstanceId }
      const { errorCode } = await link.request(Heartbeat, () => body, { timeoutMs })
      if (signal.aborted) return
      if (errorCode === 27) events.onRebalance()
      else if (errorCode !== 0) throw new KafkaError(errorCode)
      aliveMs = sentMs
      failures = 0
      pauseMs = heartbeatIntervalMs
    } catch (error) {
      if (signal.aborted) return
      // ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID.
      if (error instanceof KafkaError && (error.code === 22 || error.code === 25)) {
        return events.onLost(error)
      }
      if (!link.shouldRetry(error)) return events.onFailed(asError(error))
      failures++
      pauseMs = Math.min(link.pauseMs(error, failures), heartbeatIntervalMs)
      const silentMs = clock.monotonicMs() - aliveMs
      if (silentMs < sessionTimeoutMs) continue
      const text = `no heartbeat got through for ${Math.round(silentMs / 1000)} s, the session is over: ${asError(error).message}`
      return events.onLost(new KafkaError('UNKNOWN_MEMBER_ID', text, { cause: error }))
    }
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
