// Whether a capture needs taps now, and for which packets: in its window and shortly before. Pure.
// In: its window, its phase, the time. Out: the span its packets come from, and when the answer
// changes.
import type { Window } from '../../model/capture.ts'
import type { Phase } from '../../model/decision.ts'
import type { TapWindow } from '../../model/tapWindow.ts'
import { spanAt } from './activeSpan.ts'
import { leadMs } from './phase.ts'

/** `window` undefined: it needs no taps. */
export type TapDemand = { readonly window: TapWindow | undefined; readonly wakeAtMs: number }

export function tapDemandAt(window: Window, phase: Phase, nowMs: number): TapDemand {
  if (phase.kind === 'Open') return spanAt(window, nowMs)
  if (phase.kind !== 'Scheduled') return { window: undefined, wakeAtMs: Number.POSITIVE_INFINITY }
  return phase.isPreparing
    ? spanAt(window, phase.opensAtMs)
    : { window: undefined, wakeAtMs: phase.opensAtMs - leadMs }
}
