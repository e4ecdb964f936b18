/**
 * What the groups of a broker take of its memory, all together: members with what they said and were
 * given, and committed offsets. Clients make them by naming them, so there has to be an end to it.
 *
 * The sum is made anew now and then (it never takes more than a twentieth of the time); what was let
 * in since is added. At the bound nothing new is let in: no member, no offset of another partition. Who
 * is known goes on, commits and rejoins, with no more than it had.
 */

import type { Clock } from '../../io/clock.ts'
import type { Group } from './group.ts'
import type { GroupOffsets } from './group-offsets.ts'

export interface HeldByShard {
  readonly groups: ReadonlyMap<string, Group>
  readonly offsets: Pick<GroupOffsets, 'heldBytes'>
}

export interface GroupMemoryOptions {
  readonly clock: Clock
  readonly shards: () => Iterable<HeldByShard>
  /** As it is now. */
  readonly bytesMax: () => number
}

const measureEveryMs = 1000
const measureShare = 20

export class GroupMemory {
  readonly #clock: Clock
  readonly #shards: () => Iterable<HeldByShard>
  readonly #bytesMax: () => number
  #bytes = 0
  #nextMeasureMs = 0

  constructor({ clock, shards, bytesMax }: GroupMemoryOptions) {
    this.#clock = clock
    this.#shards = shards
    this.#bytesMax = bytesMax
  }

  /** Whether so many bytes more may be held; if so they count from now on. */
  take(bytes: number): boolean {
    if (this.#clock.monotonicMs() >= this.#nextMeasureMs) this.#measure()
    if (this.#bytes + bytes > this.#bytesMax()) return false
    this.#bytes += bytes
    return true
  }

  #measure(): void {
    const beganMs = this.#clock.monotonicMs()
    this.#bytes = 0
    for (const { groups, offsets } of this.#shards()) {
      this.#bytes += offsets.heldBytes
      for (const group of groups.values()) this.#bytes += group.heldBytes
    }
    const endedMs = this.#clock.monotonicMs()
    this.#nextMeasureMs = endedMs + Math.max(measureEveryMs, measureShare * (endedMs - beganMs))
  }
}

/** About what a group, a member and an offset take beside what they say. */
export const groupBytes = 1000
export const memberBytes = 600
export const offsetBytes = 250

/** About what texts take. */
export function textBytesOf(texts: readonly string[]): number {
  let bytes = 0
  for (const text of texts) bytes += 40 + text.length
  return bytes
}
