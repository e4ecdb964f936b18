/**
 * The formats that a JSON Schema may ask for. Each looks at a text once, from left to right.
 * Source: RFC 3339 (dates, durations), RFC 5321 and 1123 in short (email, hostname), RFC 4291 (ipv6),
 * RFC 3986 (uri), RFC 9562 (uuid).
 */

/** A text longer than this is none of them. */
const formatCharsMax = 4096

const dayCounts = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

function isDate(text: string): boolean {
  const [, year = '', month = '', day = ''] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []
  if (year === '') return false
  const count = dayCounts[Number(month) - 1]
  if (count === undefined || day === '00' || Number(day) > count) return false
  const isLeap = Number(year) % 4 === 0 && (Number(year) % 100 !== 0 || Number(year) % 400 === 0)
  return month !== '02' || day !== '29' || isLeap
}

function isTime(text: string): boolean {
  const pattern = /^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[zZ]|[+-](\d\d):(\d\d))$/
  const [found, hour, minute, second, offsetHour = 0, offsetMinute = 0] = pattern.exec(text) ?? []
  if (found === undefined) return false
  const isOffset = Number(offsetHour) < 24 && Number(offsetMinute) < 60
  // 60 is a leap second.
  return Number(hour) < 24 && Number(minute) < 60 && Number(second) <= 60 && isOffset
}

function isDateTime(text: string): boolean {
  return /^[tT ]$/.test(text.charAt(10)) && isDate(text.slice(0, 10)) && isTime(text.slice(11))
}

function isDuration(text: string): boolean {
  const date = /^P(?!$)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$/
  return date.test(text)
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@')
  return (
    /^[^\s@"(),:;<>[\\\]]{1,64}$/.test(text.slice(0, Math.max(at, 0))) &&
    isHostname(text.slice(at + 1))
  )
}

function isHostname(text: string): boolean {
  const isLabel = (label: string) => /^[a-zA-Z0-9-]{1,63}$/.test(label) && !/^-|-$/.test(label)
  return text.length <= 253 && text.split('.').every(isLabel)
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return (
    parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
  )
}

function isIpv6(text: string): boolean {
  if (text.length > 45) return false
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  const hasIpv4 = last.includes('.')
  if (hasIpv4 && !isIpv4(last)) return false
  const short = hasIpv4 ? groups.slice(0, -1) : groups
  const count = short.length + (hasIpv4 ? 2 : 0)
  const isWhole = halves.length === 2 ? count < 8 : count === 8
  return isWhole && short.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))
}

function isUri(text: string): boolean {
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:(?:[a-zA-Z0-9._~:/?#[\]@!$&'()*+,;=-]|%[0-9a-fA-F]{2})*$/.test(
    text,
  )
}

function isUuid(text: string): boolean {
  return /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/.test(text)
}

/** By their names. */
export const schemaFormats: ReadonlyMap<string, (text: string) => boolean> = new Map(
  Object.entries({
    date: isDate,
    'date-time': isDateTime,
    duration: isDuration,
    email: isEmail,
    hostname: isHostname,
    ipv4: isIpv4,
    ipv6: isIpv6,
    time: isTime,
    uri: isUri,
    uuid: isUuid,
  }).map(([name, is]) => [name, (text: string) => text.length <= formatCharsMax && is(text)]),
)
