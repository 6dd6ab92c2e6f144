// Retries a request with exponential backoff and jitter, so that many uploads do not retry
// together. In: one request. Out: its result. Throws the last StoreError, or the signal's reason.

import { doubledMs } from '../model/backoff.ts'
import type { BufferGc } from '../runtime/bufferGc.ts'
import type { Clock } from '../runtime/clock.ts'
import { type RetryEffort, StoreError } from './store.ts'

export type Attempts = {
  readonly effort: RetryEffort
  readonly clock: Clock
  /** Counts the bytes that were read. */
  readonly sweeper: BufferGc
  /** The StoreError for a library's error. */
  readonly explain: (error: unknown) => StoreError
}

/** `request` gets a signal that also aborts after the request's time limit. */
export async function attempt<T>(
  { effort, clock, explain }: Omit<Attempts, 'sweeper'>,
  signal: AbortSignal,
  request: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    const late = AbortSignal.timeout(effort.requestMs)
    try {
      return await request(AbortSignal.any([signal, late]))
    } catch (error) {
      signal.throwIfAborted()
      const failure = late.aborted
        ? new StoreError(`no answer within ${effort.requestMs / 1_000} s`)
        : asStoreError(error, explain)
      if (failure.isFinal || tries >= effort.triesMax) throw failure
      await clock.sleepUntil(clock.now() + retryDelayMs(effort, tries, failure.waitMs), signal)
    }
  }
}

/**
 * Before the next try: half fixed, half random. A longer Retry-After is honoured up to three times
 * the longest delay.
 */
function retryDelayMs(
  { firstWaitMs, longestWaitMs }: RetryEffort,
  tries: number,
  askedMs = 0,
): number {
  const span = doubledMs(tries, { first: firstWaitMs, most: longestWaitMs })
  return Math.max(span / 2 + (Math.random() * span) / 2, Math.min(askedMs, 3 * longestWaitMs))
}

function asStoreError(error: unknown, explain: (error: unknown) => StoreError): StoreError {
  return storeErrorIn(error) ?? explain(error)
}

/** The StoreError in an error's cause chain, where a library has wrapped it. */
export function storeErrorIn(error: unknown, depth = 0): StoreError | undefined {
  if (error instanceof StoreError) return error
  if (!(error instanceof Error) || depth > 4) return undefined
  return storeErrorIn(error.cause, depth + 1)
}

/**
 * For optional reads, which may need another right: undefined if the server refuses it. A write
 * then reports what is wrong.
 */
export async function ifAllowed<T>(
  signal: AbortSignal,
  reading: Promise<T>,
): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (signal.aborted || !(error instanceof StoreError) || !error.isFinal) throw error
    return undefined
  }
}
