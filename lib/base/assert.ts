/**
 * Assertions: a wrong assumption of ours, never a wrong input. They stay on in production, because
 * a stop is cheaper than wrong data. Nothing catches them; the process ends with code 70.
 */

/** A programmer's error: an assumption that does not hold. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws when `condition` does not hold. `message` says what was expected, with the values. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** For the branch that the types rule out. */
export function unreachable(value: never, what: string): never {
  throw new AssertionError(`${what}: unexpected ${JSON.stringify(value)}`)
}
