/**
 * Columns that a text takes on a terminal, in place of the string-width package (the build maps
 * every copy in the bundle here). The package builds an Intl.Segmenter and a large regular
 * expression when it is imported, half of a command's start-up time; this does so at the first
 * text that is not ASCII. Wide: East Asian wide and full-width, and emoji; none: control
 * characters, combining marks, escape sequences.
 *
 * Source: Unicode TR11 (East Asian Width), TR51 (emoji sequences).
 */

/** Escape sequences of a terminal: CSI and OSC. */
const escapeSequences =
  /[\u001b\u009b](?:\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[[()#;?]*(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~])/g

// Literals: compiled by the engine when first used, not when imported.
const zeroWidth = /^(?:\p{Default_Ignorable_Code_Point}|\p{Control}|\p{Mark}|\p{Surrogate})+$/u
const wide =
  /^(?:\p{Emoji_Presentation}|.*\uFE0F|[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE10-\uFE19\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6]|[\u{16FE0}-\u{18CFF}\u{1AFF0}-\u{1B2FF}\u{1F200}-\u{1F2FF}\u{20000}-\u{3FFFD}])/u

/** Columns on a terminal; escape sequences take none unless `countAnsiEscapeCodes`. */
export function stringWidth(
  text: string,
  options: { countAnsiEscapeCodes?: boolean } = {},
): number {
  if (typeof text !== 'string' || text === '') return 0
  const plain =
    options.countAnsiEscapeCodes === true || !/[\u001b\u009b]/.test(text)
      ? text
      : text.replace(escapeSequences, '')
  return /^[\x20-\x7e]*$/.test(plain) ? plain.length : unicodeWidth(plain)
}

function unicodeWidth(text: string): number {
  let width = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (zeroWidth.test(segment)) continue
    width += wide.test(segment) ? 2 : 1
  }
  return width
}

// The packages that import string-width import its default.
export { stringWidth as default }
