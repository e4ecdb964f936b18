#!/usr/bin/env node
/**
 * The entry of the command. What must be fast is answered before anything else is imported:
 * `--version` and the completion of the shell.
 */

import module from 'node:module'

declare const OTTLA_VERSION: string

// A member named __proto__ in JSON from outside must be a member like any other.
Reflect.deleteProperty(Object.prototype, '__proto__')

/** `__complete` is for the shell. */
async function start(): Promise<void> {
  const [first, ...rest] = argv
  if (first === '__complete') return (await import('./complete.ts')).complete(rest)
  return (await import('./run.ts')).main(argv)
}

const argv = process.argv.slice(2)
const [first] = argv
if (first === '--version' || first === '-V') {
  process.stdout.on('error', () => {})
  process.stdout.write(`ottla ${OTTLA_VERSION}\n`)
} else {
  // Keeps compiled code between runs, where Node can (22.1 and later).
  if ('enableCompileCache' in module && typeof module.enableCompileCache === 'function') {
    module.enableCompileCache()
  }
  // Not to be caught here: an error at import is a crash.
  void start()
}
