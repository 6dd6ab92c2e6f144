// Where a capture stands now: window and limits put together, and when that may change by itself.
// In: an intent, what the node holds of it, the time. Out: its phase and when to look again. Halts come later (src/core/plan/diskBudget.ts).

import type { ActualCapture } from '../../model/actualState.ts'
import type { Intent } from '../../model/capture.ts'
import type { Phase } from '../../model/decision.ts'
import { limitAt } from './limits.ts'
import { windowAt } from './window.ts'

export type Timed = { readonly phase: Phase; readonly wakeAtMs: number }

/** Taps of a capture are opened so long before its window: by then even hundreds of them are ready. */
export const leadMs = 3_000
const never = Number.POSITIVE_INFINITY

export function phaseAt(intent: Intent, facts: ActualCapture | undefined, nowMs: number): Timed {
  const window = windowAt(intent.window, nowMs)
  const limit = limitAt(intent.limits, facts, nowMs)
  const isLimited = limit.kind === 'reached' && !(window.kind === 'after' && window.closedAtMs <= limit.atMs)
  if (isLimited) return { phase: { kind: 'Finished', cause: 'limit', atMs: limit.atMs, message: limit.message }, wakeAtMs: never }
  if (facts?.artifact) return { phase: fileIsMade(facts.artifact.atMs), wakeAtMs: never }
  if (window.kind === 'after') return { phase: windowOver(window.closedAtMs), wakeAtMs: never }
  if (window.kind === 'before') {
    const { opensAtMs } = window
    return { phase: { kind: 'Scheduled', opensAtMs, isPreparing: nowMs >= opensAtMs - leadMs }, wakeAtMs: opensAtMs }
  }
  const closesAtMs = Math.min(window.untilMs, limit.kind === 'within' ? limit.untilMs : never)
  return { phase: { kind: 'Open', closesAtMs }, wakeAtMs: closesAtMs }
}

// Its packets have left for the file: there is no going on, whatever the limits are now.
function fileIsMade(atMs: number): Phase {
  return { kind: 'Finished', cause: 'limit', atMs, message: 'Finished: what was captured is put together' }
}

function windowOver(atMs: number): Phase {
  const message = Number.isFinite(atMs)
    ? `Finished: the window ended at ${new Date(atMs).toISOString()}`
    : 'Finished: no window is left to come'
  return { kind: 'Finished', cause: 'window', atMs, message }
}
