// The errors that a caller catches by their class; their codes are in codes.ts.
// In: nothing. Out: ExpectedError, its subclasses, and isExpected(), which tells them from bugs.
// Any other error is a bug: nothing catches it, and it ends the process.

import { type ExitReason, exitCodes, type StreamRefusal, type TapErrorCode } from './codes.ts'

/**
 * A failure that the program handles: what a cluster, a store, a disk or a user may bring about.
 * Its message is for people.
 */
export class ExpectedError extends Error {
  override readonly name: string = 'ExpectedError'
}

/** A tap that cannot be opened, or a filter that does not compile. */
export class TapError extends ExpectedError {
  override readonly name = 'TapError'
  readonly code: TapErrorCode

  constructor(code: TapErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** A live stream that the node refuses. */
export class StreamError extends ExpectedError {
  override readonly name = 'StreamError'
  readonly reason: StreamRefusal

  constructor(reason: StreamRefusal, message: string) {
    super(message)
    this.reason = reason
  }
}

/**
 * A command that did not do what it was asked for: printed without a stack, with an exit code for
 * scripts.
 */
export class CommandFailure extends ExpectedError {
  override readonly name = 'CommandFailure'
  readonly exitCode: number

  constructor(reason: ExitReason, message: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCodes[reason]
  }
}

/** Whether the program handles this error: one of its own classes, or a system call that failed. */
export function isExpected(error: unknown): error is Error {
  return error instanceof ExpectedError || isSystemError(error)
}

/** The message of a failed system call. Rethrows any other error, which is a bug. */
export function osErrorMessage(error: unknown): string {
  if (!isSystemError(error)) throw error
  return error.message
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
