// Applies captureEndpointsMax, and gives each budget the shape of its result. Pure. In: desired
// taps in order. Out: the admitted ones, and a refusal for each of the others. ringBudget.ts and
// diskBudget.ts apply the other two budgets.
import type { Refusal } from '../../model/decision.ts'
import { endpointKey } from '../../model/endpoint.ts'
import type { DesiredTap } from './desiredTap.ts'

export type EndpointShare = {
  readonly admitted: readonly DesiredTap[]
  readonly refused: ReadonlyMap<string, Refusal>
} // by tap id

export function shareEndpoints(
  desiredTaps: readonly DesiredTap[],
  captureEndpointsMax: number,
): EndpointShare {
  return truncateTo(desiredTaps, captureEndpointsMax, {
    reason: 'EndpointsMax',
    message: `${desiredTaps.length} taps are wanted on this node and captureEndpointsMax is ${captureEndpointsMax}: the newest captures go without`,
  })
}

/** Admits the first `count` taps and refuses the others for one reason. */
export function truncateTo(
  desiredTaps: readonly DesiredTap[],
  count: number,
  refusal: Refusal,
): EndpointShare {
  return {
    admitted: desiredTaps.slice(0, count),
    refused: new Map(
      desiredTaps
        .slice(count)
        .map(desiredTap => [desiredTap.spec.id, withName(desiredTap, refusal)]),
    ),
  }
}

export function withName({ spec }: DesiredTap, { reason, message }: Refusal): Refusal {
  return { reason, message: `Cannot open a tap on "${endpointKey(spec.endpoint)}": ${message}` }
}
