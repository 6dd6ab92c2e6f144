// Handles signals and write errors for `kubectl pcap`. In: a command. Out: its result, or a
// CommandFailure with an exit code for scripts. docs/kubectl-pcap.md and --help list the codes.

import { type ExitReason, exitCodes, exitMeanings } from '../model/codes.ts'
import { CommandFailure } from '../model/errors.ts'

export const exitHelp = `
Exit codes: 0 done
${Object.entries(exitCodes)
  .map(
    ([reason, code]) => `  ${`${code}`.padEnd(4)} ${wrapped(exitMeanings[reason as ExitReason])}`,
  )
  .join('\n')}`

// Wraps to a terminal of 80 columns, indented below the description.
function wrapped(meaning: string): string {
  return meaning.replaceAll(/(.{1,73})(?: |$)/g, '$1\n       ').trimEnd()
}

/**
 * Aborted by SIGINT or SIGTERM. The command then throws this signal's reason, and must let it
 * through.
 */
export function interruption(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new CommandFailure('interrupted', '')))
  return stop.signal
}

// A disk's write error is an expected failure, not a bug.
const diskCalls: readonly string[] = ['mkdir', 'open', 'write', 'rename', 'stat', 'unlink', 'rm']
const connectionCodes: readonly string[] = ['EPIPE', 'ECONNRESET']

function diskFailure(error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (!code || connectionCodes.includes(code) || !diskCalls.includes(syscall ?? '')) return error
  return new CommandFailure('failed', `Cannot keep what came: ${message}`, error)
}

/** Runs the command; any error after an interruption becomes the interruption. */
export async function interruptibly<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = interruption()
  try {
    return await act(signal)
  } catch (error) {
    throw signal.aborted ? signal.reason : diskFailure(error)
  }
}
