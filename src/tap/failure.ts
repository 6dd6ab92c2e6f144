// Why a tap did not open, and when to try again. A failure is one capture's: the others go on. Pure.

import { doubledMs } from '../model/backoff.ts'
import type { TapErrorCode } from '../model/codes.ts'
import { isExpected, TapError } from '../model/errors.ts'
import type { TapSpec } from '../model/tap.ts'

/** `isMissing`: the interface is not there, and its arrival will be told of. No retryAtMs: not before the spec changes. */
export type FailedTap = {
  readonly spec: TapSpec
  readonly message: string
  readonly code?: TapErrorCode // missing: no driver refused it
  readonly tries: number
  readonly isMissing: boolean
  readonly retryAtMs?: number
}

const retryDelayMs = { first: 1_000, most: 30_000 } as const
const shortRetryDelayMs = { first: 1_000, most: 60_000 } as const // where tries are counted
const missing: readonly TapErrorCode[] = ['NO_INTERFACE', 'NO_NAMESPACE']
const permanentCodes: readonly TapErrorCode[] = ['BAD_FILTER', 'FILTER_TOO_LONG', 'NOT_SUPPORTED']

/** What a driver or the file system refused; anything else is a bug and is thrown on. */
export function failureOf({ spec, error, tries, nowMs }: { spec: TapSpec; error: unknown; tries: number; nowMs: number }): FailedTap {
  if (!isExpected(error)) throw error
  const code = error instanceof TapError ? error.code : undefined
  const isMissing = code !== undefined && missing.includes(code)
  const waitMs = doubledMs(tries, spec.triesMax === undefined ? retryDelayMs : shortRetryDelayMs)
  const isFinal = tries >= (spec.triesMax ?? tries + 1) || (code !== undefined && permanentCodes.includes(code))
  return {
    spec,
    message: error.message,
    ...(code && { code }),
    tries,
    isMissing,
    ...(!isFinal && { retryAtMs: nowMs + waitMs }),
  }
}
