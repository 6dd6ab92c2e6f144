// How the commands of `kubectl pcap` end when they could not do what was asked: a message, and an exit code that a script
// can rely on. docs/kubectl-pcap.md and --help tell the codes.

export const exitCodes = {
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  captureError: 6,
  timeout: 7,
  incomplete: 8,
  interrupted: 130,
} as const

export type ExitReason = keyof typeof exitCodes

export const exitMeanings: Readonly<Record<ExitReason, string>> = {
  failed: 'the API server or the gateway cannot be reached, or refused for another reason',
  usage: 'wrong usage, or a capture that would be refused: a selector that does not parse, for example',
  notFound: 'no capture, pod, deployment or service of that name',
  notAllowed: 'the right is missing; the message names it',
  conflict: 'it exists already, or is still capturing',
  captureError: 'the capture is in the state Error',
  timeout: 'what was waited for has not come',
  incomplete: "a node's files are missing, or a checksum does not fit, or a stream broke off",
  interrupted: 'interrupted; the same command goes on where a download stopped',
}

export const exitHelp = `
Exit codes: 0 done
${Object.entries(exitCodes)
  .map(([reason, code]) => `  ${`${code}`.padEnd(4)} ${wrapped(exitMeanings[reason as ExitReason])}`)
  .join('\n')}`

// To a terminal of 80 columns, below where it began.
function wrapped(meaning: string): string {
  return meaning.replaceAll(/(.{1,73})(?: |$)/g, '$1\n       ').trimEnd()
}

/** Printed without a stack. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exitCode: number

  constructor(reason: ExitReason, message: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCodes[reason]
  }
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
