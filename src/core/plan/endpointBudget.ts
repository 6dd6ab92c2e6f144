// What a budget leaves of the wishes: those it admits, and for each of the others why not.
// In and out: wishes in the order of wish.ts. captureEndpointsMax is here; rings.ts and disk.ts have their own.
import type { Refusal } from '../../model/decision.ts'
import type { DesiredTap } from './desiredTap.ts'

export type EndpointShare = { readonly admitted: readonly DesiredTap[]; readonly refused: ReadonlyMap<string, Refusal> } // by tap id

export function shareEndpoints(wishes: readonly DesiredTap[], captureEndpointsMax: number): EndpointShare {
  return truncateTo(wishes, captureEndpointsMax, {
    reason: 'EndpointsMax',
    message: `${wishes.length} taps are wanted on this node and captureEndpointsMax is ${captureEndpointsMax}: the newest captures go without`,
  })
}

/** The first `count` wishes are admitted, the others refused with one reason. */
export function truncateTo(wishes: readonly DesiredTap[], count: number, refusal: Refusal): EndpointShare {
  return {
    admitted: wishes.slice(0, count),
    refused: new Map(wishes.slice(count).map(wish => [wish.spec.id, withName(wish, refusal)])),
  }
}

export function withName({ spec }: DesiredTap, { reason, message }: Refusal): Refusal {
  return { reason, message: `Cannot open a tap on "${spec.endpoint.name}": ${message}` }
}
