/**
 * The manual: ottla(1), a page per command, ottla-config(5), ottla-record(5), ottla-formats(7) and
 * ottla-exit-codes(7), made from the tables that parser, help and settings use. man/ holds the
 * result; a test compares.
 */

import type { Command } from '../commands/command.ts'
import { properties } from '../commands/properties.ts'
import type { Setting } from '../lib/base/setting.ts'
import { brokerSettings } from '../lib/config/broker.ts'
import { topicSettings } from '../lib/config/topic.ts'
import { configMembers } from './config-file.ts'
import {
  clientOptionNames,
  environmentVariables,
  foreignVariables,
  globalOptions,
} from './globals.ts'
import {
  durationForms,
  envelopeLine,
  envelopeMembers,
  envelopeRules,
  escapeForms,
  formatTokens,
  offsetForms,
  outputForms,
  patternText,
  timeForms,
} from './man-texts.ts'
import { usageLine } from './option-names.ts'
import { registry } from './registry.ts'
import {
  escaped,
  heading,
  literal,
  type Page,
  paragraphs,
  roffPage,
  seeAlso,
  terms,
} from './roff.ts'
import { exitCodeTable, exitsOf, optionRows } from './usage.ts'

/** File name -> content, for every page. */
export async function manPages(): Promise<Map<string, string>> {
  const commands = await Promise.all(registry().map((entry) => entry.load()))
  const pages: Page[] = [
    overview(commands),
    ...commands.map(commandPage),
    configPage(),
    recordPage(),
    formatsPage(),
    exitCodesPage(),
  ]
  return new Map(pages.map((page) => [`${page.name}.${page.section}`, roffPage(page)]))
}

/** `ottla-topic-list` */
export function pageName(command: Pick<Command, 'name'>): string {
  return `ottla-${command.name.replaceAll(' ', '-')}`
}

const general = [
  ['ottla-config', 5],
  ['ottla-formats', 7],
  ['ottla-exit-codes', 7],
] as const

function overview(commands: readonly Command[]): Page {
  return {
    name: 'ottla',
    section: 1,
    about: "Kafka's job in one binary: a broker, and a client for pipes",
    body: [
      heading('SYNOPSIS'),
      '.B ottla\n[global options] COMMAND [arguments]',
      heading('DESCRIPTION'),
      paragraphs([
        'ottla broker start is a broker that Kafka clients cannot tell from the real one; every other command is a client for pipes and scripts, and works against ottla, Apache Kafka and Redpanda alike.',
        'Data go to standard output, everything else to standard error. Global options may stand anywhere on the command line. An option may be given once unless its page says otherwise; -- ends options.',
      ]),
      heading('COMMANDS'),
      terms(commands.map((one) => [usageLine(one), one.about])),
      heading('GLOBAL OPTIONS'),
      terms(optionRows(globalOptions).map(([head, about]) => [head.trim(), about])),
      heading('ENVIRONMENT'),
      terms([
        ...environmentVariables.map(({ name, about }) => [name, about] as const),
        ...foreignVariables,
      ]),
      paragraphs(['An option goes before the environment, that before the configuration file.']),
      heading('EXIT STATUS'),
      terms(exitCodeTable.map(([code, about]) => [String(code), about])),
      seeAlso([...commands.map((one) => [pageName(one), 1] as const), ...general]),
    ],
  }
}

function commandPage(command: Command): Page {
  const options = optionRows(command.options)
  const exits = exitsOf(command)
  const body = [
    heading('SYNOPSIS'),
    `.B ${escaped(`ottla ${command.name}`)}\n${escaped(
      [command.positionals, ...(options.length > 0 ? ['[options]'] : [])].join(' ').trim(),
    )}`.trimEnd(),
    heading('EXAMPLES'),
    ...command.examples.map(
      ([line, about]) =>
        `.PP\n${escaped(sentence(about))}\n.RS\n${literal([`ottla ${line}`])}\n.RE`,
    ),
  ]
  if (command.description.length > 0) {
    body.push(heading('DESCRIPTION'), paragraphs(command.description))
  }
  if (options.length > 0) {
    body.push(heading('OPTIONS'), terms(options.map(([head, about]) => [head.trim(), about])))
  }
  if (command.columns.length > 0) {
    body.push(
      heading('OUTPUT'),
      terms(command.columns.map(({ title, key, about }) => [`${title} (${key})`, about])),
    )
  }
  const globals = Object.fromEntries(
    Object.entries(globalOptions).filter(
      ([key]) => !(key in command.options) && !(command.isLocal && clientOptionNames.includes(key)),
    ),
  )
  body.push(
    heading('GLOBAL OPTIONS'),
    terms(optionRows(globals).map(([head, about]) => [head.trim(), about])),
    heading('EXIT STATUS'),
    terms(exits.map(([code, about]) => [String(code), about])),
    seeAlso([['ottla', 1], ...general]),
  )
  // A heading takes the place of the paragraph macro that would follow it.
  const text = body.join('\n').replace(/^(\.SH .*)\n\.PP$/gm, '$1')
  return { name: pageName(command), section: 1, about: command.about, body: [text] }
}

/** Examples' remarks as sentences: their tables write them in lower case without a full stop. */
function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.:?!]$/.test(first) ? first : `${first}:`
}

function configPage(): Page {
  const members = Object.entries(configMembers)
  return {
    name: 'ottla-config',
    section: 5,
    about: 'settings of ottla: files, client, topics, brokers',
    body: [
      heading('DESCRIPTION'),
      paragraphs([
        "-F FILE and OTTLA_CONFIG name a file. A file whose name ends in .json is ottla's own; any other is of key=value lines as Java's clients and kcat read them. An option on the command line goes before an environment variable, that before the file.",
      ]),
      heading('JSON FILES'),
      terms(members.map(([name, { description }]) => [name, description])),
      paragraphs(['A member that is not known is remarked on under -v.']),
      heading('CLIENT SETTINGS'),
      paragraphs(['For -X, key=value files, and "properties" of a JSON file.']),
      terms(
        properties.map(({ name, aliases, about }) => [
          name,
          aliases.length === 0 ? about : `${about} (also ${aliases.join(', ')})`,
        ]),
      ),
      heading('TOPIC SETTINGS'),
      paragraphs(['For topic create -c and config set topic.']),
      terms(settingRows(topicSettings)),
      heading('BROKER SETTINGS'),
      paragraphs(['For broker start -c and its --config file of key=value lines.']),
      terms(settingRows(brokerSettings)),
      seeAlso([['ottla', 1]]),
    ],
  }
}

function settingRows(
  table: Readonly<Record<string, Setting<unknown>>>,
): (readonly [string, string])[] {
  return Object.entries(table)
    .filter(([, { internal }]) => !internal)
    .map(([name, setting]) => {
      const unit = setting.unit === null ? '' : `, in ${setting.unit}`
      const fallback = setting.format(setting.fallback)
      const given = fallback === null || fallback === '' ? 'not set' : fallback
      const kind = `${setting.kind}${unit}, default ${given}`
      const dynamic = setting.dynamic === 'no' ? '' : '; may be changed while the broker runs'
      return [name, `(${kind}${dynamic}) ${setting.doc}`] as const
    })
}

function recordPage(): Page {
  return {
    name: 'ottla-record',
    section: 5,
    about: 'the JSON envelope of a record',
    body: [
      heading('DESCRIPTION'),
      paragraphs(envelopeRules),
      heading('MEMBERS'),
      terms(envelopeMembers),
      heading('EXAMPLE'),
      literal([envelopeLine]),
      seeAlso([
        ['ottla-consume', 1],
        ['ottla-produce', 1],
        ['ottla-formats', 7],
      ]),
    ],
  }
}

function formatsPage(): Page {
  return {
    name: 'ottla-formats',
    section: 7,
    about: 'output formats, offsets, times, sizes, patterns',
    body: [
      heading('OUTPUT FORMATS'),
      terms(outputForms),
      heading('RECORD FORMATS'),
      paragraphs(['The letters of consume -f:']),
      terms(formatTokens),
      heading('OFFSETS'),
      terms(offsetForms),
      heading('TIMES'),
      terms(timeForms),
      heading('DURATIONS AND SIZES'),
      terms(durationForms),
      heading('ESCAPES'),
      terms(escapeForms),
      heading('PATTERNS'),
      paragraphs([patternText]),
      seeAlso([
        ['ottla', 1],
        ['ottla-consume', 1],
        ['ottla-record', 5],
      ]),
    ],
  }
}

function exitCodesPage(): Page {
  return {
    name: 'ottla-exit-codes',
    section: 7,
    about: 'what the exit codes of ottla mean',
    body: [
      heading('DESCRIPTION'),
      paragraphs(['The same for every command; the page of a command says which it uses.']),
      terms(exitCodeTable.map(([code, about]) => [String(code), about])),
      paragraphs([
        'Errors are two lines on standard error: what, and the next step. With --json they are one object, {"error":{"exit":3,"name":"UNKNOWN_TOPIC_OR_PARTITION","message":"...","hint":"..."}}. Standard output never carries errors. A reader of standard output that goes away ends a command quietly with 0.',
      ]),
      seeAlso([['ottla', 1]]),
    ],
  }
}
