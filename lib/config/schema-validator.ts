/**
 * A JSON Schema made ready: compiled once by ajv, with patterns that run in linear time, references
 * inside the schema only, and a meter that stops an evaluation which asks for too much.
 *
 * Drafts: 2020-12 (also where `$schema` is missing), 2019-09, and 7 (6 is read as 7). Unknown
 * keywords are annotations; unknown formats are refused, since they would check nothing.
 * ajv and re2js are loaded by the first schema: a broker without any never reads them.
 */

import type { Ajv, _ as CodeTag, ErrorObject, Options, ValidateFunction } from 'ajv'
import type { RE2JS } from 're2js'
import { SettingError } from '../base/setting.ts'
import { schemaFormats } from './schema-formats.ts'
import { type JsonObject, parseSchema, stepsKeyword, withSteps } from './schema-limits.ts'

/** A value took more than the steps it was given. */
export class StepsExceededError extends Error {
  override readonly name = 'StepsExceededError'
}

/** Counts down what an evaluation costs. */
export class StepMeter {
  left = 0

  /** Called by the compiled code when nothing is left. */
  stop(): never {
    throw new StepsExceededError('no steps are left')
  }

  spend(steps: number): void {
    this.left -= steps
    if (this.left < 0) this.stop()
  }

  /** `times` keywords go over all of `value`. */
  spendOver(value: unknown, steps: number, times: number): void {
    this.spend(steps + times * sizeOf(value))
  }
}

/** What a step is worth, some 10 ns: so many characters, or a share of a property. */
const charsPerStep = 4
const stepsPerProperty = 4
/** Beyond so many an object is a hash table, of which all keys are slow to list. */
const fewProperties = 1000
const stepsPerOneOfMany = 48
const stepsPerUniqueNode = 16

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 1 + Math.floor(value.length / charsPerStep)
  if (Array.isArray(value)) return value.length
  if (typeof value !== 'object' || value === null) return 0
  const { length } = Object.keys(value)
  return length * (length > fewProperties ? stepsPerOneOfMany : stepsPerProperty)
}

export interface SchemaValidator {
  readonly meter: StepMeter
  /** Why the value does not fit, as `/price must be number`; null when it does. StepsExceededError. */
  check(value: unknown): string | null
}

const drafts = [
  [/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, '2020'],
  [/^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/, '2019'],
  [/^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/, '7'],
] as const
type Draft = (typeof drafts)[number][1]

/** Longest pattern, and size of all patterns of a schema, in re2's instructions. */
const patternCharsMax = 1000
const patternsSizeMax = 20_000
/** Characters times instructions that cost one step, and what a search costs at least. */
const searchPerStep = 16
const searchStepsMin = 16
/** Characters of a reason. */
const reasonCharsMax = 300

const options: Options = {
  allErrors: false,
  // A reference that is compiled in its place would be compiled in each of them.
  inlineRefs: false,
  logger: false,
  meta: false,
  // `toString` is no property of a value that has none.
  ownProperties: true,
  strict: false,
  validateSchema: false,
}

/** SettingError with the reason and the place in the schema. */
export async function compileSchema(text: string): Promise<SchemaValidator> {
  const schema = parseSchema(text)
  const meter = new StepMeter()
  if (typeof schema === 'boolean') {
    return { meter, check: () => (schema ? null : 'the schema lets nothing pass') }
  }
  const draft = await loadDraft(draftOf(schema))
  checkMeta(schema, draft.meta)
  const patterns = new Patterns(await loadRegexEngine(), meter)
  const counted = withSteps(schema, (pattern, where) => patterns.add(pattern, where))
  const regExp = Object.assign((pattern: string) => patterns.get(pattern), { code: 'pattern' })
  const ajv = draft.create({ ...options, code: { regExp, optimize: false } })
  addSteps(ajv, meter, draft.code)
  addFormats(ajv, meter)
  replaceUniqueItems(ajv, meter)
  const validate = compileWith(ajv, counted)
  return { meter, check: (value) => (validate(value) ? null : reasonOf(validate.errors)) }
}

function draftOf({ $schema }: JsonObject): Draft {
  if ($schema === undefined) return '2020'
  const found = drafts.find(([pattern]) => typeof $schema === 'string' && pattern.test($schema))
  if (found !== undefined) return found[1]
  const shown = JSON.stringify($schema).slice(0, 100)
  throw new SettingError(
    `at /$schema: got ${shown}, expected https://json-schema.org/draft/2020-12/schema, draft 2019-09 or draft-07`,
  )
}

interface LoadedDraft {
  /** Knows the schema of schemas. */
  readonly meta: Ajv
  readonly code: typeof CodeTag
  create(options: Options): Ajv
}

/** The schema of schemas is compiled once per draft. */
const loadedDrafts = new Map<Draft, Promise<LoadedDraft>>()

function loadDraft(draft: Draft): Promise<LoadedDraft> {
  const known = loadedDrafts.get(draft)
  if (known !== undefined) return known
  const loading = importDraft(draft)
  loadedDrafts.set(draft, loading)
  return loading
}

async function importDraft(draft: Draft): Promise<LoadedDraft> {
  const metaOptions = { ...options, meta: true, validateFormats: false }
  if (draft === '7') {
    const { Ajv: Draft7, _ } = await import('ajv')
    return { meta: new Draft7(metaOptions), code: _, create: (given) => new Draft7(given) }
  }
  if (draft === '2019') {
    const { Ajv2019, _ } = await import('ajv/dist/2019.js')
    return { meta: new Ajv2019(metaOptions), code: _, create: (given) => new Ajv2019(given) }
  }
  const { Ajv2020, _ } = await import('ajv/dist/2020.js')
  return { meta: new Ajv2020(metaOptions), code: _, create: (given) => new Ajv2020(given) }
}

async function loadRegexEngine(): Promise<typeof RE2JS> {
  return (await import('re2js')).RE2JS
}

function checkMeta(schema: JsonObject, meta: Ajv): void {
  if (meta.validateSchema(schema) === true) return
  const [first] = meta.errors ?? []
  const where =
    first === undefined || first.instancePath === '' ? 'the schema' : `at ${first.instancePath}`
  throw new SettingError(`${where}: ${first?.message ?? 'no JSON Schema'}`.slice(0, reasonCharsMax))
}

function compileWith(ajv: Ajv, schema: JsonObject): ValidateFunction {
  try {
    return ajv.compile(schema)
  } catch (error) {
    if (!(error instanceof Error) || error.name === 'AssertionError') throw error
    throw new SettingError(error.message.slice(0, reasonCharsMax), { cause: error })
  }
}

/** `/price must be number`; at the top of the value only the message. */
function reasonOf(errors: readonly ErrorObject[] | null | undefined): string {
  const [first] = errors ?? []
  if (first === undefined) return 'does not fit'
  const { instancePath, message = 'does not fit', params } = first
  const named: unknown = params['additionalProperty'] ?? params['unevaluatedProperty']
  const which = typeof named === 'string' ? `: ${JSON.stringify(named)}` : ''
  return `${instancePath} ${message}${which}`.trim().slice(0, reasonCharsMax)
}

/** The patterns of a schema, compiled; each search spends what it costs. */
class Patterns {
  readonly #engine: typeof RE2JS
  readonly #meter: StepMeter
  readonly #compiled = new Map<string, { test(text: string): boolean; toString(): string }>()
  #size = 0

  constructor(engine: typeof RE2JS, meter: StepMeter) {
    this.#engine = engine
    this.#meter = meter
  }

  /** SettingError for what RE2 does not know, and for what is too large. */
  add(pattern: string, where: string): void {
    if (this.#compiled.has(pattern)) return
    const shown = JSON.stringify(pattern.slice(0, 60))
    if (pattern.length > patternCharsMax) {
      throw new SettingError(
        `${where}: ${shown}... has ${pattern.length} characters, at most ${patternCharsMax} are possible`,
      )
    }
    const compiled = this.#compile(pattern, `${where}: ${shown}`)
    const size = compiled.programSize()
    this.#size += size
    if (this.#size > patternsSizeMax) {
      throw new SettingError(`${where}: ${shown} and the patterns before it repeat too much`)
    }
    const meter = this.#meter
    this.#compiled.set(pattern, {
      test(text) {
        meter.spend(searchStepsMin + Math.ceil((text.length * size) / searchPerStep))
        return compiled.test(text)
      },
      toString: () => `/${pattern}/`,
    })
  }

  get(pattern: string) {
    const found = this.#compiled.get(pattern)
    if (found === undefined) throw new SettingError(`pattern ${pattern} stands where none can be`)
    return found
  }

  #compile(pattern: string, where: string): RE2JS {
    try {
      return this.#engine.compile(this.#engine.translateRegExp(pattern))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new SettingError(`${where} is no RE2 expression: ${reason}`, { cause: error })
    }
  }
}

/** Makes the steps keyword a rule that is run before all others, whatever the type. */
function addSteps(ajv: Ajv, meter: StepMeter, code: typeof CodeTag): void {
  ajv.RULES.rules.unshift({ rules: [] })
  ajv.addKeyword({
    keyword: stepsKeyword,
    schemaType: 'array',
    code({ gen, data, schema }) {
      const [steps, times] = schema as [number, number]
      const counter = gen.scopeValue('obj', { ref: meter })
      if (times > 0) gen.code(code`${counter}.spendOver(${data}, ${steps}, ${times})`)
      else gen.if(code`(${counter}.left -= ${steps}) < 0`, () => gen.code(code`${counter}.stop()`))
    },
  })
}

function addFormats(ajv: Ajv, meter: StepMeter): void {
  for (const [name, is] of schemaFormats) {
    ajv.addFormat(name, {
      type: 'string',
      validate(text: string) {
        meter.spend(searchStepsMin + Math.ceil(text.length / charsPerStep))
        return is(text)
      },
    })
  }
}

/** ajv compares each item with each; this one compares their canonical texts. */
function replaceUniqueItems(ajv: Ajv, meter: StepMeter): void {
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate(isWanted: boolean, items: readonly unknown[]) {
      return !isWanted || hasUniqueItems(items, meter)
    },
    error: { message: 'must not have items twice' },
  })
}

function hasUniqueItems(items: readonly unknown[], meter: StepMeter): boolean {
  const seen = new Set<string>()
  for (const item of items) {
    const text = canonicalText(item, meter)
    if (seen.has(text)) return false
    seen.add(text)
  }
  return true
}

/** The same for equal values, whatever the order of their properties. */
function canonicalText(value: unknown, meter: StepMeter): string {
  meter.spend(stepsPerUniqueNode)
  if (Array.isArray(value)) {
    return `[${value.map((inner) => canonicalText(inner, meter)).join(',')}]`
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    const texts = entries.map(
      ([name, inner]) => `${JSON.stringify(name)}:${canonicalText(inner, meter)}`,
    )
    return `{${texts.join(',')}}`
  }
  const text = JSON.stringify(value)
  meter.spend(Math.ceil(text.length / charsPerStep))
  return text
}
