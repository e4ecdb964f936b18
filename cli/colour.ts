/**
 * Whether a stream gets colours, and the only import of chalk. chalk knows nothing of NO_COLOR and
 * looks at argv by itself, so the level is always given to it.
 * Order: --no-color, NO_COLOR, FORCE_COLOR, TERM=dumb, then whether it is a terminal.
 */

import type { ChalkInstance } from 'chalk'

type Variables = Readonly<Record<string, string | undefined>>

/** chalk's levels: none, 16 colours, 256, true colour. */
export type ColourLevel = 0 | 1 | 2 | 3

export function colourLevel(isTty: boolean, isWanted: boolean, variables: Variables): ColourLevel {
  if (!isWanted || variables['NO_COLOR']) return 0
  const forced = variables['FORCE_COLOR']
  if (forced !== undefined && forced !== '') return forcedLevel(forced)
  if (!isTty || variables['TERM'] === 'dumb') return 0
  return 1
}

function forcedLevel(forced: string): ColourLevel {
  if (forced === '0' || forced === 'false') return 0
  if (forced === '2') return 2
  return forced === '3' ? 3 : 1
}

/** chalk at this level; loaded only when there are colours. */
export async function chalkAt(level: ColourLevel): Promise<ChalkInstance> {
  const { Chalk } = await import('chalk')
  return new Chalk({ level })
}
