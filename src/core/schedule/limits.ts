// Whether a capture has used up what it may: time, packets or bytes, on this node.
// In: its limits, what the node holds of it, the time. Out: reached, or when time will be up.
// A limit that was raised or removed since it was reached no longer holds.

import type { ActualCapture } from '../../model/actualState.ts'
import type { Limits } from '../../model/capture.ts'

export type LimitState =
  | { readonly kind: 'reached'; readonly atMs: number; readonly message: string }
  | { readonly kind: 'within'; readonly untilMs: number }

export function limitAt(limits: Limits, facts: ActualCapture | undefined, nowMs: number): LimitState {
  const reached = [timeUp(limits, facts, nowMs), countUp('packets', limits, facts, nowMs), countUp('bytes', limits, facts, nowMs)]
  const first = reached.filter(each => each !== undefined).toSorted((a, b) => a.atMs - b.atMs)[0]
  if (first) return { kind: 'reached', ...first }
  // Not opened yet: if that happens now, time is up this much later.
  return { kind: 'within', untilMs: (facts?.firstOpenedAtMs ?? nowMs) + (limits.durationMs ?? Number.POSITIVE_INFINITY) }
}

type Reached = { readonly atMs: number; readonly message: string }

function timeUp({ durationMs }: Limits, facts: ActualCapture | undefined, nowMs: number): Reached | undefined {
  if (durationMs === undefined || facts?.firstOpenedAtMs === undefined) return undefined
  const atMs = facts.firstOpenedAtMs + durationMs
  return nowMs < atMs ? undefined : { atMs, message: `Finished: duration limit ${durationMs / 1_000} s reached` }
}

function countUp(kind: 'packets' | 'bytes', limits: Limits, facts: ActualCapture | undefined, nowMs: number): Reached | undefined {
  const limit = limits[kind]
  if (limit === undefined || !facts) return undefined
  const message = `Finished: ${kind} limit ${limit} reached`
  // A limit in bytes is reached by a record that does not fit, below the number itself: the hit says so, the count cannot.
  const hit = facts.limitHit
  if (hit?.kind === kind && limit <= hit.limit) return { atMs: hit.atMs, message }
  const rows = [...facts.endpoints.values()]
  const count = rows.reduce((sum, row) => sum + row[kind], 0)
  return count < limit ? undefined : { atMs: Math.min(nowMs, Math.max(...rows.map(row => row.endedAtMs ?? nowMs))), message }
}
