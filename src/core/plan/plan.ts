// What to do, by subtraction: desired taps minus actual ones. In: both, and why an undesired tap goes. Out: actions in the order
// to be carried out (closes, forgets, adjusts, opens; a ring is given back before another is taken) and when to try again.
// A failed tap holds nothing: it is opened again without a close when its time has come or its spec changed; a close for it
// only drops its record.
import type { CloseReason } from '../../model/codes.ts'
import type { Action, ActualTap, TapSpec } from '../../model/tap.ts'
import { compareText } from '../../model/text.ts'
import { isAdjusted, reasonToReopen } from './tapDiff.ts'

export type RemoveCapture = Extract<Action, { kind: 'forget' }>

export type PlanInput = {
  readonly desired: ReadonlyMap<string, TapSpec>
  readonly actual: ReadonlyMap<string, ActualTap>
  readonly removals: readonly RemoveCapture[]
  readonly reasonOf: (undesired: ActualTap) => CloseReason
  readonly nowMs: number
}

export function plan({ desired, actual, removals: forgets, reasonOf, nowMs }: PlanInput): { actions: Action[]; wakeAtMs: number } {
  const wanted = [...desired.values()]
  const byId = [...actual.values()].toSorted((a, b) => compareText(a.spec.id, b.spec.id))
  const closes = byId.flatMap((tap): Action[] => {
    const reason = closeReason(tap, desired.get(tap.spec.id), reasonOf)
    return reason ? [{ kind: 'close', id: tap.spec.id, reason }] : []
  })
  const opens = wanted.filter(spec => mustOpen(actual.get(spec.id), spec, nowMs))
  const adjusts = wanted.filter(spec => mustAdjust(actual.get(spec.id), spec))
  return {
    actions: [
      ...closes,
      ...forgets.toSorted((a, b) => compareText(a.captureKey, b.captureKey)),
      ...adjusts.map((spec): Action => ({ kind: 'adjust', spec })),
      ...opens.map((spec): Action => ({ kind: 'open', spec })),
    ],
    wakeAtMs: Math.min(...wanted.map(spec => retryAt(actual.get(spec.id), nowMs))),
  }
}

function closeReason(tap: ActualTap, desired: TapSpec | undefined, reasonOf: (tap: ActualTap) => CloseReason): CloseReason | undefined {
  if (!desired) return reasonOf(tap)
  return tap.state === 'open' ? reasonToReopen(tap.spec, desired) : undefined
}

function mustOpen(tap: ActualTap | undefined, desired: TapSpec, nowMs: number): boolean {
  if (!tap) return true
  const reason = reasonToReopen(tap.spec, desired)
  if (tap.state === 'open') return reason !== undefined
  // Another share of the ring budget is no news for a tap that failed.
  return (reason !== undefined && reason !== 'resized') || retryAt(tap, Number.NEGATIVE_INFINITY) <= nowMs
}

function mustAdjust(tap: ActualTap | undefined, desired: TapSpec): boolean {
  return tap?.state === 'open' && reasonToReopen(tap.spec, desired) === undefined && isAdjusted(tap.spec, desired)
}

/** When a failed tap is to be tried again, if that lies after `afterMs`; else Infinity. */
function retryAt(tap: ActualTap | undefined, afterMs: number): number {
  const atMs = tap?.state === 'failed' ? (tap.retryAtMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY
  return atMs > afterMs ? atMs : Number.POSITIVE_INFINITY
}
