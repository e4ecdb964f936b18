/**
 * The options that `broker start` and `broker run` share, and the broker's settings that follow
 * from them: -c wins over an option of its own, which wins over the file.
 */

import { SettingError } from '../../lib/base/setting.ts'
import { singleNodeConfigs } from '../../lib/config/broker-groups.ts'
import { type Configs, checkBrokerConfigs, unknownSetting } from '../../lib/config/config.ts'
import { parseProperties } from '../../lib/config/properties.ts'
import { readFile } from '../../lib/io/disk.ts'
import { type CommandContext, CommandError, exitCodes } from '../command.ts'
import { choice, file, integer, parsePair, parseText, repeated } from '../options.ts'

export const brokerOptions = {
  setting: repeated('a setting of the broker, ottla-config(5)', parsePair, {
    word: 'K=V',
    letter: 'c',
  }),
  config: file('settings from a file, key=value', { completes: 'file' }),
  autoCreate: choice(['on', 'off'])('make a topic when a client first names it (on)'),
  partitions: integer({ min: 1, max: 100_000 })('partitions of topics made so (1)', {
    letter: 'p',
  }),
  topic: repeated('a topic to have from the start', parseText, { word: 'NAME:N[:K=V,...]' }),
}

interface Given {
  readonly setting: readonly (readonly [key: string, value: string])[]
  readonly config: string | undefined
  readonly autoCreate: 'on' | 'off' | undefined
  readonly partitions: number | undefined
}

/** The static settings of the broker, checked. Throws CommandError 2. */
export async function brokerConfigs(context: CommandContext, given: Given): Promise<Configs> {
  const texts: Record<string, string> = {
    ...singleNodeConfigs,
    ...(await fromFile(context, given.config)),
  }
  if (given.autoCreate !== undefined)
    texts['auto.create.topics.enable'] = String(given.autoCreate === 'on')
  if (given.partitions !== undefined) texts['num.partitions'] = String(given.partitions)
  for (const [key, value] of given.setting) texts[key] = value
  try {
    const { configs, unknown } = checkBrokerConfigs(texts)
    const [first] = unknown
    if (first !== undefined) throw unknownSetting(first)
    return configs
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    throw new CommandError(
      exitCodes.usage,
      error.message,
      'ottla-config(5) lists the settings of a broker',
      { cause: error },
    )
  }
}

async function fromFile(context: CommandContext, given: string | undefined): Promise<Configs> {
  if (given === undefined) return {}
  const path = context.path(given)
  const bytes = await readFile(context.env.disk, path)
  if (bytes === null) throw new CommandError(exitCodes.usage, `no such file: ${given}`)
  try {
    return parseProperties(Buffer.from(bytes).toString())
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    throw new CommandError(exitCodes.usage, `${given}: ${error.message}`, '', { cause: error })
  }
}
