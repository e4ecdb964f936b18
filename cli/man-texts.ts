/** The texts of the manual pages that no table holds: the record envelope and the small languages. */

type Terms = readonly (readonly [term: string, about: string])[]

export const envelopeLine =
  '{"topic":"orders","partition":0,"offset":42,"timestamp":1732154400000,"timestampType":"create","headers":[{"key":"trace","value":"abc"},{"key":"n","value":null}],"key":"k1","value":{"base64":"AP8="}}'

export const envelopeRules: readonly string[] = [
  'One record is one line: ottla consume --json writes it, ottla produce --json reads it.',
  'A byte string is a JSON text if and only if its bytes are valid UTF-8, otherwise {"base64":"..."}; null stays null, "" is empty. Headers are an ordered list; a name may stand more than once. Offsets are exact integers. A timestamp beyond 2^53 is written as a decimal text, and both forms are read; -1 is none.',
  'What consume --json writes and produce --json --keep-partition reads back gives byte-equal keys, values, headers and timestamps, per partition in order.',
]

export const envelopeMembers: Terms = [
  ['topic', 'text; read back only with --keep-topic'],
  ['partition', 'number; read back only with --keep-partition'],
  ['offset', 'number; not read back'],
  ['timestamp', 'milliseconds since 1970'],
  ['timestampType', 'create or append; not read back'],
  ['headers', 'list of {"key":text,"value":bytes}'],
  ['key', 'bytes or null'],
  ['value', 'bytes or null: a tombstone'],
]

export const timeForms: Terms = [
  [
    '2026-11-20T10:00:00Z',
    'RFC 3339; a blank may stand for the T, seconds and zone may be left out (UTC)',
  ],
  ['2026-11-20', 'midnight UTC'],
  ['-10m', 'so long ago; also now'],
  ['1732154400', 'seconds since 1970 (below 10^11)'],
  ['1732154400000', 'milliseconds since 1970'],
]

export const durationForms: Terms = [
  ['500ms 5s 2m 1h 3d', 'durations; several in a row add up (1h30m)'],
  ['64k 1m 2g', 'sizes; powers of 1024'],
]

export const escapeForms: Terms = [
  [
    '\\n \\r \\t \\0 \\\\ \\xNN',
    'in delimiters and formats; anything else behind a backslash is an error',
  ],
]

export const offsetForms: Terms = [
  ['start', 'the first record; also beginning'],
  ['end', 'the next record to come'],
  ['N', 'this offset'],
  ['+N', 'N records after the start'],
  ['-N', 'N records before the end, of each partition'],
  ['@TIME', 'the first record at or after a time'],
  ['FROM:TO', 'a range of any of these; TO is exclusive'],
  ['0=10,1=20', 'per partition'],
  ['s@TIME e@TIME', "kcat's, as @TIME and :@TIME"],
]

export const formatTokens: Terms = [
  ['%s %v', 'value'],
  ['%S %V', 'its size in bytes, -1 for null'],
  ['%R', 'its size as 4 bytes, big-endian'],
  ['%k %K', 'key and its size'],
  ['%j', 'value as JSON'],
  ['%t %p %o', 'topic, partition, offset'],
  ['%T', 'timestamp in milliseconds'],
  ['%d', 'timestamp as ISO 8601; %d{%F %T} as strftime'],
  ['%e', 'leader epoch'],
  ['%i', 'counter from 1'],
  ['%h', 'headers as a=1,b=NULL; %h{NAME} one of them; %h{%k=%v,} each'],
  ['%H', 'number of headers'],
  ['%L %E', 'start and end of the log'],
  ['%%', 'a percent sign'],
  ['{hex} {base64} {json} {len}', 'behind a token of bytes: how it is written'],
  ['{big32} {little64} {hex16} ...', 'behind a token of a number: as bytes of that width, or hex'],
]

export const outputForms: Terms = [
  ['table', 'columns for people; the default on a terminal'],
  [
    'tsv',
    'a line of titles, then tab-separated cells; the default elsewhere. Tab, newline, carriage return and backslash in a cell read \\t \\n \\r \\\\; unknown is -, a cell that is just - reads \\-; a list is joined with commas',
  ],
  ['json', 'one object: {"kind":"ottla.topic-list/v1","topics":[...]}; unknown is null'],
  ['ndjson', 'one object per row'],
]

export const patternText =
  'A pattern is /regex/ and must match the whole name; a bare word is never a pattern. The syntax is RE2: no back-references, no look-around, linear time.'
