/** An independent pair of eyes: what kcat reads from a partition. */

import { output } from './process.ts'

export interface SeenRecord {
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (string | null)[]
  readonly timestamp: number
  readonly offset: number
}

/** Every record of one partition, as kcat sees it. */
export async function readAll(
  address: string,
  topic: string,
  partition = 0,
): Promise<SeenRecord[]> {
  const text = await output([
    'kcat',
    '-C',
    '-b',
    address,
    '-t',
    topic,
    '-p',
    String(partition),
    '-o',
    'beginning',
    '-e',
    '-q',
    '-J',
  ])
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { key, payload, headers, ts, offset } = JSON.parse(line) as Record<string, unknown>
      return {
        key: (key ?? null) as string | null,
        value: (payload ?? null) as string | null,
        headers: (headers ?? []) as (string | null)[],
        timestamp: ts as number,
        offset: offset as number,
      }
    })
}

export async function readValues(address: string, topic: string): Promise<(string | null)[]> {
  return (await readAll(address, topic)).map(({ value }) => value)
}
