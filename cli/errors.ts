/** A failure on standard error: two lines for people, one JSON object under --json. */

import type { Failure } from '../commands/failures.ts'

/** What goes to standard error, with its newline. `who` is `ottla` or `ottla topic list`. */
export function failureText(who: string, failure: Failure, isJson: boolean): string {
  const { exit, name, message, hint, details } = failure
  if (isJson) {
    const error = { exit, name, message, ...(hint === '' ? {} : { hint }), ...details }
    return `${JSON.stringify({ error })}\n`
  }
  const second = hint === '' ? '' : `${hint.replace(/^/gm, '  ')}\n`
  return `${who}: ${message}\n${second}`
}
