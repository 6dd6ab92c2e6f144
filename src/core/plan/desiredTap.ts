// A wish: a tap that should be open, before the budgets had their say. In: an open capture and an endpoint it matched.
// Wishes come in the order of their captures' age: budgets refuse from the end, so the newest capture goes without first.
import type { Intent } from '../../model/capture.ts'
import type { Endpoint } from '../../model/endpoint.ts'
import { filterOf, type TapSpec, tapId } from '../../model/tap.ts'
import type { TapWindow } from '../../model/tapWindow.ts'

export type DesiredTap = {
  readonly spec: Omit<TapSpec, 'ringBytes'> // src/core/plan/ringBudget.ts gives it a ring
  readonly isEarly: boolean // before the window opens
}

export function desiredTapFor(
  intent: Intent,
  endpoint: Endpoint,
  { window, isEarly }: { window: TapWindow; isEarly: boolean },
): DesiredTap {
  const { namespace, name, uid, addresses } = endpoint
  const spec = {
    id: tapId(intent.key, name),
    capture: intent.capture,
    captureKey: intent.key,
    endpoint: { namespace, name, uid, addresses },
    interfaceName: endpoint.interfaceName,
    vantage: intent.vantage,
    ...filterOf(intent),
    snapLength: intent.snapLength,
    payload: intent.payload,
    format: intent.format,
    rotation: intent.rotation,
    ...(intent.triesMax !== undefined && { triesMax: intent.triesMax }),
    limits: intent.limits,
    window,
  }
  return { spec, isEarly }
}
