/** The lines of a script that checks things: `ok` or `FAIL`, and the count that ends it. */

export class Checks {
  #passed = 0
  #failed = 0
  #skipped = 0

  /** Runs one check. It fails by throwing, or with what it gives unless that is a note (`null`: none). */
  async run(what: string, check: () => Promise<string | null | void> | string | null | void) {
    const began = performance.now()
    try {
      const note = await check()
      this.#passed++
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      console.log(`ok   ${what}${note ? `: ${note}` : ''} (${seconds} s)`)
    } catch (error) {
      this.#failed++
      console.log(`FAIL ${what}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  skip(what: string, why: string): void {
    this.#skipped++
    console.log(`skipped: ${what}: ${why}`)
  }

  /** Prints the last line and sets the exit code. */
  end(): void {
    console.log(`${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped`)
    if (this.#failed > 0 || this.#passed === 0) process.exitCode = 1
  }
}

/** Throws `what`, unless the two are equal as JSON; names the first place where they differ. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const [got, want] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (got === want) return
  let at = 0
  while (got?.[at] === want?.[at]) at++
  const near = (text: string | undefined) => text?.slice(Math.max(at - 60, 0), at + 120)
  throw new Error(`${what}: at ${at} got ...${near(got)}..., expected ...${near(want)}...`)
}

export function expectThat(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(what)
}

/** Polls until `isSo`; throws after `timeoutMs`. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await pause(2)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** The number that follows a flag of the command line. */
export function numberFlag(name: string, fallback: number): number {
  const at = process.argv.indexOf(name)
  return at === -1 ? fallback : Number(process.argv[at + 1])
}
