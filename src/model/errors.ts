// The errors somebody catches; their codes are in codes.ts.
// Anything else that is thrown is a bug and ends the process.

import type { StreamRefusal, TapErrorCode } from './codes.ts'

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
  readonly reason: StreamRefusal

  constructor(reason: StreamRefusal, message: string) {
    super(message)
    this.reason = reason
  }
}

/** Bad words on the command line: printed without a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What the system said when it refused a call. Anything else is a bug, and thrown on. */
export function osErrorMessage(error: unknown): string {
  if (!(error instanceof Error && 'syscall' in error)) throw error
  return error.message
}
