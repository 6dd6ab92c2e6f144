// Whether a capture has reached a limit of time, packets or bytes on this node. Pure. In: its
// limits, its actual state, the time. Out: reached, or when the time limit expires. A limit that
// was raised or removed since it was reached no longer holds.

import type { ActualCapture } from '../../model/actualState.ts'
import type { Limits } from '../../model/capture.ts'

export type LimitState =
  | { readonly kind: 'reached'; readonly atMs: number; readonly message: string }
  | { readonly kind: 'within'; readonly untilMs: number }

export function limitAt(
  limits: Limits,
  actual: ActualCapture | undefined,
  nowMs: number,
): LimitState {
  const reached = [
    timeUp(limits, actual, nowMs),
    countUp('packets', limits, actual, nowMs),
    countUp('bytes', limits, actual, nowMs),
  ]
  const first = reached.filter(each => each !== undefined).toSorted((a, b) => a.atMs - b.atMs)[0]
  if (first) return { kind: 'reached', ...first }
  // If no tap has opened yet, the time limit runs from now at the earliest.
  return {
    kind: 'within',
    untilMs: (actual?.firstOpenedAtMs ?? nowMs) + (limits.durationMs ?? Number.POSITIVE_INFINITY),
  }
}

type Reached = { readonly atMs: number; readonly message: string }

function timeUp(
  { durationMs }: Limits,
  actual: ActualCapture | undefined,
  nowMs: number,
): Reached | undefined {
  if (durationMs === undefined || actual?.firstOpenedAtMs === undefined) return undefined
  const atMs = actual.firstOpenedAtMs + durationMs
  return nowMs < atMs
    ? undefined
    : { atMs, message: `Finished: duration limit ${durationMs / 1_000} s reached` }
}

function countUp(
  kind: 'packets' | 'bytes',
  limits: Limits,
  actual: ActualCapture | undefined,
  nowMs: number,
): Reached | undefined {
  const limit = limits[kind]
  if (limit === undefined || !actual) return undefined
  const message = `Finished: ${kind} limit ${limit} reached`
  // A record that does not fit reaches a limit in bytes below the number itself: only the stored
  // hit shows that.
  const hit = actual.limitHit
  if (hit?.kind === kind && limit <= hit.limit) return { atMs: hit.atMs, message }
  const rows = [...actual.endpoints.values()]
  const count = rows.reduce((sum, row) => sum + row[kind], 0)
  return count < limit
    ? undefined
    : { atMs: Math.min(nowMs, Math.max(...rows.map(row => row.endedAtMs ?? nowMs))), message }
}
