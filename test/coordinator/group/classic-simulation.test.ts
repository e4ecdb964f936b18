/**
 * Eight clients that join, leave, crash, freeze, dawdle and change their minds at random, while the
 * log is slow at times and the coordinator moves now and then. What must hold whatever happens:
 *
 * - a partition has one owner per generation;
 * - a commit of an older generation than one that was handed out is refused;
 * - no phase of a rebalance lasts longer than the members' time-outs allow;
 * - no answer stays parked;
 * - once the clients behave, all of them, and nobody else, are in one generation and own everything.
 */

import { errorName } from '../../../lib/base/errors.ts'
import type { ClassicGroup } from '../../../lib/coordinator/group/classic-group.ts'
import type { JoinAnswer } from '../../../lib/coordinator/group/classic-member.ts'
import { sleep } from '../../../lib/io/clock.ts'
import { randomBelow } from '../../../lib/io/random.ts'
import { assert, suite } from '../../support/suite.ts'
import { type Call, ClassicWorld, subscription } from './support/classic-world.ts'

const test = suite('classic groups, simulated')

const clientCount = 8
const partitionCount = 12
const generationsPerSeed = 300
/** Sessions end before rebalances do, or after. */
const sessionsMs = [6000, 25_000]
const rebalancesMs = [3000, 9000]
const sessionMsMax = 25_000
const rebalanceMsMax = 9000
/** The longest a phase may last: static members that are all late are waited for by their sessions. */
const phaseMsMax = 2 * rebalanceMsMax + sessionMsMax + 1000
/** An answer comes with the end of a phase, and there may be another phase before it. */
const answerMsMax = 3 * phaseMsMax

type Mood = 'well' | 'leave' | 'crash' | 'freeze'

class Simulation {
  readonly world: ClassicWorld
  readonly clients: Client[] = []
  /** `generation/partition` -> its owner, by instance id if it has one. */
  readonly owners = new Map<string, string>()
  /** The newest generation whose assignment anybody was given. */
  newestGeneration = 0
  /** No more faults from now on. */
  isCalm = false
  readonly calls = new Set<{ sinceMs: number; call: Call<unknown> }>()
  commits = { taken: 0, refused: 0 }

  constructor(seed: number) {
    this.world = new ClassicWorld({ seed, config: { 'group.initial.rebalance.delay.ms': 500 } })
    this.world.log.commitMs = () => (this.below(10) === 0 ? this.below(1500) : this.below(20))
  }

  below(bound: number): number {
    return randomBelow(this.world.env.random, bound)
  }

  /** Waits for the answer, as a client does, and remembers that it waits. */
  async asked<R>(call: Call<R>): Promise<R | string> {
    const entry = { sinceMs: this.world.env.clock.monotonicMs(), call }
    this.calls.add(entry)
    await call.done
    this.calls.delete(entry)
    return call.answer ?? call.error?.name ?? 'NONE'
  }

  onAssigned(owner: string, generation: number, partitions: readonly string[]): void {
    this.newestGeneration = Math.max(this.newestGeneration, generation)
    for (const partition of partitions) {
      const key = `${generation}/${partition}`
      const known = this.owners.get(key)
      assert.ok(known === undefined || known === owner, `${key} belongs to ${known} and ${owner}`)
      this.owners.set(key, owner)
    }
  }

  check(): void {
    const nowMs = this.world.env.clock.monotonicMs()
    for (const { sinceMs } of this.calls) {
      assert.ok(nowMs - sinceMs <= answerMsMax, `an answer is parked for ${nowMs - sinceMs} ms`)
    }
    if (!this.world.shard.groups.has('g')) return
    const group = this.world.group()
    checkGroup(group)
    if (group.state === 'Empty' || group.state === 'Stable') return
    const lastsMs = this.world.env.clock.nowMs() - (group.stateSinceMs ?? 0)
    assert.ok(lastsMs <= phaseMsMax, `${group.state} lasts ${lastsMs} ms`)
  }
}

function checkGroup(group: ClassicGroup): void {
  const { state } = group
  const members = [...group.members.values()]
  const joins = members.filter(({ parkedJoin }) => parkedJoin !== null)
  const syncs = members.filter(({ parkedSync }) => parkedSync !== null)
  assert.is(group.awaitingJoinCount, joins.length)
  // In Stable the new id of a static member is being stored.
  const mayJoin = state === 'PreparingRebalance' || joins.every(({ isStatic }) => isStatic)
  assert.ok(mayJoin, `a join is parked in ${state}`)
  assert.ok(state === 'CompletingRebalance' || syncs.length === 0, `a sync is parked in ${state}`)
  assert.ok(state !== 'Empty' || members.length === 0, 'an empty group has members')
  const statics = members.filter(({ isStatic }) => isStatic)
  assert.equal(
    [...group.staticMembers].sort(),
    statics.map(({ groupInstanceId, memberId }) => [groupInstanceId, memberId]).sort(),
  )
  for (const member of members) {
    const isWatched = member.session?.isSet === true || member.isWaiting
    assert.ok(isWatched, `nobody would notice that ${member.memberId} is gone`)
  }
}

/** A client, with new member ids for as long as the simulation runs. */
class Client {
  readonly #simulation: Simulation
  readonly instanceId: string | null
  memberId = ''
  generation = -1
  partitions: readonly string[] = []
  /** Runs until it has left for good. */
  isDone = false
  isLeaving = false
  #wish = 0
  readonly #sessionTimeoutMs: number
  readonly #rebalanceTimeoutMs: number
  /** What it was in an older generation: another thread of it may still be at work with that. */
  #ghost: { memberId: string; generation: number } | null = null

  constructor(simulation: Simulation, index: number) {
    this.#simulation = simulation
    this.instanceId = index < 3 ? `static-${index}` : null
    this.#sessionTimeoutMs = sessionsMs[index % 2] ?? 0
    this.#rebalanceTimeoutMs = rebalancesMs[(index >> 1) % 2] ?? 0
  }

  get world(): ClassicWorld {
    return this.#simulation.world
  }

  async run(): Promise<void> {
    while (!this.isLeaving) {
      await this.#pause(300)
      if (await this.#takePart()) await this.#consume()
    }
    await this.#leave()
    this.isDone = true
  }

  /** true: it has an assignment. */
  async #takePart(): Promise<boolean> {
    const answer = await this.#join()
    if (answer === null) return false
    const mood = this.#mood(30)
    if (mood === 'crash') return this.#forget()
    if (mood === 'freeze') await this.#pause(2 * rebalanceMsMax)
    return this.#sync(answer)
  }

  async #join(): Promise<JoinAnswer | null> {
    const s = this.#simulation
    if (!s.isCalm && s.below(20) === 0) this.#wish++
    const answer = await s.asked(
      this.world.join(
        {
          memberId: this.memberId,
          groupInstanceId: this.instanceId,
          sessionTimeoutMs: this.#sessionTimeoutMs,
          rebalanceTimeoutMs: this.#rebalanceTimeoutMs,
          protocols: [{ name: 'range', metadata: subscription([`t${this.#wish % 3}`]) }],
        },
        [3, 5, 9][s.below(3)],
      ),
    )
    if (typeof answer === 'string') return this.#failed(answer)
    const error = errorName(answer.errorCode ?? 0)
    if (error === 'MEMBER_ID_REQUIRED') {
      this.memberId = answer.memberId ?? ''
      return null
    }
    if (error !== 'NONE') return this.#failed(error)
    const { memberId, generation } = this
    if (generation !== -1) this.#ghost = { memberId, generation }
    this.memberId = answer.memberId ?? ''
    this.generation = answer.generationId ?? -1
    return answer
  }

  async #sync(joined: JoinAnswer): Promise<boolean> {
    const isLeader = joined.leader === this.memberId && joined.skipAssignment !== true
    const request = {
      groupInstanceId: this.instanceId,
      protocolType: 'consumer',
      protocolName: 'range',
    }
    const answer = await this.#simulation.asked(
      this.world.sync(joined, isLeader ? shareOut(joined) : {}, request),
    )
    if (typeof answer === 'string') return this.#failed(answer) !== null
    const error = errorName(answer.errorCode ?? 0)
    if (error !== 'NONE') return this.#failed(error) !== null
    const text = Buffer.from(answer.assignment ?? []).toString()
    this.partitions = text === '' ? [] : text.split(',')
    const owner = this.instanceId ?? this.memberId
    this.#simulation.onAssigned(owner, this.generation, this.partitions)
    return true
  }

  /** Until the group rebalances, or this client has had enough. */
  async #consume(): Promise<void> {
    while (!this.isLeaving) {
      await this.#pause(2000)
      this.#commit()
      switch (this.#mood(25)) {
        case 'leave':
          return this.#leave()
        case 'crash':
          this.#forget()
          return this.#pause(2 * this.#sessionTimeoutMs)
        case 'freeze':
          await this.#pause(2 * this.#sessionTimeoutMs)
          this.#commit()
          break
        case 'well':
          if (!this.#simulation.isCalm && this.#simulation.below(40) === 0) return
      }
      const error = await this.world.heartbeat(
        { memberId: this.memberId, generationId: this.generation },
        this.instanceId,
      )
      if (error !== 'NONE') {
        this.#failed(error)
        return
      }
    }
  }

  #commit(): void {
    const s = this.#simulation
    if (this.memberId === '' || !s.world.shard.groups.has('g')) return
    const ghost = this.#ghost
    if (ghost !== null && ghost.generation < s.newestGeneration) {
      const result = this.world.commit(ghost.memberId, ghost.generation, this.instanceId)
      assert.is.not(result, 'NONE', 'a ghost commits')
    }
    const result = this.world.commit(this.memberId, this.generation, this.instanceId)
    if (result !== 'NONE') {
      s.commits.refused++
      return
    }
    s.commits.taken++
    assert.is(this.generation, this.world.group().generationId)
    assert.ok(this.generation >= s.newestGeneration, `a commit of ${this.generation} is taken`)
  }

  async #leave(): Promise<void> {
    const { memberId, instanceId: groupInstanceId } = this
    if (memberId !== '')
      await this.#simulation.asked(this.world.leave([{ memberId, groupInstanceId }]))
    this.#forget()
  }

  #mood(oneOf: number): Mood {
    const s = this.#simulation
    if (s.isCalm || s.below(oneOf) > 0) return 'well'
    const moods: readonly Mood[] = ['leave', 'crash', 'freeze']
    return moods[s.below(moods.length)] ?? 'well'
  }

  #failed(error: string): null {
    if (['UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'ILLEGAL_GENERATION'].includes(error))
      this.#forget()
    const isExpected =
      this.memberId === '' ||
      ['REBALANCE_IN_PROGRESS', 'NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS'].includes(error)
    assert.ok(isExpected, `unexpected ${error}`)
    return null
  }

  #forget(): false {
    this.memberId = ''
    this.generation = -1
    this.partitions = []
    return false
  }

  #pause(ms: number): Promise<void> {
    return sleep(this.world.env.clock, 1 + this.#simulation.below(ms))
  }
}

/** Partitions in turn to the members that the leader was told of. */
function shareOut({ members = [] }: JoinAnswer): Record<string, string> {
  const shares = members.map(() => [] as number[])
  for (let partition = 0; partition < partitionCount; partition++) {
    shares[partition % members.length]?.push(partition)
  }
  return Object.fromEntries(
    members.map(({ memberId = '' }, index) => [memberId, (shares[index] ?? []).join(',')]),
  )
}

async function storm(s: Simulation): Promise<void> {
  while (s.newestGeneration < generationsPerSeed) {
    await s.world.advance(1000)
    s.check()
    if (s.below(150) === 0) await s.world.restart()
  }
}

/** All clients behave from now on. */
async function calm(s: Simulation): Promise<void> {
  s.isCalm = true
  for (let second = 0; second < 180; second++) {
    await s.world.advance(1000)
    s.check()
  }
  const group = s.world.group()
  assert.is(group.state, 'Stable')
  assert.equal([...group.members.keys()].sort(), s.clients.map(({ memberId }) => memberId).sort())
  assert.equal(
    new Set(s.clients.map(({ generation }) => generation)),
    new Set([group.generationId]),
  )
  const owned = s.clients.flatMap(({ partitions }) => partitions)
  assert.is(owned.length, partitionCount)
  assert.is(new Set(owned).size, partitionCount)
}

async function leaveAll(s: Simulation): Promise<void> {
  for (const client of s.clients) client.isLeaving = true
  await s.world.advance(3 * sessionMsMax)
  assert.ok(s.clients.every(({ isDone }) => isDone))
  assert.is(s.calls.size, 0)
  const group = s.world.group()
  assert.is(group.state, 'Empty')
  assert.is(group.members.size + group.pendingJoins.size + group.awaitingJoinCount, 0)
  assert.equal(s.world.fatal, [])
}

for (const seed of [1, 2, 3, 4]) {
  test(
    `seed ${seed}: ${generationsPerSeed} rebalances`,
    async () => {
      const s = new Simulation(seed)
      await s.world.start()
      for (let index = 0; index < clientCount; index++) s.clients.push(new Client(s, index))
      const failures: unknown[] = []
      for (const client of s.clients) client.run().catch((error) => failures.push(error))
      const failed = () => {
        if (failures.length > 0) throw failures[0]
      }
      try {
        await storm(s)
        failed()
        await calm(s)
        failed()
        await leaveAll(s)
      } finally {
        failed()
      }
      assert.ok(s.commits.taken > 100 && s.commits.refused > 10, JSON.stringify(s.commits))
    },
    { timeoutMs: 30_000 },
  )
}
