// A desired tap, before budgets are applied. Pure. In: a capture that needs taps and an endpoint it
// matched. Out: the tap's spec without a ring. Desired taps are ordered by the age of their
// captures: budgets refuse from the end, so the newest capture is refused first.
import type { Intent } from '../../model/capture.ts'
import type { Endpoint } from '../../model/endpoint.ts'
import { recordOptionsOf, type TapSpec, tapId } from '../../model/tap.ts'
import type { TapWindow } from '../../model/tapWindow.ts'

export type DesiredTap = {
  readonly spec: Omit<TapSpec, 'ringBytes'> // ringBudget.ts adds it
  readonly isEarly: boolean // before the window opens
}

export function desiredTapFor(
  intent: Intent,
  endpoint: Endpoint,
  { window, isEarly }: { window: TapWindow; isEarly: boolean },
): DesiredTap {
  const { namespace, name, uid, addresses, isInterfaceGiven = false } = endpoint
  const spec = {
    id: tapId(intent.key, name),
    capture: intent.capture,
    captureKey: intent.key,
    endpoint: { namespace, name, uid, addresses, ...(isInterfaceGiven && { isInterfaceGiven }) },
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
