/** Rows measured in rounds that alternate between the subjects: a printed table, and its figures. */

import { deleteTopics, type Row } from './row.ts'

export interface Result {
  readonly table: string
  readonly row: string
  readonly unit: string
  /** Medians, by the subject's name. */
  readonly figures: Readonly<Record<string, number>>
  /** Each round, by the subject's name. */
  readonly rounds: Readonly<Record<string, readonly number[]>>
  /** How many times better the first subject is than the second; null for one that failed. */
  readonly ratio: number | null
  readonly error?: string
}

export interface TableOptions<Subject> {
  readonly title: string
  readonly rounds: number
  readonly subjects: readonly Subject[]
  readonly rows: readonly Row<Subject>[]
}

/** A row that fails says so and lets the others go on: no figure fails a build. */
export async function table<Subject extends { readonly name: string }>({
  title,
  rounds,
  subjects,
  rows,
}: TableOptions<Subject>): Promise<Result[]> {
  if (rows.length === 0) return []
  console.log(`\n${title}; medians of ${rounds} rounds`)
  const names = subjects.map(({ name }) => name)
  console.log(line('', names, 'ratio'))
  const results: Result[] = []
  for (const row of rows) {
    const seen = await measure(row, subjects, rounds)
    await deleteTopics().catch(() => {})
    const figures = Object.fromEntries([...seen.values].map(([name, all]) => [name, median(all)]))
    const [first = Number.NaN, second = Number.NaN] = names.map((name) => figures[name])
    const ratio = row.better === 'more' ? first / second : second / first
    const cells = names.map((name) => (figures[name] ?? Number.NaN).toFixed(2))
    console.log(line(`${row.name}, ${row.unit}`, cells, ratio.toFixed(2)))
    if (seen.error !== undefined) console.log(`  ${seen.error}`)
    results.push({
      ...{ table: title, row: row.name, unit: row.unit, figures },
      ...{ rounds: Object.fromEntries(seen.values), ratio: Number.isFinite(ratio) ? ratio : null },
      ...(seen.error === undefined ? {} : { error: seen.error }),
    })
  }
  return results
}

async function measure<Subject extends { readonly name: string }>(
  row: Row<Subject>,
  subjects: readonly Subject[],
  rounds: number,
): Promise<{ values: Map<string, number[]>; error?: string }> {
  const values = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? subjects : [...subjects].reverse()
    for (const subject of order) {
      try {
        values.get(subject.name)?.push(await row.measure(subject))
      } catch (error) {
        return { values, error: `${subject.name}: ${String(error)}` }
      }
    }
  }
  return { values }
}

function line(name: string, cells: readonly string[], last: string): string {
  return [name.padEnd(64), ...cells.map((cell) => cell.padStart(22)), last.padStart(8)].join('')
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
