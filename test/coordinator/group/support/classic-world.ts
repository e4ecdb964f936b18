/**
 * Classic groups on a shard of their own: the real runtime and operations, over a log in memory whose
 * commits take as long as they are told to, on a clock that is moved by hand.
 */

import { KafkaError } from '../../../../lib/base/errors.ts'
import type { BrokerConfig } from '../../../../lib/config/broker.ts'
import { noLayers, resolveBrokerConfig } from '../../../../lib/config/config.ts'
import { ClassicGroup } from '../../../../lib/coordinator/group/classic-group.ts'
import { joinGroup } from '../../../../lib/coordinator/group/classic-join.ts'
import {
  heartbeat,
  type Leaving,
  type Left,
  leaveGroup,
} from '../../../../lib/coordinator/group/classic-leave.ts'
import type { JoinAnswer, SyncAnswer } from '../../../../lib/coordinator/group/classic-member.ts'
import { syncGroup } from '../../../../lib/coordinator/group/classic-sync.ts'
import { GroupShard } from '../../../../lib/coordinator/group/group-shard.ts'
import { type MemoryEnv, memoryEnv } from '../../../../lib/io/memory/env.ts'
import type { ClusterImage } from '../../../../lib/metadata/image.ts'
import type { JoinGroupRequest } from '../../../../lib/protocol/apis/join-group.ts'
import type { SyncGroupRequest } from '../../../../lib/protocol/apis/sync-group.ts'
import {
  decodeGroupRecord,
  type GroupRecord,
} from '../../../../lib/protocol/coordinator/group-records.ts'
import { type RecordBatch, splitBatches } from '../../../../lib/record/batch.ts'
import { readRecords } from '../../../../lib/record/record.ts'
import { ShardRuntime } from '../../../../lib/shard/runtime.ts'
import type { ShardLog, ShardLogRead } from '../../../../lib/shard/shard.ts'

/** A log in memory. */
export class MemoryShardLog implements ShardLog {
  readonly batchBytesMax = 1_000_000
  readonly startOffset = 0
  endOffset = 0
  /** How long a commit takes. */
  commitMs: () => number = () => 0
  /** Set: the log takes nothing. */
  refuses: KafkaError | null = null
  readonly #env: MemoryEnv
  readonly batches: { baseOffset: number; endOffset: number; batch: RecordBatch }[] = []

  constructor(env: MemoryEnv) {
    this.#env = env
  }

  append(bytes: Uint8Array): number {
    if (this.refuses !== null) throw this.refuses
    const [batch] = splitBatches([bytes])
    if (batch === undefined) throw new Error('no batch')
    const baseOffset = this.endOffset
    Buffer.from(bytes.buffer, bytes.byteOffset).writeBigInt64BE(BigInt(baseOffset), 0)
    this.endOffset += batch.header.recordCount
    const [stored] = splitBatches([bytes])
    if (stored === undefined) throw new Error('no batch')
    this.batches.push({ baseOffset, endOffset: this.endOffset, batch: stored })
    return this.endOffset
  }

  whenCommitted(): Promise<void> {
    const ms = this.commitMs()
    if (ms === 0) return Promise.resolve()
    return new Promise((resolve) => this.#env.clock.timer(ms, resolve))
  }

  async read(offset: number): Promise<ShardLogRead> {
    const found = this.batches.find(({ endOffset }) => endOffset > offset)
    return { batches: found === undefined ? [] : [found.batch], release: () => {} }
  }

  records(): GroupRecord[] {
    const records: GroupRecord[] = []
    for (const { batch } of this.batches) {
      for (const { key, value } of readRecords(batch, { maxBytes: 1 << 24 })) {
        const decoded = key === null ? null : decodeGroupRecord({ key, value })
        if (decoded !== null) records.push(decoded)
      }
    }
    return records
  }
}

/** A request on its way, and what came of it. */
export interface Call<R> {
  answer: R | null
  error: KafkaError | null
  readonly done: Promise<void>
}

export class ClassicWorld {
  readonly env: MemoryEnv
  readonly log: MemoryShardLog
  config: BrokerConfig
  readonly fatal: Error[] = []
  #runtime: ShardRuntime<GroupShard>
  #epoch = 0

  constructor({ seed = 1, config = {} }: { seed?: number; config?: Partial<BrokerConfig> } = {}) {
    this.env = memoryEnv({ seed })
    this.log = new MemoryShardLog(this.env)
    this.config = { ...resolveBrokerConfig(noLayers), ...config }
    this.#runtime = this.#newRuntime()
  }

  /** A coordinator begins to serve, or another one after it. */
  async start(): Promise<void> {
    this.#runtime.lead(0, this.#epoch++, this.log)
    await this.env.clock.settle()
  }

  /** The coordinator ends; another one reads the log. */
  async restart(): Promise<void> {
    this.#runtime.close()
    this.#runtime = this.#newRuntime()
    await this.start()
  }

  get shard(): GroupShard {
    for (const shard of this.#runtime.shards()) return shard
    throw new Error('the shard is not there')
  }

  group(groupId = 'g'): ClassicGroup {
    const group = this.shard.groups.get(groupId)
    if (!(group instanceof ClassicGroup)) throw new Error(`no classic group ${groupId}`)
    return group
  }

  advance(ms: number): Promise<void> {
    return this.env.clock.advance(ms)
  }

  join(request: Partial<JoinGroupRequest>, apiVersion = 9, clientId = 'app'): Call<JoinAnswer> {
    return this.write((shard) =>
      joinGroup(
        shard,
        {
          groupId: 'g',
          memberId: '',
          groupInstanceId: null,
          sessionTimeoutMs: 10_000,
          rebalanceTimeoutMs: 30_000,
          protocolType: 'consumer',
          protocols: [{ name: 'range', metadata: subscription(['t']) }],
          reason: null,
          ...request,
        },
        { clientId, clientHost: '/127.0.0.1', apiVersion },
      ),
    )
  }

  sync(
    member: Pick<JoinAnswer, 'memberId' | 'generationId'>,
    assignments: Readonly<Record<string, string>> = {},
    request: Partial<SyncGroupRequest> = {},
  ): Call<SyncAnswer> {
    return this.write((shard) =>
      syncGroup(shard, {
        groupId: 'g',
        memberId: member.memberId ?? '',
        generationId: member.generationId ?? -1,
        groupInstanceId: null,
        protocolType: null,
        protocolName: null,
        assignments: Object.entries(assignments).map(([memberId, text]) => ({
          memberId,
          assignment: Buffer.from(text),
        })),
        ...request,
      }),
    )
  }

  /** Resolves to the error's name, or "NONE". */
  async heartbeat(
    member: Pick<JoinAnswer, 'memberId' | 'generationId'>,
    groupInstanceId: string | null = null,
  ): Promise<string> {
    const { memberId = '', generationId = -1 } = member
    const call = this.write((shard) =>
      heartbeat(shard, { groupId: 'g', memberId, generationId, groupInstanceId }),
    )
    await call.done
    return call.error?.name ?? 'NONE'
  }

  leave(members: readonly Partial<Leaving>[]): Call<Left[]> {
    const said = members.map((member) => ({
      memberId: '',
      groupInstanceId: null,
      reason: null,
      ...member,
    }))
    return this.write((shard) => leaveGroup(shard, { groupId: 'g', members: said }))
  }

  /** The error of a commit by this member, or "NONE". */
  commit(memberId: string, generation: number, groupInstanceId: string | null = null): string {
    try {
      const committer = { memberId, groupInstanceId, apiVersion: 9 }
      this.group().checkCommit({ ...committer, generationIdOrMemberEpoch: generation })
      return 'NONE'
    } catch (error) {
      if (error instanceof KafkaError) return error.name
      throw error
    }
  }

  write<R>(operation: Parameters<ShardRuntime<GroupShard>['write']>[1]): Call<R> {
    const call: Call<R> = { answer: null, error: null, done: Promise.resolve() }
    const run = async () => {
      try {
        call.answer = (await this.#runtime.write(0, operation)) as R
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        call.error = error
      }
    }
    return Object.assign(call, { done: run() })
  }

  #newRuntime(): ShardRuntime<GroupShard> {
    return new ShardRuntime({
      env: this.env,
      name: '__consumer_offsets',
      // Without topics: nothing here asks for more.
      image: { topics: new Map() } as unknown as ClusterImage,
      makeShard: (context) =>
        new GroupShard({
          env: context.env,
          partition: context.partition,
          image: context.image,
          write: (operation) => context.write(operation),
          config: () => this.config,
          groupConfigs: () => ({}),
          memory: { take: () => true },
        }),
      loadBytes: () => 1 << 20,
      timeoutMs: () => 5000,
      onFatal: (error) => this.fatal.push(error),
    })
  }
}

export async function classicWorld(config: Partial<BrokerConfig> = {}): Promise<ClassicWorld> {
  const world = new ClassicWorld({ config })
  await world.start()
  return world
}

/** As a consumer writes it, version 0. */
export function subscription(topics: readonly string[]): Uint8Array {
  const parts = [Buffer.from([0, 0]), int32(topics.length)]
  for (const topic of topics) {
    const text = Buffer.from(topic)
    parts.push(Buffer.from([text.length >> 8, text.length & 0xff]), text)
  }
  return Buffer.concat([...parts, int32(-1)])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
