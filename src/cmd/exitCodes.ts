// How the commands of `kubectl pcap` end when they could not do what was asked: a message, and an exit code that a script
// can rely on. docs/kubectl-pcap.md and --help tell the codes.

import { type ExitReason, exitCodes, exitMeanings } from '../model/codes.ts'
import { CommandFailure } from '../model/errors.ts'

export const exitHelp = `
Exit codes: 0 done
${Object.entries(exitCodes)
  .map(([reason, code]) => `  ${`${code}`.padEnd(4)} ${wrapped(exitMeanings[reason as ExitReason])}`)
  .join('\n')}`

// To a terminal of 80 columns, below where it began.
function wrapped(meaning: string): string {
  return meaning.replaceAll(/(.{1,73})(?: |$)/g, '$1\n       ').trimEnd()
}

/** Aborted when the user has had enough. What throws then is this signal's reason, which the command lets through. */
export function interruption(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new CommandFailure('interrupted', '')))
  return stop.signal
}

// What a disk says when it cannot be written to is no bug of ours.
const diskCalls: readonly string[] = ['mkdir', 'open', 'write', 'rename', 'stat', 'unlink', 'rm']
const connectionCodes: readonly string[] = ['EPIPE', 'ECONNRESET']

function diskFailure(error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (!code || connectionCodes.includes(code) || !diskCalls.includes(syscall ?? '')) return error
  return new CommandFailure('failed', `Cannot keep what came: ${message}`, error)
}

/** Runs it; what it throws after an interruption is the interruption. */
export async function interruptibly<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = interruption()
  try {
    return await act(signal)
  } catch (error) {
    throw signal.aborted ? signal.reason : diskFailure(error)
  }
}
