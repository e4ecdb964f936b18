/** Work on many logs at a time, but not on all: loading and closing them. */

const lanes = 8

/** Calls `work` with each item, a few at a time; rejects with the first failure. */
export async function inLanes<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
