// Tries a request again while that can help: with twice the wait each time, up to a limit, and a random part of it so that many
// uploads do not come back together. In: one request. Out: what it gives; throws the last StoreError, or the signal's reason.

import { doubledMs } from '../model/backoff.ts'
import type { BufferGc } from '../runtime/bufferGc.ts'
import type { Clock } from '../runtime/clock.ts'
import { type RetryEffort, StoreError } from './store.ts'

export type Attempts = {
  readonly effort: RetryEffort
  readonly clock: Clock
  /** Told of what was read. */
  readonly sweeper: BufferGc
  /** What an error of the library's means. */
  readonly explain: (error: unknown) => StoreError
}

/** `request` gets a signal of its own, which also ends one that takes too long. */
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
      const failure = late.aborted ? new StoreError(`no answer within ${effort.requestMs / 1_000} s`) : asStoreError(error, explain)
      if (failure.isFinal || tries >= effort.triesMax) throw failure
      await clock.sleepUntil(clock.now() + retryDelayMs(effort, tries, failure.waitMs), signal)
    }
  }
}

/** Before the next try: half of it certain, half by chance. What the other side asks for is honoured, within reason. */
function retryDelayMs({ firstWaitMs, longestWaitMs }: RetryEffort, tries: number, askedMs = 0): number {
  const span = doubledMs(tries, { first: firstWaitMs, most: longestWaitMs })
  return Math.max(span / 2 + (Math.random() * span) / 2, Math.min(askedMs, 3 * longestWaitMs))
}

function asStoreError(error: unknown, explain: (error: unknown) => StoreError): StoreError {
  return storeErrorIn(error) ?? explain(error)
}

/** Ours, wherever a library has wrapped it. */
export function storeErrorIn(error: unknown, depth = 0): StoreError | undefined {
  if (error instanceof StoreError) return error
  if (!(error instanceof Error) || depth > 4) return undefined
  return storeErrorIn(error.cause, depth + 1)
}

/** For what is good to know but another right: undefined where the other side refuses it. Writing itself will say what is wrong. */
export async function ifAllowed<T>(signal: AbortSignal, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (signal.aborted || !(error instanceof StoreError) || !error.isFinal) throw error
    return undefined
  }
}
