// Why a tap did not open, and when it is tried again. In: an error. Out: a failed tap, which
// concerns no other capture. Rethrows an error that is not expected: a bug. Pure.

import { doubledMs } from '../model/backoff.ts'
import type { TapErrorCode } from '../model/codes.ts'
import { isExpected, TapError } from '../model/errors.ts'
import type { TapSpec } from '../model/tap.ts'

/**
 * `isMissing`: the interface does not exist, or not with a link type that is supported; a link
 * event reports it when it does. No retryAtMs: not before the spec changes or a link event.
 */
export type FailedTap = {
  readonly spec: TapSpec
  readonly message: string
  readonly code?: TapErrorCode // missing: the driver did not refuse it
  readonly tries: number
  readonly isMissing: boolean
  readonly retryAtMs?: number
}

const retryDelayMs = { first: 1_000, most: 30_000 } as const
const shortRetryDelayMs = { first: 1_000, most: 60_000 } as const // where tries are counted
const linkCodes: readonly TapErrorCode[] = ['NO_INTERFACE', 'NO_NAMESPACE', 'NOT_SUPPORTED']
const permanentCodes: readonly TapErrorCode[] = ['BAD_FILTER', 'FILTER_TOO_LONG', 'NOT_SUPPORTED']

export function failureOf({
  spec,
  error,
  tries,
  nowMs,
}: {
  spec: TapSpec
  error: unknown
  tries: number
  nowMs: number
}): FailedTap {
  if (!isExpected(error)) throw error
  const code = error instanceof TapError ? error.code : undefined
  const isMissing = code !== undefined && linkCodes.includes(code)
  const waitMs = doubledMs(tries, spec.triesMax === undefined ? retryDelayMs : shortRetryDelayMs)
  const isFinal =
    tries >= (spec.triesMax ?? tries + 1) || (code !== undefined && permanentCodes.includes(code))
  return {
    spec,
    message: error.message,
    ...(code && { code }),
    tries,
    isMissing,
    ...(!isFinal && { retryAtMs: nowMs + waitMs }),
  }
}
