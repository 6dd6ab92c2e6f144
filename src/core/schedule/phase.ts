// The phase of a capture: window and limits combined. Pure. In: an intent, its actual capture, the
// time. Out: the phase, and when it changes by itself. Halts are applied later
// (src/core/plan/diskBudget.ts).

import type { ActualCapture } from '../../model/actualState.ts'
import type { Intent } from '../../model/capture.ts'
import type { Phase } from '../../model/decision.ts'
import { never } from '../../model/time.ts'
import { limitAt } from './limits.ts'
import { windowAt } from './window.ts'

export type PhaseAt = { readonly phase: Phase; readonly wakeAtMs: number }

/**
 * How long before its window the taps of a capture open: hundreds of taps are ready in this time.
 */
export const leadMs = 3_000

export function phaseAt(intent: Intent, actual: ActualCapture | undefined, nowMs: number): PhaseAt {
  const window = windowAt(intent.window, nowMs)
  const limit = limitAt(intent.limits, actual, nowMs)
  const isLimited =
    limit.kind === 'reached' && !(window.kind === 'after' && window.closedAtMs <= limit.atMs)
  if (isLimited)
    return {
      phase: { kind: 'Finished', cause: 'limit', atMs: limit.atMs, message: limit.message },
      wakeAtMs: never,
    }
  if (actual?.artifact) return { phase: artifactMade(actual.artifact.atMs), wakeAtMs: never }
  if (window.kind === 'after') return { phase: windowOver(window.closedAtMs), wakeAtMs: never }
  if (window.kind === 'before') {
    const { opensAtMs } = window
    return {
      phase: { kind: 'Scheduled', opensAtMs, isPreparing: nowMs >= opensAtMs - leadMs },
      wakeAtMs: opensAtMs,
    }
  }
  const closesAtMs = Math.min(window.untilMs, limit.kind === 'within' ? limit.untilMs : never)
  return { phase: { kind: 'Open', closesAtMs }, wakeAtMs: closesAtMs }
}

// The artifact is made of all packets: a capture with an artifact never resumes, whatever its
// limits are.
function artifactMade(atMs: number): Phase {
  return {
    kind: 'Finished',
    cause: 'limit',
    atMs,
    message: 'Finished: what was captured is put together',
  }
}

function windowOver(atMs: number): Phase {
  const message = Number.isFinite(atMs)
    ? `Finished: the window ended at ${new Date(atMs).toISOString()}`
    : 'Finished: no window is left to come'
  return { kind: 'Finished', cause: 'window', atMs, message }
}
