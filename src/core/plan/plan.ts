// Plans a turn's actions: desired taps minus actual taps. Pure. In: both, and why an undesired tap
// closes. Out: actions in their order (closes, removals, adjusts, opens, so that a ring is freed
// before another is taken), and when a failed tap is retried. A failed tap holds nothing: it is
// opened without a close when its retry is due or its spec changed. A close only drops its record.
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

export function plan({ desired, actual, removals, reasonOf, nowMs }: PlanInput): {
  actions: Action[]
  wakeAtMs: number
} {
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
      ...removals.toSorted((a, b) => compareText(a.captureKey, b.captureKey)),
      ...adjusts.map((spec): Action => ({ kind: 'adjust', spec })),
      ...opens.map((spec): Action => ({ kind: 'open', spec })),
    ],
    wakeAtMs: Math.min(...wanted.map(spec => retryAt(actual.get(spec.id), nowMs))),
  }
}

function closeReason(
  tap: ActualTap,
  desired: TapSpec | undefined,
  reasonOf: (tap: ActualTap) => CloseReason,
): CloseReason | undefined {
  if (!desired) return reasonOf(tap)
  return tap.state === 'open' ? reasonToReopen(tap.spec, desired) : undefined
}

function mustOpen(tap: ActualTap | undefined, desired: TapSpec, nowMs: number): boolean {
  if (!tap) return true
  const reason = reasonToReopen(tap.spec, desired)
  if (tap.state === 'open') return reason !== undefined
  // A changed ring size does not make a failed tap worth retrying.
  return (
    (reason !== undefined && reason !== 'resized') ||
    retryAt(tap, Number.NEGATIVE_INFINITY) <= nowMs
  )
}

function mustAdjust(tap: ActualTap | undefined, desired: TapSpec): boolean {
  return (
    tap?.state === 'open' &&
    reasonToReopen(tap.spec, desired) === undefined &&
    isAdjusted(tap.spec, desired)
  )
}

/** When a failed tap is retried, if that is after `afterMs`; else never. */
function retryAt(tap: ActualTap | undefined, afterMs: number): number {
  const atMs =
    tap?.state === 'failed' ? (tap.retryAtMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY
  return atMs > afterMs ? atMs : Number.POSITIVE_INFINITY
}
