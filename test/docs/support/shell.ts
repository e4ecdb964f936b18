/** The little of a shell's grammar that finds the `ottla` command lines in an example. */

/** Words of a line, quotes removed; operators (`|`, `&&`, `;`, `<`, `>`) are words of their own. */
export function shellWords(line: string): string[] {
  const words: string[] = []
  const pattern = /\s+|#.*|(&&|\|\||[|;<>&])|((?:'[^']*'|"[^"]*"|[^\s|;<>&'"])+)/g
  let isAtStart = true
  for (const [text, operator, word] of line.matchAll(pattern)) {
    // A comment begins a word; inside one, # is a character like any other.
    if (text.startsWith('#') && isAtStart && operator === undefined) break
    isAtStart = word === undefined
    if (operator !== undefined) words.push(operator)
    if (word !== undefined) words.push(word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
  }
  return words
}

/** The arguments of each `ottla` or `npx ottla` in a line, also of one behind `--`. */
export function ottlaLines(line: string): string[][] {
  const lines: string[][] = []
  let current: string[] = []
  const take = () => {
    const words = current[0] === 'npx' ? current.slice(1) : current
    if (words[0] === 'ottla') lines.push(words.slice(1))
    const rest = words.indexOf('--')
    if (rest > 0 && words[rest + 1] === 'ottla') lines.push(words.slice(rest + 2))
    current = []
  }
  let isTarget = false
  for (const word of shellWords(line)) {
    if (isTarget) isTarget = false
    else if (word === '<' || word === '>') isTarget = true
    else if (/^(&&|\|\||[|;&])$/.test(word)) take()
    else current.push(word)
  }
  take()
  return lines
}
