// The errors somebody catches, each with a code; docs/operations.md explains every code (test/repo holds both lists together).
// Anything else that is thrown is a bug and ends the process.

export const tapErrorCodes = [
  'NO_INTERFACE',
  'INTERFACE_DOWN',
  'NO_NAMESPACE',
  'NOT_PERMITTED',
  'BAD_FILTER',
  'FILTER_TOO_LONG',
  'RING_BUDGET',
  'NO_MEMORY',
  'NOT_SUPPORTED',
] as const
export type TapErrorCode = (typeof tapErrorCodes)[number]

/** A tap that cannot be opened, or a filter that does not compile. */
export class TapError extends Error {
  override readonly name = 'TapError'
  readonly code: TapErrorCode

  constructor(code: TapErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** A live stream that is not given. */
export class StreamError extends Error {
  override readonly name = 'StreamError'
  readonly reason: 'NotOpen' | 'TooMany'

  constructor(reason: StreamError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

/** Bad words on the command line: printed without a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What the system said when it refused a call. Anything else is a bug, and thrown on. */
export function systemRefusal(error: unknown): string {
  if (!(error instanceof Error && 'syscall' in error)) throw error
  return error.message
}
