/**
 * The line that shows who a command waits for, after 2 s, on a terminal only. ora loops for ever on
 * a terminal without columns (a pty of no size: CI wrappers, `script`) and puts standard input in
 * raw mode unless told otherwise, hence the conditions and `discardStdin`.
 */

type Variables = Readonly<Record<string, string | undefined>>

const patienceMs = 2000

/** Whether a spinner may be shown on this stream. */
export function canSpin(
  stream: { isTTY?: boolean; columns?: number },
  variables: Variables,
  isQuiet: boolean,
): boolean {
  return (
    stream.isTTY === true &&
    (stream.columns ?? 0) > 0 &&
    !variables['CI'] &&
    variables['TERM'] !== 'dumb' &&
    !isQuiet
  )
}

/** Shows `text` when it takes longer than 2 s; the function given back ends it. */
export function startSpinner(text: string, hasColour: boolean): () => void {
  let isOver = false
  let stop = () => {}
  const show = async () => {
    const { default: ora } = await import('ora')
    if (isOver) return
    const options = { text, stream: process.stderr, discardStdin: false, isEnabled: true }
    const spinner = ora(hasColour ? options : { ...options, color: false }).start()
    stop = () => spinner.stop()
  }
  // A failure to load what only decorates would be a crash like any other: nothing to wait for.
  const timer = setTimeout(() => void show(), patienceMs)
  timer.unref()
  return () => {
    isOver = true
    clearTimeout(timer)
    stop()
  }
}
