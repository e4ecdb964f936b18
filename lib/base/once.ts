/** Values made at their first use: importing a file that needs them costs nothing. */

/** A function that calls `make` the first time and gives the same value ever after. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
