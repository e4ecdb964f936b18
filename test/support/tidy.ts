/**
 * The house rules that no linter knows, as one pure function from files to findings: layers,
 * banned ambient calls, header comments, lengths, lazily loaded packages, files nobody imports.
 * `test/tidy.test.ts` runs it over the project, and over small trees with one planted fault each.
 */

export interface SourceFile {
  /** From the project's root, with slashes. */
  readonly path: string
  readonly text: string
}

/** A folder may import itself and what stands left of it. */
const serverLayers = [
  'base', 'io', 'config', 'protocol', 'record', 'storage', 'wire', 'metadata', 'shard', 'controller', 'replication',
  'coordinator', 'broker',
] // biome-ignore format: one line is the rule
const clientLayers = ['base', 'io', 'config', 'protocol', 'record', 'wire', 'client']
/** What a command may use of lib: the client and the formats, never the server. */
const commandLayers = ['base', 'io', 'config', 'protocol', 'record', 'wire', 'client']
/** The commands that start or read a broker's own files may use the server stack. */
const serverCommands = /^commands\/(broker|demo|log)[^/]*(\/|\.ts)/

interface Ban {
  readonly pattern: RegExp
  readonly instead: string
  /** Where it is allowed all the same. */
  readonly allowed: RegExp
}

const edges = /^(lib\/io\/|cli\/|test\/|build\.mjs)/
const bans: readonly Ban[] = [
  { pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\./, instead: 'env.clock', allowed: edges },
  {
    pattern: /\bMath\.random\(|\bcrypto\.random|\brandomUUID\(|\brandomBytes\(/,
    instead: 'env.random',
    allowed: edges,
  },
  {
    pattern: /\b(setTimeout|setInterval|setImmediate)\(|\bprocess\.nextTick\(/,
    instead: 'env.clock',
    allowed: edges,
  },
  { pattern: /(?<![.\w'])process\.(?!nextTick)\w+/, instead: 'what cli/ hands in', allowed: edges },
  { pattern: /(?<![.\w])console\.\w+\(/, instead: 'env.log or context.out', allowed: edges },
  {
    pattern: /\bWeakRef\b|\bFinalizationRegistry\b/,
    instead: 'an explicit close',
    allowed: /^test\//,
  },
  {
    pattern: /\beval\(|\bnew Function\(/,
    instead: 'plain code',
    allowed: /^test\/|codec-compiled/,
  },
  { pattern: /\b(TODO|FIXME|XXX)\b/, instead: 'an issue', allowed: /^test\/(tidy|support\/tidy)/ },
  {
    pattern: /catch\s*(\([^)]*\))?\s*\{\s*\}/,
    instead: 'naming why it may be ignored',
    allowed: /^test\//,
  },
  {
    pattern: /from '(node:)?(fs|fs\/promises|net|tls|timers|timers\/promises)'/,
    instead: 'Env',
    allowed: edges,
  },
  {
    pattern: /from '(node:)?zlib'/,
    instead: 'record/compression.ts',
    allowed: /^lib\/(record\/compression|base\/crc32|record\/message-set)|^test\//,
  },
  {
    pattern: /from 'uvu/,
    instead: 'test/support/suite.ts',
    allowed: /^test\/(support\/suite|support\/tidy|tidy\.test)\.ts$/,
  },
  {
    pattern:
      /^import (?!type)[^;]*? from '(chalk|ora|cli-table3|ajv[^']*|yargs|pino|prom-client|re2js)'/m,
    instead: 'await import() at the point of use',
    allowed: /^(test\/|cli\/parse)/,
  },
  { pattern: /^export default/m, instead: 'a named export', allowed: /^cli\/string-width\.ts$/ },
]

const maxFileLines = 600
const maxFunctionLines = 70

/** All findings, as `path: what is wrong`, sorted. */
export function tidy(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path))
  const imported = new Set<string>()
  const findings: string[] = []
  for (const file of files) {
    for (const target of importsOf(file)) {
      imported.add(target)
      const reason = layerViolation(file.path, target)
      if (reason) findings.push(`${file.path}: imports ${target}: ${reason}`)
    }
    findings.push(...textFindings(file))
  }
  for (const path of paths) {
    if (!imported.has(path) && !isEntry(path)) findings.push(`${path}: nobody imports it`)
  }
  return findings.sort()
}

/** Relative imports of a file, static and dynamic, as paths from the root. */
function importsOf({ path, text }: SourceFile): string[] {
  const found: string[] = []
  for (const [, target] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)) {
    if (target !== undefined) found.push(resolve(path, target))
  }
  return found
}

function resolve(from: string, target: string): string {
  const parts = from.split('/').slice(0, -1)
  for (const part of target.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

function layerViolation(from: string, to: string): string | null {
  const [fromTop, fromLayer = ''] = from.split('/')
  const [toTop, toLayer = ''] = to.split('/')
  if (fromTop === 'test') return null
  if (toTop === 'test') return 'only tests import test/'
  if (toTop === 'cli' && fromTop !== 'cli') return 'nothing imports cli/'
  if (fromTop === 'cli') return null
  if (fromTop === 'commands') {
    if (toTop === 'commands' || commandLayers.includes(toLayer) || serverCommands.test(from))
      return null
    return 'a command may not use the server stack'
  }
  if (toTop !== 'lib') return 'lib/ imports only lib/'
  if (fromLayer === 'testing' || from === 'lib/index.ts') return null
  if (toLayer === 'testing' || to === 'lib/index.ts') return 'nothing imports the entries'
  if (to.startsWith('lib/io/node/') && !from.startsWith('lib/io/node/') && fromLayer !== 'client')
    return 'Env is injected'
  const order = fromLayer === 'client' ? clientLayers : serverLayers
  const toIndex = order.indexOf(toLayer)
  if (toIndex === -1) return `${fromLayer} and ${toLayer} do not know each other`
  return toIndex <= order.indexOf(fromLayer) ? null : `layer ${fromLayer} stands below ${toLayer}`
}

function textFindings({ path, text }: SourceFile): string[] {
  const findings: string[] = []
  const isTest = path.startsWith('test/')
  if (!isTest && !text.startsWith('/**') && !text.startsWith('#!') && !text.startsWith('//')) {
    findings.push(`${path}: no header comment`)
  }
  const code = withoutComments(text)
  for (const { pattern, instead, allowed } of bans) {
    if (allowed.test(path)) continue
    // A note to oneself is a comment; so is the reason why an error may be ignored.
    const subject = /TODO|catch/.test(pattern.source) ? text : code
    const match = pattern.exec(subject)
    if (match)
      findings.push(
        `${path}:${lineOf(subject, match.index)}: ${match[0].trim()} is banned here; use ${instead}`,
      )
  }
  const lines = text.split('\n').length
  const isTable = /^lib\/(config|protocol\/apis|protocol\/metadata)\//.test(path) || isTest
  if (lines > maxFileLines && !isTable)
    findings.push(`${path}: ${lines} lines, at most ${maxFileLines}`)
  if (text.length > 200_000) findings.push(`${path}: larger than 200 KB`)
  if (!isTable) findings.push(...longFunctions(path, text))
  return findings
}

/** Functions and methods by their indentation: the house format closes a body where its line began. */
function longFunctions(path: string, text: string): string[] {
  const findings: string[] = []
  const lines = text.split('\n')
  const opening =
    /^(\s*)(?:export )?(?:async )?(?:function\*? \w+|(?:static |override |get |set |async |#)*\w+\(.*\).*\{$|const \w+ = (?:async )?\(.*=> \{$)/
  for (const [index, line] of lines.entries()) {
    const match = opening.exec(line)
    if (!match || /^\s*(if|for|while|switch|return|else|catch|test)\b/.test(line)) continue
    const closing = `${match[1]}}`
    const end = lines.findIndex((text, at) => at > index && text.startsWith(closing))
    if (end !== -1 && end - index + 1 > maxFunctionLines) {
      findings.push(
        `${path}:${index + 1}: ${end - index + 1} lines in one function, at most ${maxFunctionLines}`,
      )
    }
  }
  return findings
}

function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/.*$/gm, '$1')
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

function isEntry(path: string): boolean {
  // test/cli/ottla.ts is the command itself, test/ottla-thread.ts the program of threads, built beside the tests.
  return /^(cli\/main|lib\/index|lib\/testing\/index|test\/run|test\/ottla-thread|test\/cli\/ottla)\.ts$|\.test\.ts$|^test\/(interop|bench|sim|fuzz|tools)\//.test(
    path,
  )
}
