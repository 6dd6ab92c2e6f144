// Desired taps, before budgets are applied. Pure. In: captures with the endpoints they matched, and
// whether they need taps now. Out: the taps' specs without a ring. Desired taps are ordered by the
// age of their captures: budgets refuse from the end, so the newest capture is refused first.
import type { Intent } from '../../model/capture.ts'
import type { MatchCounts, Phase } from '../../model/decision.ts'
import { type Endpoint, endpointKey } from '../../model/endpoint.ts'
import { recordOptionsOf, type TapSpec, tapId } from '../../model/tap.ts'
import type { TapWindow } from '../../model/tapWindow.ts'

export type DesiredTap = {
  readonly spec: Omit<TapSpec, 'ringBytes'> // ringBudget.ts adds it
  readonly isEarly: boolean // before the window opens
}

export type DesiredTapInput = {
  readonly intent: Intent
  readonly matches: MatchCounts
  readonly phase: Phase
  readonly window: TapWindow | undefined // of its taps; undefined: it needs no taps now
}

export function wantsTaps({ window }: Pick<DesiredTapInput, 'window'>): boolean {
  return window !== undefined
}

/** In the order of the captures, then of endpoint names. */
export function desiredTapsOf(captures: readonly DesiredTapInput[]): DesiredTap[] {
  return captures.flatMap(({ intent, matches, phase, window }) =>
    window
      ? matches.matched.map(endpoint =>
          desiredTapFor(intent, endpoint, { window, isEarly: phase.kind !== 'Open' }),
        )
      : [],
  )
}

export function desiredTapFor(
  intent: Intent,
  endpoint: Endpoint,
  { window, isEarly }: { window: TapWindow; isEarly: boolean },
): DesiredTap {
  const { namespace, name, uid, podInterface, addresses, isInterfaceGiven = false } = endpoint
  const spec = {
    id: tapId(intent.key, endpointKey(endpoint)),
    capture: intent.capture,
    captureKey: intent.key,
    endpoint: {
      namespace,
      name,
      uid,
      ...(podInterface !== undefined && { podInterface }),
      addresses,
      ...(isInterfaceGiven && { isInterfaceGiven }),
    },
    interfaceName: endpoint.interfaceName,
    vantage: intent.vantage,
    ...recordOptionsOf(intent),
    rotation: intent.rotation,
    ...(intent.triesMax !== undefined && { triesMax: intent.triesMax }),
    limits: intent.limits,
    window,
  }
  return { spec, isEarly }
}
