/** Amounts and times for people: `1.2 MB`, `0.8 s`, `1 record`. */

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** Decimal units, one digit behind the point from kB on. */
export function sizeText(bytes: number): string {
  let amount = bytes
  let unit = 0
  while (amount >= 999.95 && unit < units.length - 1) {
    amount /= 1000
    unit++
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`
}

export function secondsText(ms: number): string {
  return `${(Math.max(ms, 0) / 1000).toFixed(1)} s`
}

/** `1 record`, `2 records`; the plural adds an s. */
export function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
