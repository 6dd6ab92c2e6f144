// The taps that should be open: the wishes that every budget admits, each with its ring.
// In: wishes in order, the taps there are, the node's budgets. Out: specs, and for each refused wish the first budget that refused it.
// Which wishes pass the endpoint and ring budgets depends on the wishes alone. The disk's state refuses only what is not open yet.
import type { Refusal } from '../../model/decision.ts'
import type { Settings } from '../../model/settings.ts'
import type { ActualTap, TapSpec } from '../../model/tap.ts'
import type { DesiredTap } from './desiredTap.ts'
import { type DiskInput, refuseNew } from './diskBudget.ts'
import { type EndpointShare, shareEndpoints, withName } from './endpointBudget.ts'
import { shareRings } from './ringBudget.ts'

export type AdmissionInput = {
  readonly desiredTaps: readonly DesiredTap[]
  readonly taps: ReadonlyMap<string, ActualTap>
  readonly settings: Settings
  readonly disk: Omit<DiskInput, 'nowMs'>
}

export type Admission = { readonly specs: ReadonlyMap<string, TapSpec>; readonly refused: ReadonlyMap<string, Refusal> } // by tap id

export function admitTaps({ desiredTaps: wishes, taps, settings, disk }: AdmissionInput): Admission {
  const endpoints = shareEndpoints(wishes, settings.captureEndpointsMax)
  const space = shareDisk(endpoints.admitted, taps, disk)
  const rings = shareRings(space.admitted, taps, settings.captureRingBytesMax)
  return { specs: rings.specs, refused: new Map([...endpoints.refused, ...space.refused, ...rings.refused]) }
}

/** Taps that are open go on; of the others, in order, those that fit beside them. */
function shareDisk(wishes: readonly DesiredTap[], taps: ReadonlyMap<string, ActualTap>, disk: AdmissionInput['disk']): EndpointShare {
  const fresh = new Map<string, number>() // admitted so far, by capture key
  const refused = new Map<string, Refusal>()
  for (const wish of wishes.filter(({ spec }) => taps.get(spec.id)?.state !== 'open')) {
    const { id, captureKey } = wish.spec
    const count = fresh.get(captureKey) ?? 0
    const refusal = refuseNew(disk, fresh.set(captureKey, count + 1))
    if (!refusal) continue
    fresh.set(captureKey, count)
    refused.set(id, withName(wish, refusal))
  }
  return { admitted: wishes.filter(({ spec }) => !refused.has(spec.id)), refused }
}
