/** What a request names more than once: found in one pass, since a list may be as long as a frame lets it. */

export function givenTwice<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
): ReadonlySet<string> {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const item of items) {
    const key = keyOf(item)
    if (seen.has(key)) twice.add(key)
    else seen.add(key)
  }
  return twice
}
