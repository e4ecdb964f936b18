/** Members of a classic group as raw frames, for measuring the broker and nothing else. */

import { Heartbeat } from '../../../lib/protocol/apis/heartbeat.ts'
import { JoinGroup, type JoinGroupResponse } from '../../../lib/protocol/apis/join-group.ts'
import { SyncGroup } from '../../../lib/protocol/apis/sync-group.ts'
import { protocols } from '../differential/group-setup.ts'
import type { Peer } from '../differential/peer.ts'
import { pause } from '../support/checks.ts'

const rebalanceInProgress = 27
/** No member is to expire while it is not asked to do anything. */
const sessionTimeoutMs = 1_800_000

export class RawMember {
  readonly #peer: Peer
  readonly #groupId: string
  memberId = ''
  generationId = -1

  /** `peer` is a connection of its own: a join may wait for other members. */
  constructor(peer: Peer, groupId: string) {
    this.#peer = peer
    this.#groupId = groupId
  }

  /** v3: without the detour over a member id. */
  async join(): Promise<JoinGroupResponse> {
    const answer = await this.#peer.call(JoinGroup, 3, {
      groupId: this.#groupId,
      memberId: this.memberId,
      sessionTimeoutMs,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols,
    })
    if (answer.errorCode !== 0) throw new Error(`${this.#groupId}: join: ${answer.errorCode}`)
    this.memberId = answer.memberId
    this.generationId = answer.generationId
    return answer
  }

  /** The leader gives everybody an assignment. */
  async sync({ leader, memberId, members }: JoinGroupResponse): Promise<void> {
    const assignments = leader === memberId ? members : []
    const { errorCode } = await this.#peer.call(SyncGroup, 2, {
      groupId: this.#groupId,
      memberId,
      generationId: this.generationId,
      assignments: assignments.map((member) => ({
        memberId: member.memberId,
        assignment: Buffer.alloc(100),
      })),
    })
    if (errorCode === rebalanceInProgress) return this.sync(await this.join())
    if (errorCode !== 0) throw new Error(`${this.#groupId}: sync: ${errorCode}`)
  }

  async enter(): Promise<void> {
    await this.sync(await this.join())
  }

  /** Beats until the group rebalances, then takes part in that. */
  async follow(everyMs: number): Promise<void> {
    for (;;) {
      const errorCode = await this.heartbeat()
      if (errorCode === rebalanceInProgress) return this.enter()
      if (errorCode !== 0) throw new Error(`${this.#groupId}: heartbeat: ${errorCode}`)
      await pause(everyMs)
    }
  }

  async heartbeat(): Promise<number> {
    const { memberId, generationId } = this
    const body = { groupId: this.#groupId, memberId, generationId }
    return (await this.#peer.call(Heartbeat, 2, body)).errorCode
  }
}
