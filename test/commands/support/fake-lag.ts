/** A cluster in memory with groups that are behind, and commands run against it. */

import { Ajv } from 'ajv'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import { drive } from '../../client/support/drive.ts'
import { FakeCluster, type FakePartition } from '../../client/support/fake-cluster.ts'
import { FakeGroups } from '../../client/support/fake-groups.ts'
import { assert } from '../../support/suite.ts'
import { schemas } from '../schemas.ts'
import { type Ran, run, type Surroundings } from './session.ts'

const ajv = new Ajv({ allowUnionTypes: true, strict: true })

export class FakeLag {
  readonly cluster: FakeCluster
  readonly groups: FakeGroups

  private constructor(cluster: FakeCluster) {
    this.cluster = cluster
    this.groups = new FakeGroups(cluster)
  }

  static async start(nodes = 1): Promise<FakeLag> {
    return new FakeLag(await FakeCluster.start({ nodes }))
  }

  /** Appends records that were written so many seconds ago. */
  write(partition: FakePartition, count: number, secondsAgo = 10): void {
    const builder = new BatchBuilder()
    const atMs = this.cluster.env.clock.nowMs() - secondsAgo * 1000
    for (let index = 0; index < count; index++) builder.append(atMs, null, Buffer.from('x'))
    partition.append(builder.build())
  }

  /** `ottla LINE`; words are separated by blanks. */
  run(line: string, around: Surroundings = {}): Promise<Ran> {
    const { env } = this.cluster
    return drive(env, run(line.split(' '), { brokers: '127.0.0.1:9091', env, ...around }))
  }

  /** The exit code, standard output without its header, standard error. */
  async plain(line: string, around: Surroundings = {}): Promise<[number, string, string]> {
    const { exit, stdout, stderr } = await this.run(`${line} --no-header`, around)
    return [exit, stdout.toString(), stderr]
  }
}

/** JSON of a command, checked against the schema of its kind. */
export function checkedJson<T>(text: string): T {
  const value = JSON.parse(text)
  const schema = schemas[String(value.kind).replace(/^ottla\.|\/v1$/g, '')]
  if (schema === undefined) throw new Error(`no schema of ${value.kind}`)
  const validate = ajv.compile(schema)
  assert.ok(validate(value), ajv.errorsText(validate.errors))
  return value as T
}
