// Whether a capture wants taps now, and for which packets: while its window is open, and shortly before. In: its window, its
// phase, the time. Out: the stretch of time its packets come from, and when the answer may be another.
import type { Window } from '../../model/capture.ts'
import type { Phase } from '../../model/decision.ts'
import type { TapWindow } from '../../model/tapWindow.ts'
import { spanAt } from './activeSpan.ts'
import { leadMs } from './phase.ts'

/** `window` undefined: it wants none. */
export type TapDemand = { readonly window: TapWindow | undefined; readonly lookAtMs: number }

export function tapDemandAt(window: Window, phase: Phase, nowMs: number): TapDemand {
  if (phase.kind === 'Open') return spanAt(window, nowMs)
  if (phase.kind !== 'Scheduled') return { window: undefined, lookAtMs: Number.POSITIVE_INFINITY }
  return phase.isPreparing ? spanAt(window, phase.opensAtMs) : { window: undefined, lookAtMs: phase.opensAtMs - leadMs }
}
