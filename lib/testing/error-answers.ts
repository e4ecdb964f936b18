/**
 * The answer to any request that says one error wherever it can say one: per partition, topic or
 * other item where the answer has items, else for the whole. It follows from the schemas: an item of
 * the answer repeats the names and numbers of the item that was asked for.
 */

import type { Api, Field, Fields } from '../protocol/schema.ts'

/** The same thing under another name in requests and answers. */
const aliases: Readonly<Record<string, string>> = {
  partitionIndex: 'partition',
  index: 'partition',
}

type Values = Readonly<Record<string, unknown>>

/** A body for `encodeResponse` in that version; the code stands in each place for one. */
export function errorAnswer(api: Api, request: object, code: number, version: number): object {
  return answerOf(api.response.fields, request as Values, { code, version })
}

function answerOf(
  fields: Fields,
  asked: Values,
  { code, version }: { code: number; version: number },
): Values {
  const answer: Record<string, unknown> = {}
  let hasItems = false
  for (const [name, field] of Object.entries(fields)) {
    if (!has(field, version)) continue
    const { element } = field
    if (element?.fields && saysErrors(element)) {
      const items = askedItems(name, asked).map((item) =>
        answerOf(element.fields ?? {}, itemValues(element.fields ?? {}, item), { code, version }),
      )
      if (items.length === 0) continue
      answer[name] = items
      hasItems = true
    } else if (field.element === null && field.fields === null) {
      const value = asked[name] ?? asked[aliases[name] ?? name]
      if (typeof value === typeof field.fallback) answer[name] = value
    }
  }
  if (has(fields['errorCode'], version) && !hasItems) answer['errorCode'] = code
  return answer
}

function has(field: Field<unknown> | undefined, version: number): boolean {
  return field !== undefined && version >= field.since && version <= field.until
}

function saysErrors({ fields, element }: Field<unknown>): boolean {
  if (element !== null) return saysErrors(element)
  if (fields === null) return false
  return 'errorCode' in fields || Object.values(fields).some(saysErrors)
}

/** What the items of an answer answer: the list of the same name, else the first that is not empty. */
function askedItems(name: string, asked: Values): readonly unknown[] {
  const same = asked[name]
  if (Array.isArray(same)) return same
  const lists = Object.values(asked).filter((value) => Array.isArray(value))
  return lists.find((list) => list.length > 0 && isItem(list[0])) ?? []
}

function isItem(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null)
}

/** An item asked for by its bare name has it under the first text field of the answer's. */
function itemValues(fields: Fields, item: unknown): Values {
  if (typeof item !== 'string') return item as Values
  const name = Object.keys(fields).find((key) => fields[key]?.kind === 'string')
  return name === undefined ? {} : { [name]: item }
}
